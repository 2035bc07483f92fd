//! Several images in one process, which takes a fraction of the time of one process each: buildx reads the compose file, and
//! a definition of ours that says what `build`'s own variables are for each image. (The format:
//! docs.docker.com/build/bake/reference.) A base is built before, and found in the engine as ever: linked into one build
//! with its children, its steps bear their names, and their cache is of no use to a build of a child alone.

use crate::common::shared::{self, Shared};
use plan::{Action, EnvValue, Facts, Invocation, Plan, Step};
use project::{Image, ImageName, Project, error::Fault};
use serde_json::{Map, json};
use std::path::PathBuf;

/// An image as it is built.
pub struct Target<'a> {
    pub image: &'a Image,
    /// The variables that its labels are made of.
    pub labels: Vec<(String, EnvValue)>,
    pub uses_cache: bool,
}

/// Adds a step that writes the definition, where there is more than one image to build, or the build cache is kept in a
/// registry; gives that step, and the command to which the names of images are added.
///
/// # Errors
/// As `definition`.
pub fn plan(
    project: &Project,
    facts: &Facts,
    targets: &[Target],
    plan: &mut Plan,
) -> Result<Option<(usize, Invocation)>, Fault> {
    // buildx reads `.env`, but doesn't know of compose's own variables for other files.
    let other_files = ["COMPOSE_ENV_FILES", "COMPOSE_DISABLE_ENV_FILE"];
    let reads_others =
        other_files.iter().any(|name| project.vars.process.get(*name).is_some_and(|value| !value.is_empty()));
    let first = targets.iter().find(|target| !target.image.helper).or(targets.first());
    let is_worth_it = targets.len() > 1 || facts.exports_cache;
    let Some(first) = first.filter(|_| is_worth_it && !reads_others) else { return Ok(None) };
    let place = place(&first.image.name);
    let write = Action::Write { to: facts.shown(&place), text: definition(project, facts, targets, &plan.exports)? };
    let write = plan.push(Step::new("write what each image is built with", write));
    Ok(Some((write, facts.compose(project).bake(project.file(), &place.display().to_string()))))
}

/// Where the definition is, below the root: a name that no other run has, for a run claims the images that it builds.
/// (Helpers are not claimed.)
fn place(first: &ImageName) -> PathBuf {
    ["target", "build", &format!("{first}.json")].iter().collect()
}

/// The definition. `exports` are the variables that all of them get.
///
/// # Errors
/// A template that compose would refuse, too.
fn definition(
    project: &Project,
    facts: &Facts,
    targets: &[Target],
    exports: &[(String, EnvValue)],
) -> Result<String, Fault> {
    let mut definitions = Map::new();
    for target in targets {
        let image = target.image;
        let mut definition = json!({});
        // As compose labels what it builds: an image is the same, whoever built it.
        if let Some(version) = facts.compose_version.as_deref().map(without_package) {
            definition["labels"] = json!({
                "com.docker.compose.project": project.compose_name,
                "com.docker.compose.service": image.name.as_str(),
                "com.docker.compose.version": version,
            });
        }
        let mut vars = project.vars.clone();
        let text = |value: &EnvValue| if let EnvValue::Text(text) = value { Some(text.clone()) } else { None };
        vars.flags.extend(
            exports.iter().chain(&target.labels).filter_map(|(name, value)| Some((name.clone(), text(value)?))),
        );
        for (path, template) in &image.templates {
            let value = vars
                .interpolate(template)
                .map_err(|error| Fault::project(format!("{}: {path}: {error}", image.name)))?;
            let (key, name) = path.split_once('.').unwrap_or((path, ""));
            definition[key][name] = value.into();
        }
        let layers = Shared::of(project).filter(|_| facts.exports_cache).and_then(|shared| shared.layers(&image.name));
        if let Some(layers) = layers {
            definition["cache-from"] = json!([format!("type=registry,ref={layers}")]);
            if shared::may_leave(project, facts, image, &layers) {
                // All stages' layers; what can't be kept fails nothing.
                definition["cache-to"] = json!([format!("type=registry,ref={layers},mode=max,ignore-error=true")]);
            }
        }
        if !target.uses_cache {
            definition["no-cache"] = true.into();
        }
        definitions.insert(image.name.to_string(), definition);
    }
    Ok(format!("{:#}\n", json!({"target": definitions})))
}

/// Of compose's version, what it puts into the label: Debian's `2.26.1-4` is 2.26.1.
fn without_package(version: &str) -> &str {
    version.trim().trim_start_matches('v').split(['-', '+']).next().unwrap_or_default()
}
