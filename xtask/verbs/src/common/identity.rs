//! Images by what they are made of.

use identity::Fingerprint;
use plan::{Facts, facts::Engine};
use project::{ImageName, ImageRef, Project, error::Fault};
use std::collections::BTreeMap;

pub type Fingerprints = BTreeMap<ImageName, Fingerprint>;

/// The fingerprints of these images and of all that they are built from, by their contexts and by what the engine has of
/// the images that they use.
///
/// # Errors
/// A context can't be read.
pub fn fingerprints(
    project: &Project,
    facts: &Facts,
    engine: &Engine,
    names: &[ImageName],
) -> Result<Fingerprints, Fault> {
    let digest = |reference: &ImageRef| {
        let found = engine.find(reference)?;
        Some(found.digest().map_or_else(|| found.content(), str::to_owned))
    };
    identity::fingerprints(project, names, &facts.contexts, digest)
}

/// The same, for what can be said without: none where a context can't be read.
pub fn known(project: &Project, facts: &Facts, engine: &Engine, names: &[ImageName]) -> Fingerprints {
    fingerprints(project, facts, engine, names).unwrap_or_default()
}

/// These images and all that they are built from, helpers included: whose contexts their fingerprints need.
///
/// # Errors
/// Bases that go round in a circle.
pub fn contexts(project: &Project, names: &[ImageName]) -> Result<Vec<ImageName>, Fault> {
    Ok(project.with_bases(names)?.into_iter().map(|image| image.name.clone()).collect())
}
