//! What git says of the clone, and of the files that images are made of.

use exec::Executor;
use identity::additional_folders;
use plan::{
    Invocation,
    facts::{Difference, Git, History},
    tools::git,
};
use project::{Project, error::Fault};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    thread,
};

/// `shown` writes a path below the root from the folder that the user stands in.
pub fn read(exec: &Executor, project: &Project, shown: impl Fn(&Path) -> PathBuf) -> Git {
    let ask = |question: &Invocation| match exec.capture(question) {
        Ok(output) if output.success() => Ok(output.stdout),
        Ok(output) => Err(output.stderr.lines().next().unwrap_or("git failed").to_owned()),
        Err(fault) => Err(fault.what),
    };
    let paths = paths(project, &shown);
    let root = shown(Path::new(".")).display().to_string();
    let (place, commits, uncommitted, remotes) = thread::scope(|scope| {
        let place = scope.spawn(|| ask(&git::place(&root)));
        let commits = scope.spawn(|| ask(&git::history(&paths)));
        let remotes = scope.spawn(|| ask(&git::remotes()));
        let uncommitted = ask(&git::uncommitted(&paths));
        (place.join(), commits.join(), uncommitted, remotes.join())
    });
    let gone = |_| Err("git was not asked".to_owned());
    let place = PathBuf::from(place.unwrap_or_else(gone).unwrap_or_default());
    let (commits, uncommitted) = match (commits.unwrap_or_else(gone), uncommitted) {
        (Ok(commits), Ok(uncommitted)) => (git::commits(&commits, &place), git::paths(&uncommitted, &place)),
        (Err(why), _) | (_, Err(why)) => return Git::Silent(why),
    };
    let changes = commits.iter().flat_map(|commit| &commit.changes);
    let of_compose = changes.filter(|change| change.path == Path::new(project.file()));
    let ids: BTreeSet<&str> = of_compose.flat_map(|change| [change.before.as_str(), change.after.as_str()]).collect();
    let texts = if ids.is_empty() { Ok(String::new()) } else { ask(&git::texts(ids.into_iter())) };
    let texts = git::by_id(&texts.unwrap_or_default());
    let remotes = remotes.ok().and_then(Result::ok).unwrap_or_default();
    let remotes = remotes.lines().filter_map(|line| {
        let (key, url) = line.split_once(' ')?;
        let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
        Some((name.to_owned(), url.to_owned()))
    });
    Git::Clone { remotes: remotes.collect(), history: History { commits, uncommitted, texts } }
}

/// What differs between a commit and the working tree, of what images are made of.
///
/// # Errors
/// git can't be asked, or doesn't know the commit.
pub fn difference(
    exec: &Executor,
    project: &Project,
    reference: &str,
    shown: impl Fn(&Path) -> PathBuf,
) -> Result<Difference, Fault> {
    let paths = paths(project, &shown);
    let root = shown(Path::new(".")).display().to_string();
    let refused = |why: &str| {
        let fault = Fault::usage(format!("comparing with {reference}: {}", why.trim_start_matches("fatal: ")));
        fault.help(
            "name a commit, branch or tag that this clone has; `git fetch --unshallow` brings what a shallow one lacks",
        )
    };
    if reference.is_empty() || reference.starts_with('-') {
        return Err(refused("that is not a commit"));
    }
    let ask = |question: &Invocation| {
        let output = exec.capture(question)?;
        let first = output.stderr.lines().next().unwrap_or("git failed");
        if output.success() { Ok(output.stdout) } else { Err(refused(first)) }
    };
    let place = PathBuf::from(ask(&git::place(&root))?);
    let changes = git::changes(&ask(&git::difference(reference, &paths))?, &place);
    let untracked = git::untracked(&ask(&git::uncommitted(&paths))?, &place);
    // What is compared by more than its id.
    let is_read = |path: &Path| path == Path::new(project.file()) || path.ends_with("poetry.lock");
    let read = changes.iter().filter(|change| is_read(&change.path));
    let ids: BTreeSet<&str> = read.map(|change| change.before.as_str()).collect();
    let texts = match ids.is_empty() {
        true => BTreeMap::new(),
        false => git::by_id(&ask(&git::texts(ids.into_iter()))?),
    };
    Ok(Difference { changes, untracked, texts })
}

/// The compose file, and the folders at the root that images' folders are in: git compares each file with each path, so
/// that a path an image would take minutes for thousands.
fn paths(project: &Project, shown: impl Fn(&Path) -> PathBuf) -> Vec<String> {
    let images = project.images.iter();
    let folders = images.flat_map(|image| {
        let additional = additional_folders(image).map(|(_, folder)| PathBuf::from(folder));
        [image.folder.clone(), image.dockerfile.clone()].into_iter().chain(additional)
    });
    // What is elsewhere isn't git's.
    let is_inside = |path: &PathBuf| matches!(path.components().next(), None | Some(Component::Normal(_)));
    let at_root = |path: PathBuf| path.iter().next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let paths: BTreeSet<PathBuf> = folders.filter(is_inside).map(at_root).chain([project.file().into()]).collect();
    paths.iter().map(|path| shown(path).display().to_string()).collect()
}
