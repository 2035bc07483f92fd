//! Puts what was resolved in its place, all of it or nothing.
//!
//! Files of several folders can't be replaced in one go, so a run that is killed between two of them would leave some
//! images at the new versions and the rest at the old. Therefore it first writes down, in one file, which files it is
//! about to replace (the journal); then come the renames, one after the other, with nothing in between that could fail;
//! then the journal is removed. Killed before the journal is there, a run has changed nothing. Killed after, all that is
//! missing lies whole in the folders that poetry worked in, and the next `lock` of any of these images first puts it in
//! place. It has claimed that image, so the run that wrote the journal has ended.

use super::{LOCK, Locked, PYPROJECT, couple::Coupling, staging, steps::base_lock};
use plan::{Action, Compute, Facts, Plan, Report, Step};
use project::{ImageName, Project, error::Fault};
use std::path::{Path, PathBuf};

/// Between the paths in a journal, which is one line, as every line of a dry run is one command.
const SEPARATOR: &str = ":";

/// The journal of a run, by the first image that it locks. No other run can have the same: it claims its images.
pub fn journal(first: &ImageName) -> PathBuf {
    Path::new("target/lock").join(first.as_str())
}

/// After the step `resolved`: the steps that replace the files. The answer is the last step.
pub fn steps(facts: &Facts, images: &[Locked], resolved: usize, plan: &mut Plan) -> usize {
    let couplings: Vec<Coupling> = images.iter().filter_map(|locked| coupling(facts, images, locked)).collect();
    let files = |locked: &Locked| {
        let pyproject = locked.base.map(|_| PYPROJECT);
        let folder = locked.image.folder.clone();
        [LOCK].into_iter().chain(pyproject).map(move |file| folder.join(file)).collect::<Vec<_>>()
    };
    let replaced: Vec<PathBuf> = images.iter().flat_map(files).collect();
    let pairs = images.iter().flat_map(|locked| {
        let staging = staging(locked.image);
        files(locked).into_iter().map(move |to| (staging.join(to.file_name().unwrap_or_default()), to))
    });
    let pairs: Vec<_> = pairs.map(|(from, to)| (facts.shown(from), facts.shown(to))).collect();
    let clean: Vec<Action> = images.iter().map(|locked| Action::Remove(facts.shown(staging(locked.image)))).collect();
    let journal = images.first().map(|locked| facts.shown(journal(&locked.image.name)));
    let journal = journal.filter(|_| replaced.len() > 1);
    // What fails here has put everything back: then there is nothing to finish.
    let give_up = || journal.clone().map(Action::Remove).into_iter().chain(clean.clone());
    let mut last = resolved;
    let mut then = |title: &str, action: Action| {
        last = plan.push(Step::new(title, action).after([last]).cleanup(give_up()));
    };
    if !couplings.is_empty() {
        then("keep what was edited meanwhile", Action::Compute(pinned(couplings)));
    }
    if let Some(journal) = &journal {
        let text = replaced.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(SEPARATOR);
        then("write down which files are replaced", Action::Write { to: journal.clone(), text });
    }
    then("put the files in their places", Action::Replace(pairs));
    if let Some(journal) = &journal {
        then("note that all are in their places", Action::Remove(journal.clone()));
    }
    for (locked, clean) in images.iter().zip(&clean) {
        let name = &locked.image.name;
        last = plan.push(Step::new(format!("clean up after {name}"), clean.clone()).image(name).after([last]));
    }
    last
}

/// The pins go into the pyproject.toml as it is by now, not over it: somebody may have edited it meanwhile.
fn coupling(facts: &Facts, images: &[Locked], locked: &Locked) -> Option<Coupling> {
    let base = base_lock(facts, images, locked)?;
    let from = facts.shown(locked.image.folder.join(PYPROJECT));
    let to = facts.shown(staging(locked.image).join(PYPROJECT));
    Some(Coupling { title: format!("couple {}", locked.image.name), base, from, to })
}

fn pinned(couplings: Vec<Coupling>) -> Compute {
    let path = |path: &Path| plan::quote(&path.display().to_string()).into_owned();
    let shown = couplings.iter().map(|couple| {
        let (base, from, to) = (path(&couple.base), path(&couple.from), path(&couple.to));
        format!("cp {from} {to} && cargo xtask couple {base} {to}")
    });
    let shown = shown.collect::<Vec<_>>().join(" && ");
    let sources: Vec<_> = couplings.iter().flat_map(Coupling::sources).collect();
    Compute::new(shown, sources, move |inputs| {
        let written = couplings.iter().zip(inputs.read.chunks(2));
        let written = written.map(|(couple, read)| couple.write(read.first(), read.get(1)));
        let writes: Result<Vec<_>, Fault> = written.collect();
        writes.map(|writes| Report { writes: writes.into_iter().flatten().collect(), ..Report::default() }).into()
    })
}

/// Puts in place what a run that was killed has left, where it locked one of these images.
pub fn finish(facts: &Facts, project: &Project, images: &[Locked], plan: &mut Plan) {
    for image in project.family() {
        let journal = journal(&image.name);
        let Ok(Some(text)) = facts.files.text(&journal) else { continue };
        let replaced: Vec<&Path> = text.trim().split(SEPARATOR).map(Path::new).collect();
        let folders: Vec<&Path> = replaced.iter().filter_map(|path| path.parent()).collect();
        if !images.iter().any(|locked| folders.contains(&locked.image.folder.as_path())) {
            continue;
        }
        let left = project.family().filter(|image| folders.contains(&image.folder.as_path())).flat_map(|image| {
            let files = [LOCK, PYPROJECT].map(|file| (staging(image).join(file), image.folder.join(file)));
            files.into_iter().filter(|(from, to)| replaced.contains(&to.as_path()) && facts.files.has(from))
        });
        let left: Vec<_> = left.map(|(from, to)| (facts.shown(from), facts.shown(to))).collect();
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|(_, to)| to.display().to_string()).collect();
            plan.note(format!("a lock that was cut off is finished first: {}", names.join(", ")));
            plan.then(Step::new("finish what was cut off", Action::Replace(left)));
        }
        plan.then(Step::new("note that it is finished", Action::Remove(facts.shown(&journal))));
        for image in project.family().filter(|image| folders.contains(&image.folder.as_path())) {
            let clean = Action::Remove(facts.shown(staging(image)));
            plan.then(Step::new(format!("clean up after {}", image.name), clean).image(&image.name));
        }
    }
}
