//! The name of a Python package.

use std::{borrow::Borrow, fmt};

/// A package's name as PEP 503 normalises it, once, when it is made: `Foo_Bar` and `foo-bar` are one package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

impl PackageName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PackageName {
    fn from(name: &str) -> PackageName {
        let mut normalised = String::with_capacity(name.len());
        for c in name.chars() {
            match c {
                '-' | '_' | '.' if normalised.ends_with('-') => {}
                '-' | '_' | '.' => normalised.push('-'),
                other => normalised.extend(other.to_lowercase()),
            }
        }
        PackageName(normalised)
    }
}

/// A map of names can be asked by text that is normalised already.
impl Borrow<str> for PackageName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for name in ["Foo_Bar.-baz", "foo-bar-baz", "FOO.bar__baz"] {
            assert_eq!(PackageName::from(name).as_str(), "foo-bar-baz");
        }
    }
}
