//! The variables that a run sees: flags, then the process environment, then the repository's `.env`, as compose does.

use super::interpolate::{TemplateError, interpolate};
use std::collections::BTreeMap;

/// Variables by layer; an upper layer wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vars {
    /// Given by a flag of ours: the only ones that a child must be told, it sees the other layers by itself.
    pub flags: BTreeMap<String, String>,
    pub process: BTreeMap<String, String>,
    pub dotenv: BTreeMap<String, String>,
}

impl Vars {
    pub fn get(&self, name: &str) -> Option<&str> {
        [&self.flags, &self.process, &self.dotenv].into_iter().find_map(|layer| layer.get(name)).map(String::as_str)
    }

    /// All but these.
    pub(crate) fn without(&self, names: &[&str]) -> Vars {
        let mut rest = self.clone();
        for layer in [&mut rest.flags, &mut rest.process, &mut rest.dotenv] {
            layer.retain(|name, _| !names.contains(&name.as_str()));
        }
        rest
    }

    /// Where the value of `name` comes from, for an error message.
    pub fn origin(&self, name: &str) -> &'static str {
        if self.flags.contains_key(name) {
            "flag"
        } else if self.process.contains_key(name) {
            "environment"
        } else {
            ".env"
        }
    }

    /// Replaces the variables of a template, as compose does.
    ///
    /// # Errors
    /// It is none, or a variable that it requires is missing.
    pub fn interpolate(&self, template: &str) -> Result<String, TemplateError> {
        interpolate(template, &|name| self.get(name).map(str::to_owned))
    }
}
