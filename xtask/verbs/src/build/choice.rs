//! Which images have to be built: those that the engine doesn't have as they would be built now.

use super::Named;
use crate::common::{
    identity::{Fingerprints, fingerprints},
    local::is_current,
    shared::{self, Shared},
};
use identity::Hash;
use plan::{Facts, facts::Engine};
use project::{Image, ImageName, ImageRef, Project, error::Fault};
use std::collections::HashSet;

/// What is built, bases first, and which of the named images are left alone.
#[derive(Default)]
pub struct Choice<'a> {
    pub builds: Vec<Build<'a>>,
    pub kept: Vec<&'a ImageName>,
    /// Of all of them, where they are known.
    pub fingerprints: Fingerprints,
}

pub struct Build<'a> {
    pub image: &'a Image,
    /// None where it is built on something that doesn't say what it is made of.
    pub fingerprint: Option<Hash>,
    /// Where it is kept, if it is: it is brought from there, and what it is built on isn't needed.
    pub kept_at: Option<ImageRef>,
}

/// # Errors
/// A context that can't be read, bases that go round in a circle, or an engine that doesn't answer.
pub fn choose<'a>(
    project: &'a Project,
    facts: &Facts,
    wanted: &[ImageName],
    named: Named,
    cache: bool,
) -> Result<Choice<'a>, Fault> {
    facts.engine.answered("build")?;
    if facts.engine == Engine::NotAsked {
        return Ok(Choice::default());
    }
    let images = project.with_bases(wanted)?;
    project.check_stages(&images, &facts.files)?;
    let known = fingerprints(project, facts, &facts.engine, wanted)?;
    let wanted: HashSet<&ImageName> = wanted.iter().collect();
    let states: Vec<State> = images.iter().map(|image| State::of(project, &facts.engine, &known, image)).collect();
    let shared = Shared::of(project);
    let kept_at = |image: &Image| {
        let hash = known.get(&image.name)?.hash;
        // The engine may have this very image, on another build of its base: fetched, it would be no newer.
        let found = facts.engine.find(&image.reference);
        let is_here = found.and_then(|found| found.fingerprint()) == Some(&hash.to_string());
        shared.as_ref()?.image(&image.name, hash).filter(|reference| !is_here && shared::has(facts, reference))
    };
    let mut built: HashSet<&ImageName> = HashSet::new();
    let mut needed: HashSet<&ImageName> = HashSet::new();
    for (image, state) in images.iter().zip(&states).rev() {
        let is_named = wanted.contains(&image.name);
        let builds = match state {
            State::Missing => true,
            State::Current => is_named && named == Named::All && !cache,
            State::Outdated => !is_named || named == Named::All,
            // What plain compose built is used as a base, but a helper costs a second.
            State::Unknown => image.helper || is_named && named == Named::All,
        };
        if builds && (is_named || needed.contains(&image.name)) {
            built.insert(&image.name);
            if is_named && !cache || kept_at(image).is_none() {
                needed.extend(image.family_bases());
            }
        }
    }
    let mut choice = Choice::default();
    let mut identified: HashSet<&ImageName> = HashSet::new();
    for (image, state) in images.iter().zip(&states) {
        let is_built = built.contains(&image.name);
        let on_known = || image.family_bases().all(|base| identified.contains(base));
        let is_named = wanted.contains(&image.name);
        let kept_at = kept_at(image).filter(|_| is_built && (cache || !is_named));
        if *state == State::Current || kept_at.is_some() || is_built && on_known() {
            identified.insert(&image.name);
        }
        if is_built {
            let fingerprint = known.get(&image.name).map(|fingerprint| fingerprint.hash);
            let fingerprint = fingerprint.filter(|_| identified.contains(&image.name));
            choice.builds.push(Build { image, fingerprint, kept_at });
        } else if is_named {
            choice.kept.push(&image.name);
        }
    }
    choice.fingerprints = known;
    Ok(choice)
}

/// An image in the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It isn't there, or is there at another stage.
    Missing,
    /// It is just what a build would make now.
    Current,
    Outdated,
    /// It doesn't say what it was made of: plain compose built it.
    Unknown,
}

impl State {
    fn of(project: &Project, engine: &Engine, known: &Fingerprints, image: &Image) -> State {
        match engine.find(&image.reference) {
            None => State::Missing,
            Some(found) if !found.is_at(image.stage.as_deref()) => State::Missing,
            Some(found) if found.fingerprint().is_none() => State::Unknown,
            Some(_) if is_current(engine, project, known, image) => State::Current,
            Some(_) => State::Outdated,
        }
    }
}
