//! The command that a person is told to run next.

use plan::quote;
use project::{Environment, Project};

/// A command of ours with the variables that make it mean the images of this run: those that flags gave, and those that
/// `ci` sets, whose log's reader has not.
pub fn rerun(project: &Project, environment: Environment, command: &str) -> String {
    let mut given = project.vars.flags.clone();
    given.remove("CA_BUNDLE");
    given.extend(project.vars.get("IMAGE_TAG").map(|tag| ("IMAGE_TAG".to_owned(), tag.to_owned())));
    if environment != Environment::Dev {
        given.insert("ENVIRONMENT".to_owned(), environment.to_string());
    }
    given.retain(|_, value| !value.is_empty());
    let given: String = given.iter().map(|(name, value)| format!("{name}={} ", quote(value))).collect();
    given + command
}
