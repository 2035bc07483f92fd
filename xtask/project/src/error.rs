//! The one error type with a meaning for the caller: what failed, the command that helps, and the exit code.

use std::fmt;

/// Why a run ended, and with it the exit code (the README's table; codes of our own follow sysexits.h, so that they
/// don't collide with those of a suite or a tool, which are passed on as they are).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for doesn't exist or isn't valid: 2, as clap's own.
    Usage,
    /// A file of the repository is wrong: 65 (EX_DATAERR).
    Project,
    /// A tool, the engine, a registry or an index is missing or can't be reached: 69 (EX_UNAVAILABLE).
    Unavailable,
    /// Another run works on the same image, or has built it anew meanwhile: 75 (EX_TEMPFAIL).
    Busy,
    /// Not allowed: credentials missing or refused, or one of deploy's guards: 77 (EX_NOPERM).
    Refused,
    /// SIGINT, SIGTERM or SIGHUP arrived: 130.
    Interrupted,
    /// A tool or a suite ended with this code.
    Child(u8),
}

impl Kind {
    pub fn code(self) -> u8 {
        match self {
            Kind::Usage => 2,
            Kind::Project => 65,
            Kind::Unavailable => 69,
            Kind::Busy => 75,
            Kind::Refused => 77,
            Kind::Interrupted => 130,
            Kind::Child(code) => code,
        }
    }
}

/// An error with its exit code and, where there is one, the command that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub what: String,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(kind: Kind, what: impl Into<String>) -> Fault {
        Fault { kind, what: what.into(), help: None }
    }

    pub fn usage(what: impl Into<String>) -> Fault {
        Fault::new(Kind::Usage, what)
    }

    pub fn project(what: impl Into<String>) -> Fault {
        Fault::new(Kind::Project, what)
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
