//! `shell`: a shell in a started image, or in a container of its own.

use crate::{
    Verb, build,
    common::one_image,
    flags::{self, Globals},
    start::as_owner,
};
use plan::{Action, Facts, Needs, Plan, Role, Step};
use project::{ImageName, Project, error::Fault};

impl Verb for flags::OpenShell {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs { docker: true, workspace: true, ..build::needs(project, &[self.name(project)?])? })
    }

    fn more_needs(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Needs, Fault> {
        build::more_needs(project, facts, &[self.name(project)?], build::How::NEEDED)
    }

    /// Builds what is missing, then runs bash, or the command, in the container that is up, else in a new one: a service
    /// that fails to start can be looked into as well.
    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let name = self.name(project)?;
        let compose = facts.compose(project);
        let mut plan = build::plan(project, facts, std::slice::from_ref(&name), build::How::NEEDED)?;
        let command: Vec<&str> = match &self.command[..] {
            [] => vec!["bash"],
            words => words.iter().map(String::as_str).collect(),
        };
        let apart = as_owner(project, facts, compose.run(&name, &command));
        let open = Action::Either(compose.runs(&name), compose.exec(&name, &command), apart);
        plan.then(Step::new(format!("shell {name}"), open).image(&name).role(Role::HandOver));
        Ok(plan)
    }
}

impl flags::OpenShell {
    fn name(&self, project: &Project) -> Result<ImageName, Fault> {
        one_image("shell", &self.image, project)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};

    #[test]
    fn plans() {
        expect_plan!("shell", testing::outline(&["shell", "kubeflow-a"]));
        let family = testing::family().with(|facts| facts.workspace_owner = Some((1234, 100)));
        expect_plan!("shell_command", family.outline(&["shell", "kubeflow-a", "--", "pip", "list"]));
    }
}
