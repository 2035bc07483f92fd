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
    identity::fingerprints(project, names, &facts.contexts, |reference| digest(engine, reference))
}

/// The digest that a registry gave the image, else its id.
fn digest(engine: &Engine, reference: &ImageRef) -> Option<String> {
    let found = engine.find(reference)?;
    // Several registries may have it: the same one, whatever the order.
    Some(found.digests.iter().min().unwrap_or(&found.id).clone())
}
