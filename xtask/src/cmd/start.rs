//! `start`: an image as a service, up and healthy.

use super::{Context, build};
use crate::{
    flags,
    plan::{Action, Plan, Step},
    tools::docker::Compose,
};
use anyhow::Result;
use project::{ImageName, Project};

/// Builds what is missing, then starts; a service that doesn't become healthy shows its log and is removed.
pub fn plan(project: &Project, compose: &Compose, name: &ImageName) -> Result<Plan> {
    let mut plan = build::plan(project, compose, std::slice::from_ref(name), build::Anew::Nothing, true)?;
    let mut step = Step::new(format!("start {name}"), Action::Run(compose.up(name))).image(name);
    step.rescue = vec![Action::Run(compose.logs(name)), Action::Run(compose.remove(name))];
    plan.then(step);
    Ok(plan)
}

pub fn run(context: &Context, flags: &flags::Start) -> Result<()> {
    let project = context.project()?;
    let names = project.select(std::slice::from_ref(&flags.image), false)?;
    let [name] = names.as_slice() else {
        return Err(project::error::Fault::usage(format!("start {}: one image at a time", flags.image)).into());
    };
    let compose = context.compose(&project);
    let plan = plan(&project, &compose, name)?;
    if context.shows(&plan)? {
        return Ok(());
    }
    context.require(&[])?;
    let _claims = context.claim("start", build::claimed(&project, &plan))?;
    context.exec.run(&plan)?;
    for port in &project.image(name)?.ports {
        data_line!("http://{}", context.exec.read(&compose.port(name, *port))?.replace("0.0.0.0", "127.0.0.1"));
    }
    context.note(&format!("a shell in it:  {}", compose.shell(name)));
    context.note(&format!("to end it:      cargo xtask stop {name}"));
    Ok(())
}
