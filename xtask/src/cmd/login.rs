//! `login`: docker, to the registry of the compose file.

use super::{Context, setup};
use crate::{
    plan::{Action, Plan, Step},
    tools::{aws, docker},
};
use anyhow::Result;
use project::{Project, error::Fault};
use std::collections::BTreeSet;

const DEFAULT_REGION: &str = "us-east-1";

/// `aws … | docker login`: the password goes from one to the other, and we never see it.
pub fn action(context: &Context, project: &Project, registry: &str) -> Action {
    let region = aws::region_of(registry).or(project.vars.get("AWS_REGION").filter(|region| !region.is_empty()));
    let password = aws::get_login_password(&context.program("aws"), region.unwrap_or(DEFAULT_REGION));
    // Not AWS_CA_BUNDLE: this leaves a bundle of the user's own AWS configuration in force.
    Action::Pipe(setup::trusting(context, "REQUESTS_CA_BUNDLE", password), docker::login(registry))
}

pub fn run(context: &Context) -> Result<()> {
    let project = context.project()?;
    let registries: BTreeSet<&str> = project
        .family()
        .map(|image| image.reference.registry.as_str())
        .filter(|registry| !registry.is_empty())
        .collect();
    if registries.is_empty() {
        return Err(Fault::project(format!("{} names no registry to log in to", project.file()))
            .help("an image is ${REGISTRY…}/<name>:<tag>")
            .into());
    }
    let mut plan = Plan::default();
    for registry in &registries {
        let mut step = Step::new(format!("log in to {registry}"), action(context, &project, registry));
        step.retry = true;
        plan.then(step);
    }
    if context.shows(&plan)? {
        return Ok(());
    }
    context.require(&["aws"])?;
    context.exec.run(&plan)?;
    for registry in registries {
        context.note(&format!("logged in to {registry}"));
    }
    Ok(())
}
