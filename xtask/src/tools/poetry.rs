//! poetry.

use crate::plan::{EnvValue, Invocation};
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
}

/// The variable that `poetry-plugin-pypi-mirror` reads.
pub const MIRROR: &str = "POETRY_PYPI_MIRROR_URL";

impl Index {
    pub fn apply(&self, run: Invocation) -> Invocation {
        match self {
            Index::Default => run,
            Index::FromPip => run.env(MIRROR, EnvValue::FromVariable("PIP_INDEX_URL".to_owned())),
            Index::FromFile(path) => run.env(MIRROR, EnvValue::FromFile(path.clone())),
        }
    }
}

/// What `poetry` is asked for: resolve anew, or only compare.
pub fn lock(directory: &str) -> Vec<String> {
    ["lock", "--no-interaction", "--no-ansi", "--directory", directory].map(str::to_owned).to_vec()
}

pub fn check(directory: &str) -> Vec<String> {
    ["check", "--lock", "--no-interaction", "--no-ansi", "--directory", directory].map(str::to_owned).to_vec()
}
