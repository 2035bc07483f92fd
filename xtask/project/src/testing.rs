//! What the unit tests share: docker compose itself, to compare our reading with, and random choices in a fixed order.
#![expect(clippy::disallowed_methods, reason = "the tests run the real compose")]

use serde_json::Value;
use std::{path::Path, process::Command};

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
        serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
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
