//! `stop`: ends what `start` started, and nothing else.

use super::Context;
use crate::{
    flags,
    plan::{Action, Plan, Step},
};
use anyhow::Result;

pub fn run(context: &Context, flags: &flags::Stop) -> Result<()> {
    let project = context.project()?;
    let compose = context.compose(&project);
    let mut plan = Plan::default();
    let names = flags.images.of(&project)?;
    for name in &names {
        plan.push(Step::new(format!("stop {name}"), Action::Run(compose.remove(name))).image(name));
    }
    if context.shows(&plan)? {
        return Ok(());
    }
    context.require(&[])?;
    let _claims = context.claim("stop", &names)?;
    context.exec.run(&plan)?;
    Ok(())
}
