//! git: which commits changed which files.

use crate::{
    facts::{Change, Commit},
    invocation::Invocation,
};
use std::{
    collections::BTreeMap,
    iter,
    path::{Path, PathBuf},
};

/// Begins a commit among the fields that `history` prints; no path begins with it.
const COMMIT: &str = "/commit ";
/// What git prints of a commit whose parents a shallow clone doesn't have.
const CUT: &str = "grafted";

/// Arguments are separated by NULs, so that no path is quoted.
fn git(args: &[&str], paths: &[String]) -> Invocation {
    Invocation::new(
        "git",
        args.iter().map(|arg| (*arg).to_owned()).chain(["--".to_owned()]).chain(paths.iter().cloned()),
    )
}

/// The commits that changed one of these paths, newest first, with what each changed. Of a merge only what differs from
/// all that it merged.
pub fn history(paths: &[String]) -> Invocation {
    let format = format!("--format={COMMIT}%H %cI%d");
    git(&["log", "-z", "-c", "--raw", "--no-abbrev", "--no-renames", "--decorate=short", "--no-color", &format], paths)
}

/// The paths that differ from the last commit, or that it doesn't have.
pub fn uncommitted(paths: &[String]) -> Invocation {
    git(&["status", "-z", "--porcelain=v1", "--untracked-files=all", "--ignored", "--no-renames"], paths)
}

/// The files that differ between a commit and the working tree, but for those that git doesn't track.
pub fn difference(reference: &str, paths: &[String]) -> Invocation {
    git(&["diff", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", reference], paths)
}

/// The texts with these ids, one behind the other, each after a line with its id.
pub fn texts<'a>(ids: impl Iterator<Item = &'a str>) -> Invocation {
    let ids: Vec<&str> = ids.collect();
    Invocation::new("sh", ["-c", &format!("printf '%s\\n' {} | git cat-file --batch", ids.join(" "))])
}

/// Where this folder is in the repository that git knows: a clone may be a part of a larger one.
pub fn place(folder: &str) -> Invocation {
    Invocation::new("git", ["-C", folder, "rev-parse", "--show-prefix"])
}

pub fn remotes() -> Invocation {
    Invocation::new("git", ["config", "--get-regexp", r"^remote\..*\.url$"])
}

/// Reads what `difference` printed, with each path as it is seen from `place`.
pub fn changes(printed: &str, place: &Path) -> Vec<Change> {
    commits(&format!("{COMMIT}\0{printed}"), place).into_iter().flat_map(|commit| commit.changes).collect()
}

/// Reads what `history` printed, with each path as it is seen from `place`.
pub fn commits(printed: &str, place: &Path) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    let mut after = None;
    for field in printed.split('\0').map(|field| field.trim_start_matches('\n')).filter(|field| !field.is_empty()) {
        if let Some(head) = field.strip_prefix(COMMIT) {
            let (id, rest) = head.split_once(' ').unwrap_or((head, ""));
            let (time, names) = rest.split_once(' ').unwrap_or((rest, ""));
            commits.push(Commit {
                id: id.to_owned(),
                time: time.to_owned(),
                is_cut: names.split([' ', '(', ')', ',']).any(|name| name == CUT),
                changes: Vec::new(),
            });
        } else if field.starts_with(':') {
            after = Some(ids(field));
        } else if let (Some((before, after)), Some(commit)) = (after.take(), commits.last_mut()) {
            commit.changes.push(Change { path: seen_from(place, Path::new(field)), before, after });
        }
    }
    commits
}

/// The file's id before, in the first parent, and after, of `:100644 100644 before after M`; a merge has a `:`, a mode and
/// an id more for each further parent.
fn ids(raw: &str) -> (String, String) {
    let parents = raw.bytes().take_while(|byte| *byte == b':').count();
    let fields: Vec<&str> = raw[parents..].split(' ').collect();
    let id = |at: usize| fields.get(at).copied().unwrap_or_default().to_owned();
    (id(parents + 1), id(2 * parents + 1))
}

/// Reads what `uncommitted` printed, as it is seen from `place`.
pub fn paths(printed: &str, place: &Path) -> Vec<PathBuf> {
    printed.split('\0').filter_map(|entry| entry.get(3..)).map(|path| seen_from(place, Path::new(path))).collect()
}

/// git names a file from the top of its repository; we do from the compose files' folder.
fn seen_from(place: &Path, path: &Path) -> PathBuf {
    let shared = place.components().zip(path.components()).take_while(|(one, other)| one == other).count();
    let up = iter::repeat_n(Path::new(".."), place.components().count() - shared);
    up.chain(path.components().skip(shared).map(|part| Path::new(part.as_os_str()))).collect()
}

/// Of what `uncommitted` printed, the files that git doesn't track, or ignores.
pub fn untracked(printed: &str, place: &Path) -> Vec<PathBuf> {
    let untracked = printed.split('\0').filter(|entry| entry.starts_with("?? ") || entry.starts_with("!! "));
    untracked.map(|entry| seen_from(place, Path::new(&entry[3..]))).collect()
}

/// Reads what `texts` printed.
pub fn by_id(printed: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut rest = printed;
    while let Some((head, body)) = rest.split_once('\n') {
        let mut words = head.split(' ');
        let (id, size) = (words.next().unwrap_or_default(), words.nth(1).and_then(|size| size.parse::<usize>().ok()));
        // The last one may have lost its line end.
        let Some(text) = size.and_then(|size| body.get(..size.min(body.len()))) else { break };
        texts.insert(id.to_owned(), text.to_owned());
        rest = body.get(text.len() + 1..).unwrap_or_default();
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_with_what_they_changed() {
        let printed = "/commit 3 2026-11-25T01:00:00+01:00 (HEAD -> main)\0:100644 000000 a 0 D\0images/a/x\0/commit 2 T\0\
                       ::100644 100644 100644 b c d MM\0f.yaml\0/commit 1 T (grafted)\0\n:000000 100755 0 e A\0a b\"\0";
        let commits = commits(printed, Path::new(""));
        let shown: Vec<String> = commits
            .iter()
            .map(|commit| {
                let Commit { id, time, is_cut, changes } = commit;
                let changes = changes
                    .iter()
                    .map(|change| format!("{} {} {}", change.path.display(), change.before, change.after));
                format!("{id} {time} {is_cut} {}", changes.collect::<Vec<_>>().join(","))
            })
            .collect();
        assert_eq!(
            shown,
            ["3 2026-11-25T01:00:00+01:00 false images/a/x a 0", "2 T false f.yaml b d", "1 T true a b\" 0 e"]
        );
        assert!(super::commits("", Path::new("")).is_empty());
    }

    #[test]
    fn a_part_of_a_larger_repository_sees_its_own_paths() {
        let place = Path::new("teams/img/");
        let seen = paths(" M teams/img/images/a/x\0 M teams/shared/y\0 M img/z\0", place);
        assert_eq!(seen, ["images/a/x", "../shared/y", "../../img/z"].map(PathBuf::from));
        let printed = "/commit 1 T\0:000000 100644 0 a A\0teams/img/docker-compose.dev.yaml\0";
        assert_eq!(commits(printed, place)[0].changes[0].path, Path::new("docker-compose.dev.yaml"));
    }

    #[test]
    fn differences() {
        let changes = changes(":100644 000000 a 0 D\0x\0:100644 100755 b 0 M\0y z\0", Path::new(""));
        let shown: Vec<_> = changes.iter().map(|it| (it.path.to_str().unwrap(), it.before.as_str())).collect();
        assert_eq!(shown, [("x", "a"), ("y z", "b")]);
        assert!(super::changes("", Path::new("")).is_empty());
    }

    #[test]
    fn paths_and_texts() {
        assert_eq!(paths(" M a\0?? b c\0!! d\0", Path::new("")), ["a", "b c", "d"].map(PathBuf::from));
        assert_eq!(untracked(" M a\0?? b c\0!! d\0", Path::new("")), ["b c", "d"].map(PathBuf::from));
        let texts = by_id("1 blob 4\na\nb\n\n2 missing\n");
        assert_eq!(texts, [("1".to_owned(), "a\nb\n".to_owned())].into());
        assert_eq!(by_id("1 blob 2\na\n\n2 blob 3\nb\n").len(), 2);
        assert_eq!(by_id("1 blob 2\na"), [("1".to_owned(), "a".to_owned())].into());
    }
}
