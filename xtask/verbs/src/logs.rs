//! `logs`: what a started image has printed.

use crate::{
    Verb,
    common::{one_image, rerun::rerun},
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Output, Plan, Report, Role, Source, Step};
use project::{Project, error::Fault};

impl Verb for flags::Logs {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        one_image("logs", &self.image, project)?;
        Ok(Needs { docker: true, ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let name = one_image("logs", &self.image, project)?;
        let compose = facts.compose(project);
        // Compose prints nothing of what isn't there, and calls it a success.
        let question = compose.containers(&name);
        let start = rerun(project, project.environment, &format!("cargo xtask start {name}"));
        let none = Fault::usage(format!("logs {name}: it isn't started")).help(format!("start it: `{start}`"));
        let is_none = |output: &Output| output.success() && output.stdout.is_empty();
        let check = Compute::new(question.to_string(), [Source::Output(question)], move |inputs| {
            match inputs.output(0).is_some_and(is_none) {
                true => Report::default().fail(none.clone()),
                false => Report::default(),
            }
        });
        let mut plan = Plan::default();
        plan.then(Step::new(format!("look for {name}"), Action::Compute(check)).image(&name));
        let logs = Step::new(format!("logs {name}"), Action::Run(compose.whole_log(&name, self.follow)));
        plan.then(logs.image(&name).role(Role::HandOver));
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};

    #[test]
    fn plans() {
        expect_plan!("logs", testing::outline(&["logs", "fastapi-serve", "--follow"]));
        assert!(!testing::outline(&["logs", "fastapi-serve"]).contains("--follow"));
    }
}
