//! Before any work: are the tools there? All that is missing is told at once.

use super::{Context, enumerate};
use crate::tools::docker;
use anyhow::Result;
use project::error::{Cause, Fault};
use std::thread;

/// The oldest docker compose whose `up --wait`, build secrets and `run --build` we use.
pub const COMPOSE: (u32, u32) = (2, 20);

/// `major.minor` of a version such as `v2.26.1-4`.
pub fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().trim_start_matches('v').split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Context {
    /// Checks the engine and compose, and that each of `programs` is there.
    pub fn require(&self, programs: &[&str]) -> Result<()> {
        let mut problems: Vec<String> = programs
            .iter()
            .filter(|name| !self.is_there(name))
            .map(|name| format!("{name} is not installed"))
            .collect();
        if self.is_there("docker") {
            // Each takes a while to answer.
            let (compose, engine) = thread::scope(|scope| {
                let compose = scope.spawn(|| self.exec.capture(&docker::Compose::version()));
                let engine = self.exec.capture(&docker::engine_version());
                (compose.join(), engine)
            });
            match compose {
                Ok(Ok(output)) if output.success => match major_minor(&output.stdout) {
                    Some(version) if version >= COMPOSE => {}
                    _ => problems.push(format!(
                        "docker compose is {}, {}.{} or newer is needed",
                        output.stdout.trim(),
                        COMPOSE.0,
                        COMPOSE.1
                    )),
                },
                _ if which::which("docker-compose").is_ok() => {
                    problems
                        .push("docker has no compose plugin (docker-compose, version 1, is no substitute)".to_owned());
                }
                _ => problems.push("docker has no compose plugin".to_owned()),
            }
            let engine = engine?;
            if !engine.success {
                let why = engine.stderr.lines().last().unwrap_or("no answer").trim().to_owned();
                problems.push(format!("the docker engine doesn't answer: {why}"));
            }
        } else {
            problems.push("docker is not installed".to_owned());
        }
        report(&problems)
    }

    pub fn is_there(&self, name: &str) -> bool {
        let program = self.program(name);
        program.contains('/') || which::which(program).is_ok()
    }
}

fn report(problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Fault::new(Cause::Unavailable, format!("before starting: {}", enumerate(problems)))
        .help("`cargo xtask setup` installs and starts what is missing, `cargo xtask doctor` shows the rest")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(major_minor("2.26.1-4"), Some((2, 26)));
        assert_eq!(major_minor("v2.9.0\n"), Some((2, 9)));
        assert_eq!(major_minor("1.29.2"), Some((1, 29)));
        assert_eq!(major_minor("dev"), None);
    }
}
