//! Why an image is not what it was in a commit: which file, which value of its definition, which package.

use super::revision::Changes;
use identity::Sources;
use plan::{
    Facts,
    facts::{Change, Difference},
};
use project::{
    Image, ImageName, Project,
    error::Fault,
    files::Files,
    lockfile::{Lockfile, Move, moves},
};
use std::path::Path;

const LOCK: &str = "poetry.lock";

/// The reasons, the image's own first, then those of what it is built from.
///
/// # Errors
/// Bases that go round in a circle, or a folder that can't be read.
pub fn reasons(
    project: &Project,
    facts: &Facts,
    difference: &Difference,
    name: &ImageName,
) -> Result<Vec<String>, Fault> {
    let mut reasons = Vec::new();
    let images = project.with_bases(std::slice::from_ref(name))?;
    let mut read = Changes::new(project, &images, &facts.contexts, &difference.texts)?;
    for image in images.into_iter().rev() {
        let of = match image {
            image if image.name == *name => String::new(),
            image if image.helper => format!("helper {}: ", image.name),
            image => format!("base {}: ", image.name),
        };
        let own = of_definition(project, difference, &mut read, image);
        let files = of_files(project, facts, difference, &read, image);
        reasons.extend(own.into_iter().chain(files).map(|reason| format!("{of}{reason}")));
    }
    Ok(reasons)
}

/// What of the image's definition in the compose file differs.
fn of_definition(project: &Project, difference: &Difference, read: &mut Changes, image: &Image) -> Vec<String> {
    let Some(change) = difference.changes.iter().find(|change| change.path == Path::new(project.file())) else {
        return Vec::new();
    };
    let Some(before) = read.definition(image, &change.before) else {
        return vec![format!("{}: the image is new there", project.file())];
    };
    let keys = before.keys().chain(image.definition.keys().filter(|key| !before.contains_key(*key)));
    let changed = keys.filter(|key| before.get(*key) != image.definition.get(*key));
    let value = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
    changed.map(|key| format!("{key}: {} → {}", value(before.get(key)), value(image.definition.get(key)))).collect()
}

/// Which of the image's files differ; of a lock, which packages.
fn of_files(project: &Project, facts: &Facts, difference: &Difference, read: &Changes, image: &Image) -> Vec<String> {
    let Difference { changes, untracked, texts } = difference;
    let shown = |path: &Path| path.strip_prefix(&image.folder).unwrap_or(path).display().to_string();
    let is_compose = |path: &Path| path == Path::new(project.file());
    let mut reasons = Vec::new();
    for Change { path, before, .. } in
        changes.iter().filter(|it| !is_compose(&it.path) && read.goes_in(image, &it.path))
    {
        let moved = match texts.get(before) {
            Some(before) if path.ends_with(LOCK) => moved(path, before, &facts.files),
            _ => Vec::new(),
        };
        let how = if before.bytes().all(|byte| byte == b'0') {
            "is new"
        } else if is_gone(facts, image, path) {
            "is gone"
        } else {
            "has changed"
        };
        reasons.extend(moved.iter().map(|moved| format!("{}: {}", shown(path), told(moved))));
        if moved.is_empty() {
            reasons.push(format!("{} {how}", shown(path)));
        }
    }
    let untracked = untracked.iter().filter(|path| read.goes_in(image, path));
    reasons.extend(untracked.map(|path| format!("{} is not tracked by git", shown(path))));
    reasons
}

/// The packages that moved; none where one of the two is no lock that can be read, which is for `check` to report.
fn moved(path: &Path, before: &str, files: &Files) -> Vec<Move> {
    let after = files.text(path).ok().flatten().and_then(|text| Lockfile::parse(path, text).ok());
    let before = Lockfile::parse(path, before).ok();
    before.zip(after).map(|(before, after)| moves(&before, &after)).unwrap_or_default()
}

fn is_gone(facts: &Facts, image: &Image, path: &Path) -> bool {
    let Some(Ok(Sources { context, ignore, .. })) = facts.contexts.get(&image.name) else { return false };
    let Ok(path) = path.strip_prefix(&image.folder) else { return false };
    // What the context leaves out, such as its .dockerignore, isn't among its files anyway.
    path.to_str().is_some_and(|path| ignore.admits(path)) && !context.contains_key(path)
}

fn told(Move { package, before, after }: &Move) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{package} {before} → {after}"),
        (None, Some(after)) => format!("{package} {after} is new"),
        (Some(before), None) => format!("{package} {before} is gone"),
        (None, None) => package.to_string(),
    }
}
