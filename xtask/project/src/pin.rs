//! Exact versions of packages, and where they come from, as an image's pyproject.toml pins them.

use crate::package::PackageName;
use std::{collections::BTreeMap, fmt};

/// The poetry group of the pins: optional, and never installed.
pub(crate) const GROUP: &str = "coupled";

/// The exact version of a package, and when it is installed.
#[derive(Debug, Clone)]
pub struct Pin {
    pub version: String,
    pub markers: Option<String>,
    /// Nothing for PyPI.
    pub source: Option<Source>,
}

/// Several pins of a package are for different markers.
pub type Pins = BTreeMap<PackageName, Vec<Pin>>;

/// Where a package comes from that isn't PyPI's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An index, by the name that a pyproject.toml gives it.
    Index {
        name: String,
        url: String,
    },
    Url(String),
    Git {
        url: String,
        revision: String,
        folder: Option<String>,
    },
    /// A file or a folder of the repository, relative to the lock.
    Path(String),
}

impl Source {
    /// Does it say by itself which version there is?
    fn is_one_version(&self) -> bool {
        !matches!(self, Source::Index { .. })
    }
}

/// A pin of a URL or of a revision is written without a version.
impl PartialEq for Pin {
    fn eq(&self, other: &Pin) -> bool {
        let same_version = self.version == other.version || self.source.as_ref().is_some_and(Source::is_one_version);
        same_version && self.markers == other.markers && self.source == other.source
    }
}

impl Eq for Pin {}

/// As people are told, without credentials.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Index { name, url } if url.is_empty() => write!(f, "the index {name}, which is not declared"),
            Source::Index { name, url } => write!(f, "the index {name} ({})", without_credentials(url)),
            Source::Url(url) => write!(f, "{}", without_credentials(url)),
            Source::Git { url, revision, .. } => write!(f, "{} at {revision}", without_credentials(url)),
            Source::Path(path) => write!(f, "the path {path}"),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.version.as_str()) {
            (None, version) => f.write_str(version),
            (Some(source), "") => write!(f, "{source}"),
            (Some(source), version) => write!(f, "{version} from {source}"),
        }
    }
}

/// A URL less the user and the password in it.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
    format!("{scheme}://{host}{}", &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credentials_are_told() {
        for (url, told) in [
            ("https://user:pass@r.io/x@y", "https://r.io/x@y"),
            ("https://token@r.io", "https://r.io"),
            ("https://r.io/x?a=b@c", "https://r.io/x?a=b@c"),
            ("git@r.io:x", "git@r.io:x"),
        ] {
            assert_eq!(Source::Url(url.to_owned()).to_string(), told);
        }
    }
}
