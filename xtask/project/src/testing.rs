//! What the unit tests share: docker compose itself, to compare our reading with, and random choices in a fixed order.
#![expect(clippy::disallowed_methods, reason = "the tests run the real compose")]

use crate::{Environment, Project, vars::Vars};
use serde_json::Value;
use std::{path::Path, process::Command};

/// A project of `edges`: an image and what it is built from.
pub fn project(edges: &[(&str, &[&str])]) -> Project {
    let mut text = "services:\n".to_owned();
    for (name, bases) in edges {
        text += &["  ", name, ":\n    image: r.io/", name, ":1\n    build:\n      context: ./images/", name].concat();
        text += "\n      args:\n        X: y\n";
        for base in *bases {
            text += &["        ", &base.replace([':', '/', '.', '-'], "_"), "_IMAGE: ", base, "\n"].concat();
        }
    }
    Project::parse(Path::new("/r"), Environment::Dev, Vars::default(), &text, String::new()).unwrap()
}

/// The images that are built for `wanted`, in order.
pub fn names(project: &Project, wanted: &[&str]) -> Vec<String> {
    let wanted = project.select(&wanted.iter().map(ToString::to_string).collect::<Vec<_>>(), false).unwrap();
    project.with_bases(&wanted).unwrap().iter().map(|image| image.name.to_string()).collect()
}

/// What `docker compose config` makes of a file, or its error. It leaves out inactive profiles, so all are active here.
pub fn compose_config(folder: &Path, file: &str, env: &[(&str, &str)]) -> Result<Value, String> {
    let output = Command::new("docker")
        .args(["compose", "--file", file, "--profile", "*", "config", "--format", "json"])
        .current_dir(folder)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"))
        .envs(env.iter().copied())
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        // It prints a compose file again, so a dollar sign is doubled.
        let text = String::from_utf8_lossy(&output.stdout).replace("$$", "$");
        serde_json::from_str(&text).map_err(|e| e.to_string())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Knuth's MMIX generator.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    /// One of the choices.
    pub fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Up to `most` of the choices, one behind the other.
    pub fn text(&mut self, choices: &[&str], most: usize) -> String {
        (0..=self.below(most)).map(|_| self.of(choices)).collect()
    }
}
