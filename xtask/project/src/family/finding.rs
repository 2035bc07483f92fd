//! What is found, and the command that mends it.

use crate::ImageName;
use std::fmt;

/// Something that breaks a rule: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
    /// The command that mends it, where there is one.
    pub repair: Option<Repair>,
}

/// A command that mends what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    Lock(ImageName),
    /// What is generated is written again.
    Write,
}

impl Finding {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding { place: place.into(), what: what.into(), repair: None }
    }

    pub fn repair(self, repair: Repair) -> Finding {
        Finding { repair: Some(repair), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: error: {}", self.place, self.what)?;
        match &self.repair {
            Some(repair) => write!(f, ": {}", repairs([repair])),
            None => Ok(()),
        }
    }
}

/// One command line that does all of these.
pub fn repairs<'a>(repairs: impl IntoIterator<Item = &'a Repair>) -> String {
    let (mut lock, mut write): (Vec<&str>, bool) = (Vec::new(), false);
    for repair in repairs {
        match repair {
            Repair::Lock(name) if lock.contains(&name.as_str()) => {}
            Repair::Lock(name) => lock.push(name.as_str()),
            Repair::Write => write = true,
        }
    }
    let lock = (!lock.is_empty()).then(|| format!("cargo xtask lock {}", lock.join(" ")));
    let write = write.then(|| "cargo xtask check --write".to_owned());
    lock.into_iter().chain(write).collect::<Vec<_>>().join(" && ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_line_mends_all() {
        let lock = |name: &str| Repair::Lock(name.parse().unwrap());
        let line = repairs(&[Repair::Write, lock("a"), lock("b"), lock("a"), Repair::Write]);
        assert_eq!(line, "cargo xtask lock a b && cargo xtask check --write");
        let finding = Finding::new("f:1", "stale").repair(lock("a"));
        assert_eq!(finding.to_string(), "f:1: error: stale: cargo xtask lock a");
    }
}
