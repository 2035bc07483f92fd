//! The one error type with a meaning for the caller: what failed, why, the command that helps, and the exit code.

use std::{fmt, io, path::Path};

/// Why a run ended, and with it the exit code (the README's table). Codes of our own follow sysexits.h, so that they
/// don't collide with those of a suite or a tool, which are passed on as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// What was asked for doesn't exist or isn't valid: 2, as clap's own.
    Usage,
    /// A file of the repository is wrong: 65 (EX_DATAERR).
    Project,
    /// A tool, the engine, a registry or an index is missing or can't be reached: 69 (EX_UNAVAILABLE).
    Unavailable,
    /// The xtask itself is at fault: 70 (EX_SOFTWARE).
    Internal,
    /// A file can't be read or written: 74 (EX_IOERR).
    Io,
    /// Another run works on the same image, or has built it again meanwhile: 75 (EX_TEMPFAIL).
    Busy,
    /// Not allowed: credentials missing or refused, or one of deploy's guards: 77 (EX_NOPERM).
    Refused,
    /// SIGINT, SIGTERM or SIGHUP arrived: 130.
    Interrupted,
    /// A tool or a suite ended with this code. What it said last is kept for whoever explains the failure.
    Tool { code: u8, said: String },
}

impl Cause {
    pub fn exit_code(&self) -> u8 {
        match self {
            Cause::Usage => 2,
            Cause::Project => 65,
            Cause::Unavailable => 69,
            Cause::Internal => 70,
            Cause::Io => 74,
            Cause::Busy => 75,
            Cause::Refused => 77,
            Cause::Interrupted => 130,
            Cause::Tool { code, .. } => *code,
        }
    }
}

/// An error with its cause and, where there is one, the command that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub cause: Cause,
    pub what: String,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(cause: Cause, what: impl Into<String>) -> Fault {
        Fault { cause, what: what.into(), help: None }
    }

    /// Several at once, one a line: they are read and repaired one by one.
    pub fn of_several(cause: Cause, what: &str, each: &[String]) -> Fault {
        match each {
            [one] => Fault::new(cause, format!("{what}: {one}")),
            _ => Fault::new(cause, format!("{what}:\n  {}", each.join("\n  "))),
        }
    }

    pub fn usage(what: impl Into<String>) -> Fault {
        Fault::new(Cause::Usage, what)
    }

    pub fn project(what: impl Into<String>) -> Fault {
        Fault::new(Cause::Project, what)
    }

    /// An error of the file system: `doing` says what was attempted on `path`.
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Fault {
        Fault::new(Cause::Io, format!("{doing} {}: {error}", path.display()))
    }

    pub fn help(self, help: impl Into<String>) -> Fault {
        Fault { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}
