//! `stop`: ends what `start` started, and nothing else.

use crate::{
    Verb,
    flags::{self, Globals},
};
use plan::{Action, Facts, Needs, Plan, Step};
use project::{Project, error::Fault};

impl Verb for flags::Stop {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs { claims: self.images.of(project)?, docker: true, ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let compose = facts.compose(project);
        let mut plan = Plan::default();
        for name in &self.images.of(project)? {
            plan.push(Step::new(format!("stop {name}"), Action::Run(compose.remove(name))).image(name));
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};

    #[test]
    fn stops_each_image_by_itself() {
        expect_plan!("stop", testing::outline(&["stop", "python-base", "fastapi-serve"]));
    }
}
