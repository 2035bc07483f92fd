//! Which files compose takes variables from, besides the environment.
//!
//! Source: docker compose 2.26, tried: `COMPOSE_ENV_FILES` is a list of files, seen from the current folder, each of which
//! must exist, and a later one wins; `COMPOSE_DISABLE_ENV_FILE` leaves out `.env` beside the compose file, but not those.
//! Both count in the environment only, not in `.env`.

use crate::error::Fault;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The files to read, in order; a later one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvFiles {
    /// `.env` in the root, where it exists.
    Default(PathBuf),
    /// Files that must exist.
    Named(Vec<PathBuf>),
}

/// # Errors
/// `COMPOSE_DISABLE_ENV_FILE` is not a boolean, which compose refuses, too.
pub fn env_files(root: &Path, here: &Path, process: &BTreeMap<String, String>) -> Result<EnvFiles, Fault> {
    let given = |name: &str| process.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if let Some(list) = given("COMPOSE_ENV_FILES") {
        return Ok(EnvFiles::Named(list.split(',').map(|file| here.join(file)).collect()));
    }
    match given("COMPOSE_DISABLE_ENV_FILE") {
        // As Go reads a boolean.
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(EnvFiles::Named(Vec::new())),
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(EnvFiles::Default(root.join(".env"))),
        Some(other) => Err(Fault::usage(format!("COMPOSE_DISABLE_ENV_FILE: '{other}' is neither true nor false"))
            .help("set it to true or false, or unset it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_that_compose_reads() {
        let files = |variables: &[(&str, &str)]| {
            let process = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            env_files(Path::new("/r"), Path::new("/r/sub"), &process)
        };
        let named = |files: &[&str]| EnvFiles::Named(files.iter().map(PathBuf::from).collect());
        let default = EnvFiles::Default("/r/.env".into());
        for (variables, expected) in [
            (&[][..], default.clone()),
            (&[("COMPOSE_ENV_FILES", "a.env,/b.env")], named(&["/r/sub/a.env", "/b.env"])),
            (&[("COMPOSE_ENV_FILES", "")], default.clone()),
            (&[("COMPOSE_DISABLE_ENV_FILE", "1")], named(&[])),
            (&[("COMPOSE_DISABLE_ENV_FILE", "false")], default),
            (&[("COMPOSE_DISABLE_ENV_FILE", "true"), ("COMPOSE_ENV_FILES", "a")], named(&["/r/sub/a"])),
        ] {
            assert_eq!(files(variables), Ok(expected), "{variables:?}");
        }
        assert!(files(&[("COMPOSE_DISABLE_ENV_FILE", "yes")]).is_err());
    }
}
