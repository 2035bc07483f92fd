//! `lock`: which versions an image's Python dependencies resolve to, under those of its base.
//!
//! It is all or nothing: poetry works beside the files, and they are replaced when every image is resolved.

mod choose;
mod couple;
mod generated;
mod judge;
mod moves;
mod place;
mod requirements;
mod steps;

use crate::{
    Verb,
    flags::{self, Globals},
    setup::{DEFAULT_INDEX, POETRY_MADE},
};
use choose::Locked;
use plan::{Action, Facts, Needs, Plan, Step};
use project::{
    Image, Project,
    error::{Cause, Fault},
    files::Wanted,
};
use std::path::PathBuf;

const PYPROJECT: &str = "pyproject.toml";
const LOCK: &str = "poetry.lock";
/// Poetry's settings for one project.
const SETTINGS: &str = "poetry.toml";

/// The folder that poetry works in. It is beside the image's, so that a relative path that leads out of that leads to the
/// same file; what is in the image's folder is copied.
fn staging(image: &Image) -> PathBuf {
    image.folder.with_file_name(format!(".lock-{}", image.name))
}

impl Verb for flags::Lock {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let named = self.images.of(project)?;
        // Which images follow is read from files, and files are read when the images are claimed.
        let all = || project.family().map(|image| image.name.clone()).collect();
        let mut files = Wanted::files([DEFAULT_INDEX, POETRY_MADE]);
        for image in project.family() {
            files.files.extend([PYPROJECT, LOCK, SETTINGS].map(|file| image.folder.join(file)));
            files.files.extend([PYPROJECT, LOCK].map(|file| staging(image).join(file)));
            files.files.push(place::journal(&image.name));
        }
        files.extend(generated::wanted(project));
        Ok(Needs {
            claims: if self.with_dependents { all() } else { named },
            look_for: vec!["docker".to_owned(), "poetry".to_owned()],
            files,
            ..Needs::default()
        })
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let chosen = choose::images(self, project, facts)?;
        let mut plan = Plan { summary: chosen.images.len() > 1, notes: chosen.notes.clone(), ..Plan::default() };
        if chosen.images.is_empty() {
            return Ok(plan);
        }
        if !globals.dry_run && !facts.is_there("poetry") && !facts.is_there("docker") {
            let what = "lock: poetry is not installed, and docker, which could run it, neither";
            return Err(Fault::new(Cause::Unavailable, what).help("install them: `cargo xtask setup`"));
        }
        if self.check {
            steps::check(project, facts, &chosen.images, &mut plan)?;
            return Ok(plan);
        }
        writable(facts, &chosen.images)?;
        place::finish(facts, project, &chosen.images, &mut plan);
        let resolved = steps::resolve(project, facts, &chosen.images, &mut plan)?;
        let placed = place::steps(facts, &chosen.images, resolved, &mut plan);
        let report =
            moves::report(project, facts, &chosen, if globals.json { moves::Format::Json } else { self.format() });
        plan.push(Step::new("say what changed", Action::Compute(report)).after([placed]));
        Ok(plan)
    }
}

impl flags::Lock {
    fn format(&self) -> moves::Format {
        if self.markdown { moves::Format::Markdown } else { moves::Format::Text }
    }
}

/// A file that somebody made read-only is left alone: putting another in its place would need no right to write it.
fn writable(facts: &Facts, images: &[Locked]) -> Result<(), Fault> {
    for file in images.iter().flat_map(|locked| [PYPROJECT, LOCK].map(|file| locked.image.folder.join(file))) {
        if facts.files.file(&file).is_ok_and(|found| found.is_some_and(|found| found.read_only)) {
            return Err(Fault::project(format!("lock: {} is read-only", file.display()))
                .help(format!("chmod u+w {}", facts.argument(&file))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
