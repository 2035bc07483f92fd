//! What several verbs share.

pub mod dependabot;
pub mod graph;
pub mod identity;
pub mod local;
pub mod provenance;
pub mod readme;
pub mod reasons;
pub mod registry;
pub mod rerun;
pub mod revision;
pub mod shared;
pub mod table;
pub mod trust;

use crate::flags::Globals;
use plan::Invocation;
use project::{Environment, ImageName, Project, error::Fault, vars::Vars};
use std::collections::BTreeSet;

/// A variable that only we read: its flag, else the environment, else `.env`; empty counts as unset, as in compose.
pub fn own_variable(project: &Project, flag: Option<&String>, name: &str) -> Option<String> {
    let value = flag.cloned().or_else(|| project.vars.get(name).map(str::to_owned));
    value.filter(|value| !value.is_empty())
}

/// The one image that is meant.
///
/// # Errors
/// No image has the name, or several have.
pub fn one_image(verb: &str, image: &str, project: &Project) -> Result<ImageName, Fault> {
    let names = project.select(&[image.to_owned()], false)?;
    match names.as_slice() {
        [name] => Ok(name.clone()),
        _ => Err(Fault::usage(format!("{verb} {image}: one image at a time"))),
    }
}

/// Which compose file counts.
///
/// # Errors
/// ENVIRONMENT is neither dev nor ci.
pub fn environment(vars: &Vars, globals: &Globals) -> Result<Environment, Fault> {
    let flag = globals.variables.environment.as_deref();
    let value = flag.or_else(|| vars.get("ENVIRONMENT")).filter(|value| !value.is_empty());
    match value {
        None | Some("dev") => Ok(Environment::Dev),
        Some("ci") => Ok(Environment::Ci),
        Some(other) => Err(Fault::usage(format!("ENVIRONMENT: '{other}' is neither dev nor ci"))
            .help("give --environment dev or --environment ci, or unset it")),
    }
}

/// May layers that were built before be used?
///
/// # Errors
/// USE_DOCKER_CACHE is neither true nor false.
pub fn uses_cache(project: &Project, globals: &Globals) -> Result<bool, Fault> {
    let value = own_variable(project, globals.variables.use_docker_cache.as_ref(), "USE_DOCKER_CACHE");
    match value.map(|value| value.to_lowercase()).as_deref() {
        None | Some("true" | "1" | "yes" | "on") => Ok(true),
        Some("false" | "0" | "no" | "off") => Ok(false),
        Some(other) => Err(Fault::usage(format!("USE_DOCKER_CACHE: '{other}' is neither true nor false"))
            .help("give --use-docker-cache true or false, or unset it")),
    }
}

/// How long a question to the network may take, in seconds.
const PATIENCE: &str = "20";

/// A question that is given up after a while.
pub fn with_patience(run: Invocation) -> Invocation {
    let args = [PATIENCE.to_owned(), run.program].into_iter().chain(run.args).collect();
    Invocation { program: "timeout".to_owned(), args, ..run }
}

/// These images, as a verb takes them.
pub fn as_arguments(project: &Project, names: &[ImageName]) -> String {
    let family: BTreeSet<&ImageName> = project.family().map(|image| &image.name).collect();
    if family.len() > 1 && family == names.iter().collect() {
        return "--all".to_owned();
    }
    names.iter().map(ImageName::as_str).collect::<Vec<_>>().join(" ")
}

/// `a, b and c`.
pub fn enumerate<T: std::fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
