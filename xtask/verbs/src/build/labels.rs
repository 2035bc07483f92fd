//! What a build is told for the labels: the fingerprint, the commit, the base.

use crate::common::{
    provenance::{CREATED, REVISION},
    revision::Revision,
};
use plan::{EnvValue, Facts, Invocation, Plan, facts::Engine, tools::docker};
use project::{Environment, Image, ImageName, Origin, Project};
use std::collections::BTreeMap;

/// The command of ours that computes the image's fingerprint.
pub fn fingerprint(project: &Project, facts: &Facts, image: &Image) -> EnvValue {
    let mut command = Invocation::new("cargo", ["xtask", "fingerprint", image.name.as_str()]);
    let mut given = facts.compose(project).env;
    if project.environment != Environment::Dev && !project.vars.process.contains_key("ENVIRONMENT") {
        given.push(("ENVIRONMENT".to_owned(), project.environment.to_string()));
    }
    command.env = given.into_iter().map(|(name, value)| (name, EnvValue::Text(value))).collect();
    EnvValue::Printed(Box::new(command))
}

/// The variables that an image's labels are made of: what it is made of, the commit, and what it is built on. A base of
/// the family is named only: its fingerprint is a part of the image's own.
pub fn of(
    project: &Project,
    facts: &Facts,
    image: &Image,
    fingerprint: Option<EnvValue>,
    revision: Option<&Revision>,
) -> Vec<(String, EnvValue)> {
    let text = |text: &str| Some(EnvValue::Text(text.to_owned()));
    let mut labels = vec![("IMAGE_FINGERPRINT", fingerprint)];
    if !image.helper {
        let base = image.bases.iter().find(|base| project.standing_on(image).next() == Some(&base.reference));
        labels.push(("OCI_BASE_NAME", base.and_then(|base| text(&base.reference.to_string()))));
        let external = base.filter(|base| !matches!(base.origin, Origin::Family(_)));
        labels.push((
            "OCI_BASE_DIGEST",
            external.and_then(|base| match &facts.engine {
                Engine::NotAsked => Some(EnvValue::Printed(Box::new(docker::digest(&base.reference)))),
                engine => text(engine.find(&base.reference)?.digest()?),
            }),
        ));
        let of_commit = [(REVISION, revision.map(|it| &it.commit)), (CREATED, revision.map(|it| &it.time))];
        // The user's own values win.
        let of_commit = of_commit.into_iter().filter(|(name, _)| project.vars.get(name).is_none());
        labels.extend(of_commit.map(|(name, value)| (name, value.and_then(|value| text(value)))));
    }
    labels.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Says which images name a commit only because a shallow clone ends with it: in another clone they are other images.
pub fn note_cut(project: &Project, revisions: &BTreeMap<ImageName, Revision>, plan: &mut Plan) {
    let is_shown = |name: &ImageName| project.image(name).is_ok_and(|image| !image.helper);
    let cut = revisions.iter().filter(|(name, revision)| revision.is_cut && is_shown(name));
    let names: Vec<&str> = cut.map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() && project.vars.get(REVISION).is_none() {
        plan.note(format!(
            "the clone is shallow, so these name the oldest commit it has, not the last that changed them: {}; \
             `git fetch --unshallow` helps",
            names.join(", ")
        ));
    }
}
