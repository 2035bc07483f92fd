//! The variables that a child gets on top of our environment.

use super::capture;
use plan::{EnvValue, Invocation};
use project::error::Fault;
use std::{env, fs, process::Command};

#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    pub fn of_plan(exports: &[(String, EnvValue)]) -> Result<Variables, Fault> {
        Variables::of(exports, &Variables::default())
    }

    pub fn of(variables: &[(String, EnvValue)], exports: &Variables) -> Result<Variables, Fault> {
        let value = |(name, value): &(String, EnvValue)| Ok((name.clone(), value_of(value, exports)?));
        Ok(Variables(variables.iter().map(value).collect::<Result<_, Fault>>()?))
    }

    pub fn give(&self, command: &mut Command) {
        command.envs(self.0.iter().map(|(name, value)| (name, value)));
    }

    /// A variable as a child sees it.
    pub fn get(&self, name: &str) -> Option<String> {
        let own = self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        own.or_else(|| env::var(name).ok())
    }
}

/// The command with what its variables' commands have printed in their place: short enough to be read where it is echoed,
/// and each is asked once.
pub fn asked(run: &Invocation, exports: &Variables) -> Result<Invocation, Fault> {
    let mut run = run.clone();
    for (_, value) in &mut run.env {
        if let EnvValue::Printed(_) = value {
            *value = EnvValue::Text(value_of(value, exports)?);
        }
    }
    Ok(run)
}

fn value_of(value: &EnvValue, exports: &Variables) -> Result<String, Fault> {
    Ok(match value {
        EnvValue::Text(text) => text.clone(),
        EnvValue::FromFile(path) => {
            let text = fs::read_to_string(path).map_err(|error| Fault::io("reading", path, &error))?;
            text.trim_end().to_owned()
        }
        EnvValue::FromVariable(variable) => env::var(variable).unwrap_or_default(),
        // What can't be started is as good as what fails: a shell goes on, too.
        EnvValue::Printed(run) | EnvValue::Secret(run) => capture(run, exports, None)
            .ok()
            .filter(plan::Output::success)
            .map(|output| output.stdout)
            .unwrap_or_default(),
    })
}
