//! The host's certificate authorities, for Python tools.

use plan::{EnvValue, Facts, Invocation};
use project::Project;

/// A Python tool with its own `variable` set to the host's CA bundle: the authorities that the tool brings are no use
/// behind a proxy that inspects TLS. A value that the user has set stays.
pub fn trusting(project: &Project, facts: &Facts, variable: &str, run: Invocation) -> Invocation {
    let is_set = project.vars.process.get(variable).is_some_and(|path| !path.is_empty());
    match &facts.ca_bundle {
        Some(bundle) if !is_set => run.env(variable, EnvValue::Text(bundle.clone())),
        _ => run,
    }
}
