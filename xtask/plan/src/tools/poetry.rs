//! poetry.

use crate::invocation::{EnvValue, Invocation};
use std::path::PathBuf;

/// Where Poetry looks packages up: through the simple index, which every mirror has, while its lock files name PyPI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Index {
    /// Poetry's own way to PyPI.
    Default,
    /// The index that pip is configured for, in the environment, perhaps with a credential.
    FromPip,
    /// The one in a file that `setup` wrote: pip's configuration, else pip's own default.
    FromFile(PathBuf),
    /// The one of pip's configuration, asked of this Python: it has a credential, which stays where it is.
    FromConfiguration(String),
}

/// The variable that `poetry-plugin-pypi-mirror` reads.
pub const MIRROR: &str = "POETRY_PYPI_MIRROR_URL";

impl Index {
    pub fn apply(&self, run: Invocation) -> Invocation {
        match self {
            Index::Default => run,
            Index::FromPip => run.env(MIRROR, EnvValue::FromVariable("PIP_INDEX_URL".to_owned())),
            Index::FromConfiguration(python) => {
                let ask = Invocation::new(python, ["-m", "pip", "config", "get", "global.index-url"]);
                run.env(MIRROR, EnvValue::Secret(Box::new(ask)))
            }
            Index::FromFile(path) => run.env(MIRROR, EnvValue::FromFile(path.clone())),
        }
    }
}

/// What poetry is asked to do with a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Resolve, keeping the locked versions that still fit.
    Lock,
    /// Resolve from scratch: the newest of everything that fits.
    Regenerate,
    /// The newest of these packages, and of what they need.
    Update(Vec<String>),
    /// Only compare.
    Check,
}

impl Task {
    pub fn args(&self, directory: &str) -> Vec<String> {
        let (verb, options): (&[&str], &[String]) = match self {
            Task::Lock => (&["lock"], &[]),
            Task::Regenerate => (&["lock", "--regenerate"], &[]),
            Task::Update(packages) => (&["update", "--lock"], packages),
            Task::Check => (&["check", "--lock"], &[]),
        };
        let common = ["--no-interaction", "--no-ansi", "--directory", directory];
        verb.iter().chain(&common).map(|word| (*word).to_owned()).chain(options.iter().cloned()).collect()
    }
}
