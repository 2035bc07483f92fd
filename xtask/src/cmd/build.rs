//! `build`: the images that were named, after their bases where those are missing.

use super::{Context, again, engine};
use crate::{
    exec::{Outcome, first_failure},
    flags,
    plan::{Action, EnvValue, Invocation, Plan, Step},
    tools::docker::{self, Compose},
};
use anyhow::Result;
use project::{ImageName, Project, files::Files};
use std::collections::{HashMap, HashSet};

/// Which images are built anew, rather than only where they are missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    Wanted,
    Nothing,
}

/// Bases first. A base is built where the engine hasn't got it at the same stage. A helper is always built: it has no
/// version of its own to go by, and an unchanged one costs a second.
///
/// # Errors
/// A cycle, a folder, Dockerfile or stage that isn't there.
pub fn plan(project: &Project, compose: &Compose, wanted: &[ImageName], anew: Anew, cache: bool) -> Result<Plan> {
    let mut plan = Plan { exports: provenance(project), ..Plan::default() };
    let mut index = HashMap::new();
    let named: HashSet<&ImageName> = wanted.iter().collect();
    let images = project.with_bases(wanted)?;
    project.check_stages(&images, &Files::read(&project.root, &Project::dockerfiles(images.iter().copied())))?;
    for image in images {
        let named = named.contains(&image.name);
        let base = project.standing_on(image).next().filter(|_| !image.helper);
        let build = compose.build(&image.name, base, cache || image.helper && !named);
        let action = if image.helper || named && anew == Anew::Wanted {
            Action::Run(build)
        } else {
            Action::Unless(docker::is_present_at(&image.reference, image.stage.as_deref()), build)
        };
        let mut step = Step::new(format!("build {}", image.name), action).image(&image.name);
        step.after = image.family_bases().filter_map(|base| index.get(base)).copied().collect();
        step.interactive = true;
        index.insert(&image.name, plan.push(step));
    }
    plan.summary = plan.steps.len() > 1;
    Ok(plan)
}

/// What the images' labels say of the source; the user's own word wins.
fn provenance(project: &Project) -> Vec<(String, EnvValue)> {
    // As a web address, without the credentials that a clone's may hold.
    let source = r"git remote get-url origin | sed --quiet 's#^\(https\?://\)\([^@/]*@\)\?#\1#p; s#^git@\([^:]*\):#https://\1/#p; s#^ssh://\([^@/]*@\)\?#https://#p'";
    let git = |args: &[&str]| EnvValue::Printed(Box::new(Invocation::new("git", args.iter().copied())));
    [
        ("OCI_SOURCE", EnvValue::Printed(Box::new(Invocation::new("sh", ["-c", source])))),
        ("OCI_REVISION", git(&["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])),
        // The commit's time: an image that is built twice of one commit is one image.
        ("OCI_CREATED", git(&["log", "--max-count=1", "--format=%cI"])),
    ]
    .into_iter()
    .filter(|(name, _)| project.vars.get(name).is_none())
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The images that a plan works on. Helpers are left out: the engine itself sees to it that two builds of one are one.
pub fn claimed<'a>(project: &'a Project, plan: &'a Plan) -> impl Iterator<Item = &'a ImageName> {
    let images = plan.steps.iter().filter_map(|step| step.image.as_ref());
    images.filter(|name| project.image(name).is_ok_and(|image| !image.helper))
}

pub fn run(context: &Context, flags: &flags::Build) -> Result<()> {
    let project = context.project()?;
    let mut wanted = flags.images.of(&project)?;
    if flags.with_dependents {
        wanted = project.with_dependents(&wanted)?;
    }
    let cache = context.cache()?;
    let plan = plan(&project, &context.compose(&project), &wanted, Anew::Wanted, cache)?;
    if context.shows(&plan)? {
        return Ok(());
    }
    context.require(&[])?;
    let _claims = context.claim("build", claimed(&project, &plan))?;
    let outcomes = context.exec.run_all(&plan)?;
    let built = plan.steps.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Done);
    // It adds to the build's own result, and never takes its place.
    let _ = note_outdated(context, &project, built.filter_map(|(step, _)| step.image.as_ref()));
    first_failure(outcomes).map_or(Ok(()), |fault| Err(fault.into()))
}

/// Says what to build next, where a change stopped half-way through the family: at what stands on what was built, or
/// below it.
fn note_outdated<'a>(context: &Context, project: &Project, built: impl Iterator<Item = &'a ImageName>) -> Result<()> {
    let is_published = |name: &&ImageName| project.image(name).is_ok_and(|image| !image.helper);
    let built: Vec<ImageName> = built.filter(is_published).cloned().collect();
    let affected = project.with_dependents(&built)?;
    let outdated = engine::outdated(context, project, &affected)?;
    if outdated.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = outdated.iter().map(|(name, _)| name.as_str()).collect();
    let command = engine::rebuild(outdated.iter().map(|(_, outdated)| outdated));
    context.note(&format!("built on a base that has been built anew since: {}", names.join(", ")));
    context.note(&format!("to build these as well: {}", again(project, project.environment, &command)));
    Ok(())
}
