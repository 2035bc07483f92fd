//! What each verb does: a file or folder a verb, flags in [`flags`], what several share in [`common`].
//!
//! A verb is pure: it says what it needs to know, and makes a plan of that. Its clippy.toml forbids everything else.

pub mod build;
pub mod check;
pub mod ci;
pub mod common;
pub mod completions;
pub mod deploy;
pub mod doctor;
pub mod explain;
pub mod fingerprint;
pub mod flags;
pub mod graph;
pub mod list;
pub mod lock;
pub mod login;
pub mod logs;
pub mod matrix;
pub mod pins;
pub mod report;
pub mod setup;
pub mod shell;
pub mod start;
pub mod stop;
#[cfg(test)]
mod testing;
pub mod validate;

use flags::{Command, Globals};
use plan::{Facts, Needs, Plan};
use project::{Project, error::Fault};

/// A verb with its flags.
pub trait Verb {
    /// What has to be known before planning; read after the images in `claims` were claimed.
    ///
    /// # Errors
    /// Flags that make no sense for this project.
    fn needs(&self, project: &Project, globals: &Globals) -> Result<Needs, Fault>;

    /// What else has to be known, by the first facts: what takes time is asked only where it matters. A dry run asks
    /// nothing, so neither this.
    ///
    /// # Errors
    /// As [`Verb::plan`].
    fn more_needs(&self, _project: &Project, _facts: &Facts, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs::default())
    }

    /// What will be done.
    ///
    /// # Errors
    /// What must not be done, or can't be.
    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault>;
}

/// The verb of a command; none for what is not planned (completions).
pub fn verb(command: &Command) -> Option<&dyn Verb> {
    match command {
        Command::Build(verb) => Some(verb),
        Command::Check(verb) => Some(verb),
        Command::Ci(verb) => Some(verb),
        Command::Couple(verb) => Some(verb),
        Command::Deploy(verb) => Some(verb),
        Command::Doctor(verb) => Some(verb),
        Command::Explain(verb) => Some(verb),
        Command::Fingerprint(verb) => Some(verb),
        Command::Graph(verb) => Some(verb),
        Command::List(verb) => Some(verb),
        Command::Lock(verb) => Some(verb),
        Command::Login(verb) => Some(verb),
        Command::Logs(verb) => Some(verb),
        Command::Matrix(verb) => Some(verb),
        Command::Pins(verb) => Some(verb),
        Command::Report(verb) => Some(verb),
        Command::Setup(verb) => Some(verb),
        Command::Shell(verb) => Some(verb),
        Command::Start(verb) => Some(verb),
        Command::Stop(verb) => Some(verb),
        Command::Validate(verb) => Some(verb),
        _ => None,
    }
}
