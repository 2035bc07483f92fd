//! The files that a build context really holds, with what of each a build sees.

use crate::{
    hash::{Hash, hash},
    ignore::{Ignore, Matches},
};
use project::error::Fault;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// What a build sees of a path. Neither times, owner nor the modes that a umask decides: a clone has other ones each
/// time, and the Dockerfiles set them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    Folder,
    File { executable: bool, content: Hash },
    Link { target: PathBuf },
}

/// The paths of a context, relative to it, less what its `.dockerignore` leaves out.
pub type Context = BTreeMap<PathBuf, Entry>;

/// Reads a context.
///
/// # Errors
/// A file can't be read, or something is neither file, folder nor link, or has a name that is not UTF-8.
pub fn read(folder: &Path, ignore: &Ignore) -> Result<Context, Fault> {
    let mut context = Context::new();
    let mut open = vec![(PathBuf::new(), Matches::default())];
    while let Some((below, parent)) = open.pop() {
        let path = folder.join(&below);
        let entries = fs::read_dir(&path).map_err(|e| Fault::io("reading the folder", &path, &e))?;
        for found in entries {
            let found = found.map_err(|e| Fault::io("reading the folder", &path, &e))?;
            let below = below.join(found.file_name());
            let name = below.to_str().ok_or_else(|| not_utf_8(&found.path()))?;
            let (left_out, matches) = ignore.leaves_out(name, &parent);
            let kind = found.file_type().map_err(|e| Fault::io("reading", &found.path(), &e))?;
            if kind.is_dir() && (!left_out || ignore.takes_back()) {
                open.push((below.clone(), matches));
            }
            if !left_out {
                context.insert(below, entry(&found.path(), kind)?);
            }
        }
    }
    Ok(context)
}

/// What a context leaves out; the Dockerfile's own ignore file comes before the folder's.
///
/// # Errors
/// The file can't be read, or a pattern is one that Docker refuses.
pub fn ignore(folder: &Path, dockerfile: Option<&Path>) -> Result<Ignore, Fault> {
    let own = dockerfile.map(|dockerfile| PathBuf::from(format!("{}.dockerignore", dockerfile.display())));
    for path in own.into_iter().chain([folder.join(".dockerignore")]) {
        match fs::read_to_string(&path) {
            Ok(text) => {
                return Ignore::parse(&text)
                    .map_err(|(line, why)| Fault::project(format!("reading {}:{line}: {why}", path.display())));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Fault::io("reading", &path, &e)),
        }
    }
    Ok(Ignore::default())
}

/// BuildKit's protocol takes no such path either.
fn not_utf_8(path: &Path) -> Fault {
    Fault::project(format!("reading {}: its name is not UTF-8, which no build takes", path.display()))
        .help("rename or remove it")
}

pub(crate) fn entry(path: &Path, kind: fs::FileType) -> Result<Entry, Fault> {
    let failed = |e: io::Error| Fault::io("reading", path, &e);
    if kind.is_dir() {
        return Ok(Entry::Folder);
    }
    if kind.is_symlink() {
        return Ok(Entry::Link { target: fs::read_link(path).map_err(failed)? });
    }
    if !kind.is_file() {
        return Err(Fault::project(format!("reading {}: it is neither file, folder nor link", path.display()))
            .help("remove it, or name it in .dockerignore"));
    }
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    Ok(Entry::File { executable: mode & 0o100 != 0, content: hash(&fs::read(path).map_err(failed)?) })
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Folder => f.write_str("folder"),
            Entry::File { executable: false, content } => write!(f, "file {content}"),
            Entry::File { executable: true, content } => write!(f, "program {content}"),
            Entry::Link { target } => write!(f, "link to {}", target.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder(files: &[(&str, &str)]) -> xshell::TempDir {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn context(folder: &Path) -> Context {
        read(folder, &ignore(folder, Some(&folder.join("Dockerfile"))).unwrap()).unwrap()
    }

    fn paths(context: &Context) -> Vec<&str> {
        context.keys().map(|path| path.to_str().unwrap()).collect()
    }

    #[test]
    fn a_context_is_what_the_ignore_file_admits() {
        let files = [
            (".dockerignore", "*\n!a\n!d/keep\n"),
            ("Dockerfile", "FROM x"),
            ("a", "1"),
            ("d/keep", "2"),
            ("d/no", "3"),
        ];
        let folder = folder(&files);
        let found = context(folder.path());
        assert_eq!(paths(&found), ["a", "d/keep"]);
        fs::write(folder.path().join("Dockerfile.dockerignore"), "d").unwrap();
        let found = context(folder.path());
        assert_eq!(paths(&found), [".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "a"]);
    }

    #[test]
    fn modes_that_a_umask_decides_and_times_do_not_count_but_the_rest_does() {
        let files = [("a", "1"), ("d/b", "2")];
        let folder = folder(&files);
        let a = folder.path().join("a");
        let now = || context(folder.path());
        let mode = |mode: u32| fs::set_permissions(&a, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let first = now();
        mode(0o600);
        fs::File::open(&a).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(now(), first);
        mode(0o755);
        assert_ne!(now(), first);
        mode(0o644);
        fs::write(&a, "2").unwrap();
        assert_ne!(now(), first);
        fs::write(&a, "1").unwrap();
        assert_eq!(now(), first);
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert_ne!(now(), first);
        fs::remove_dir(folder.path().join("empty")).unwrap();
        symlink("a", folder.path().join("link")).unwrap();
        let linked = now();
        assert_ne!(linked, first);
        fs::remove_file(folder.path().join("link")).unwrap();
        symlink("d", folder.path().join("link")).unwrap();
        assert_ne!(now(), linked);
        fs::remove_file(folder.path().join("link")).unwrap();
        fs::rename(folder.path().join("d/b"), folder.path().join("d/c")).unwrap();
        assert_ne!(now(), first);
    }

    /// Random folders and patterns: what we read is what a build copies.
    #[test]
    #[ignore = "needs the engine: cargo xtask setup"]
    #[expect(clippy::disallowed_methods, reason = "only a real build can say what it sees")]
    fn a_context_is_what_a_real_build_sees() {
        let mut state: u64 = 20_261_125;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % bound
        };
        let names = ["a", "b", "a.txt", ".hidden", "dir", "x+y", "[c]", "lönger name", "Dockerfile.x"];
        let patterns = [
            "*",
            "**",
            "!a",
            "!dir",
            "a",
            "dir",
            "**/a",
            "dir/**",
            "!dir/a",
            "*.txt",
            "!**/a.txt",
            ".*",
            "?",
            "[a-b]",
            "dir/*/b",
            "!dir/dir",
            "/a",
            "a/",
            "**/dir/a",
            "x+y",
            "\\[c\\]",
            "# no",
            "",
            "l*r name",
            "!**/b",
            "dir/../a",
            "**b",
            "d?r/a*",
        ];
        for round in 0..25 {
            let folder = folder(&[("Dockerfile", "FROM scratch\nCOPY . /\n")]);
            for _ in 0..=next(12) {
                let depth = 1 + next(3);
                let path: PathBuf = (0..depth).map(|_| names[next(names.len())]).collect();
                let path = folder.path().join(path);
                if fs::create_dir_all(path.parent().unwrap()).is_err() || path.exists() {
                    continue;
                }
                let _ = match next(6) {
                    0 => fs::create_dir(&path),
                    1 => symlink("a", &path),
                    2 => fs::write(&path, "")
                        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755))),
                    _ => fs::write(&path, path.display().to_string()),
                };
            }
            let text: Vec<&str> = (0..=next(5)).map(|_| patterns[next(patterns.len())]).collect();
            fs::write(folder.path().join(".dockerignore"), text.join("\n")).unwrap();
            let ours = context(folder.path());
            let shell = xshell::Shell::new().unwrap();
            let theirs = shell.create_temp_dir().unwrap();
            let theirs = theirs.path();
            let (from, output) = (folder.path(), format!("type=local,dest={}", theirs.display()));
            xshell::cmd!(shell, "docker buildx build --quiet --output {output} {from}")
                .ignore_stdout()
                .quiet()
                .run()
                .unwrap();
            // A folder that is left out is there all the same where something below it isn't.
            let mut expected: BTreeMap<PathBuf, Entry> = ours.clone();
            for path in ours.keys().flat_map(|path| path.ancestors().skip(1)) {
                if !path.as_os_str().is_empty() {
                    expected.entry(path.to_owned()).or_insert(Entry::Folder);
                }
            }
            fs::write(theirs.join("Dockerfile.dockerignore"), "").unwrap();
            let mut seen = context(theirs);
            seen.remove(Path::new("Dockerfile.dockerignore"));
            assert_eq!(seen, expected, "round {round}: {text:?}");
        }
    }
}
