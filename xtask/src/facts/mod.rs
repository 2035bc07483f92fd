//! Reads the world, once, before planning: everything that a verb said it needs, and nothing else.

mod contexts;
mod docker;
mod git;
pub mod machine;
mod place;

pub use place::Place;

use crate::claims::{self, Claims};
use exec::Executor;
use plan::{
    Facts, Needs,
    facts::{Engine, Git, Machine},
    steering,
};
use project::{Environment, ImageName, Project, error::Fault, files::Files};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};
use verbs::common::revision;

/// The facts, and the claims on images that hold as long as these live.
///
/// # Errors
/// Another run works on one of the images; a tool, the engine or compose is missing.
pub fn read(
    place: &Place,
    project: &Project,
    needs: &Needs,
    verb: &str,
    exec: &Executor,
    dry_run: bool,
) -> Result<(Facts, Claims), Fault> {
    let programs = place.programs(needs.programs.iter().copied().chain(needs.look_for.iter().map(String::as_str)));
    let (mut claimed, mut compose_version) = (Claims::default(), None);
    if !dry_run {
        if needs.docker || !needs.engine.is_empty() {
            steering::check(&project.vars)?;
        }
        compose_version = docker::require(exec, needs, &project.vars, &programs)?;
        claimed = claims::claim(&place.root, verb, &needs.claims)?;
    }
    let mut wanted = needs.files.clone();
    wanted.files.extend([Environment::Dev, Environment::Ci].map(|environment| environment.file().into()));
    let mut facts = Facts {
        root: place.root.clone(),
        root_from_here: place.root_from_here.clone(),
        process: std::process::id(),
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        now: SystemTime::now(),
        width: exec.width(),
        ca_bundle: Place::ca_bundle(&project.vars),
        compose_version,
        files: Files::read(&place.root, &wanted),
        contexts: contexts::read(project, &needs.contexts),
        suites: contexts::suites(project, &needs.suites),
        programs,
        engine: Engine::NotAsked,
        exports_cache: false,
        registry: BTreeMap::new(),
        git: Git::NotAsked,
        workspace_owner: if needs.workspace { place.workspace_owner(&project.vars) } else { None },
        difference: None,
        machine: if needs.machine { machine::read() } else { Machine::default() },
    };
    if !dry_run {
        ask(project, needs, exec, &mut facts);
    }
    Ok((facts, claimed))
}

/// The images that are made of other inputs than in a commit.
///
/// # Errors
/// git can't be asked, or doesn't know the commit.
pub fn changed(
    place: &Place,
    project: &Project,
    exec: &Executor,
    reference: &str,
) -> Result<BTreeSet<ImageName>, Fault> {
    let shown = |path: &std::path::Path| match place.root_from_here.as_os_str() == "." {
        true => path.to_owned(),
        false => place.root_from_here.join(path),
    };
    let difference = git::difference(exec, project, reference, shown)?;
    let names: Vec<ImageName> = project.images.iter().map(|image| image.name.clone()).collect();
    revision::changed(project, &contexts::read(project, &names), &difference)
}

/// Adds what else a verb needs now that it has its first facts.
///
/// # Errors
/// A tool, the engine or compose is missing.
pub fn add(project: &Project, needs: &Needs, exec: &Executor, facts: &mut Facts) -> Result<(), Fault> {
    let compose_version = docker::require(exec, needs, &project.vars, &facts.programs)?;
    facts.compose_version = compose_version.or(facts.compose_version.take());
    facts.contexts.extend(contexts::read(project, &needs.contexts));
    ask(project, needs, exec, facts);
    Ok(())
}

/// Asks the engine, the registry and git side by side: each takes a while to answer.
fn ask(project: &Project, needs: &Needs, exec: &Executor, facts: &mut Facts) {
    let (mut git, known) = (None, &*facts);
    let (engine, registry) = std::thread::scope(|scope| {
        let engine = (!needs.engine.is_empty()).then(|| scope.spawn(|| docker::engine(exec, &needs.engine)));
        let registry = (!needs.registry.is_empty()).then(|| scope.spawn(|| docker::published(exec, &needs.registry)));
        if needs.git {
            git = Some(git::read(exec, project, |path| known.shown(path)));
        }
        (engine.and_then(|engine| engine.join().ok()), registry.and_then(|registry| registry.join().ok()))
    });
    facts.exports_cache |= needs.cache_exports && docker::exports_cache(exec);
    if let Some(reference) = &needs.since {
        facts.difference = Some(git::difference(exec, project, reference, |path| facts.shown(path)));
    }
    facts.git = git.unwrap_or(std::mem::take(&mut facts.git));
    facts.engine = engine.unwrap_or(std::mem::take(&mut facts.engine));
    facts.registry.extend(registry.unwrap_or_default());
}
