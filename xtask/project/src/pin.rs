//! Exact versions of packages, as an image's pyproject.toml pins them.

use crate::package::PackageName;
use std::collections::BTreeMap;

/// The poetry group of the pins: optional, and never installed.
pub(crate) const GROUP: &str = "coupled";

/// The exact version of a package, and when it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub version: String,
    pub markers: Option<String>,
}

/// Several pins of a package are for different markers.
pub type Pins = BTreeMap<PackageName, Vec<Pin>>;
