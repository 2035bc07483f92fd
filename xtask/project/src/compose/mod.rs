//! Reads a compose file.
//!
//! What it reads is what the xtask plans with; every other key is compose's own business and passes by. `extends` and
//! `include` would move that out of sight, and are refused.

mod definition;
mod key_lines;
mod node;
mod service;

use crate::{error::Fault, parallel, vars::Vars};
pub use definition::BUILD_VARIABLES;
pub use key_lines::{KeyLines, line_of};
use node::Node;
pub use service::{About, Build, Service};
use service::{Reader, Wrong};
use std::path::Path;

/// The services of one compose file, in the order they are written.
#[derive(Debug, Clone)]
pub struct ComposeFile {
    /// `name:`, which compose calls the project by.
    pub name: Option<String>,
    pub services: Vec<Service>,
}

/// Why `extends` and `include` are refused, and what to write instead.
const OUT_OF_SIGHT: (&str, &str) = (
    "the whole truth stands in this file",
    "write the service out, or share its parts with YAML anchors (`x-…: &name` and `<<: *name`)",
);

impl ComposeFile {
    /// Reads `text`, which stands in the file `path`.
    ///
    /// # Errors
    /// The file, and the line where it is known: the YAML is invalid, a variable that is required is missing, compose
    /// refuses a value, or a key is not supported.
    pub(crate) fn parse(path: &Path, text: &str, vars: &Vars) -> Result<ComposeFile, Fault> {
        let file = path.display();
        let no_mapping = |of: &str| Fault::project(format!("reading {file}: no mapping {of}"));
        let Node::Map(root) = Node::parse(path, text)? else {
            return Err(no_mapping("with `services:`"));
        };
        if root.iter().any(|(key, _)| key == "include") {
            let (why, instead) = OUT_OF_SIGHT;
            return Err(fault(path, text, None, Wrong::Unsupported { key: "include", why, instead }));
        }
        let name = root.iter().find_map(|(key, node)| match node {
            Node::Text(text) if key == "name" => vars.interpolate(text).ok(),
            _ => None,
        });
        let Some((_, Node::Map(services))) = root.into_iter().find(|(key, _)| key == "services") else {
            return Err(no_mapping("`services:`"));
        };
        let reader = Reader::new(vars, text);
        let services = parallel::map(&services, |(name, service)| {
            let read = match service {
                Node::Map(keys) => reader.service(name, keys),
                _ => Err(Wrong::Value("", "no mapping".to_owned())),
            };
            read.map_err(|wrong| fault(path, text, Some(name), wrong))
        });
        Ok(ComposeFile { name, services: services.into_iter().collect::<Result<_, _>>()? })
    }
}

/// What is wrong in the file `path`, with its line.
fn fault(path: &Path, text: &str, service: Option<&str>, wrong: Wrong) -> Fault {
    let key = match &wrong {
        Wrong::Value(key, _) | Wrong::Unsupported { key, .. } => *key,
    };
    let mut keys: Vec<&str> = service.map_or(Vec::new(), |service| vec!["services", service]);
    keys.extend(key.split('.').filter(|key| !key.is_empty()));
    let place = format!("{}{}", path.display(), at(nearest_line(text, &keys)));
    match wrong {
        Wrong::Value(key, what) => {
            let subject = if key.is_empty() { String::new() } else { format!("{key}: ") };
            let help = match what.contains("required variable") {
                true => "set the variable in the environment or in .env, then try again",
                false => "correct it, then run `cargo xtask check`",
            };
            let service = service.unwrap_or_default();
            Fault::project(format!("reading {place}: service {service}: {subject}{what}")).help(help)
        }
        Wrong::Unsupported { key, why, instead } => {
            Fault::project(format!("reading {place}: `{key}` isn't supported: {why}")).help(instead)
        }
    }
}

/// The line of the entry `keys`, or of what holds it: a key in a flow mapping has no line of its own.
pub(crate) fn nearest_line(text: &str, keys: &[&str]) -> Option<usize> {
    let lines = KeyLines::of(text);
    (1..=keys.len()).rev().find_map(|count| lines.line(&keys[..count]))
}

/// `:LINE`, or nothing.
pub(crate) fn at(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(":{line}"))
}

#[cfg(test)]
mod tests;
