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
};
use project::{Environment, Project, error::Fault, files::Files};
use std::{collections::BTreeMap, time::SystemTime};

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
    let mut claimed = Claims::default();
    if !dry_run {
        docker::require(exec, needs, &project.vars, &programs)?;
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
        ca_bundle: Place::ca_bundle(&project.vars),
        files: Files::read(&place.root, &wanted),
        contexts: contexts::read(project, &needs.contexts),
        programs,
        engine: Engine::NotAsked,
        registry: BTreeMap::new(),
        git: Git::NotAsked,
        machine: if needs.machine { machine::read() } else { Machine::default() },
    };
    if dry_run {
        return Ok((facts, claimed));
    }
    // Each takes a while to answer.
    std::thread::scope(|scope| {
        let engine = (!needs.engine.is_empty()).then(|| scope.spawn(|| docker::engine(exec, &needs.engine)));
        let registry = (!needs.registry.is_empty()).then(|| scope.spawn(|| docker::published(exec, &needs.registry)));
        if needs.git {
            facts.git = git::read(exec);
        }
        facts.engine = engine.and_then(|engine| engine.join().ok()).unwrap_or_default();
        facts.registry = registry.and_then(|registry| registry.join().ok()).unwrap_or_default();
    });
    Ok((facts, claimed))
}
