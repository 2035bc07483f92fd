//! `start`: an image as a service, up and healthy.

use crate::{
    Verb, build,
    flags::{self, Globals},
};
use plan::{Action, Compute, EnvValue, Facts, Inputs, Invocation, Needs, Plan, Report, Source, Step};
use project::{ImageName, Project, error::Fault};

impl Verb for flags::Start {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs { docker: true, workspace: true, ..build::needs(project, &[self.name(project)?])? })
    }

    fn more_needs(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Needs, Fault> {
        build::more_needs(project, facts, &[self.name(project)?], build::How::NEEDED)
    }

    /// Builds what is missing, then starts; a service that doesn't become healthy shows its log and is removed.
    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let name = self.name(project)?;
        let compose = facts.compose(project);
        let mut plan = build::plan(project, facts, std::slice::from_ref(&name), build::How::NEEDED)?;
        let up = as_owner(project, facts, compose.up(&name));
        let start = Step::new(format!("start {name}"), Action::Run(up)).image(&name);
        plan.then(start.cleanup([Action::Run(compose.logs(&name)), Action::Run(compose.remove(&name))]));
        let ports = &project.image(&name)?.ports;
        let sources = ports.iter().map(|port| Source::Output(compose.port(&name, *port)));
        let shell = format!("a shell in it:  {}", compose.shell(&name));
        let stop = format!("to end it:      cargo xtask stop {name}");
        let shown = match ports.is_empty() {
            true => "# says how to get a shell in it".to_owned(),
            false => ports.iter().map(|port| compose.port(&name, *port).to_string()).collect::<Vec<_>>().join("; "),
        };
        let tell = Compute::new(shown, sources, move |inputs| addresses(inputs).note(shell.clone()).note(stop.clone()));
        plan.then(Step::new(format!("say where {name} is"), Action::Compute(tell)).image(&name));
        Ok(plan)
    }
}

impl flags::Start {
    fn name(&self, project: &Project) -> Result<ImageName, Fault> {
        let names = project.select(std::slice::from_ref(&self.image), false)?;
        match names.as_slice() {
            [name] => Ok(name.clone()),
            _ => Err(Fault::usage(format!("start {}: one image at a time", self.image))),
        }
    }
}

/// The image's own user, whom the dev file starts where nobody says otherwise.
const USER: u32 = 1000;

/// The container runs as the owner of the project that is mounted into it, or neither could write the other's files. The
/// user's own word wins.
fn as_owner(project: &Project, facts: &Facts, up: Invocation) -> Invocation {
    match facts.workspace_owner {
        Some((user, group)) if user != USER && project.vars.get("WORKSPACE_USER").is_none() => {
            up.env("WORKSPACE_USER", EnvValue::Text(format!("{user}:{group}")))
        }
        _ => up,
    }
}

/// The addresses that compose prints, as ones that a browser on this machine takes.
fn addresses(inputs: &Inputs) -> Report {
    let ports = (0..inputs.read.len()).filter_map(|port| inputs.stdout(port));
    let lines = ports.map(|port| format!("http://{}\n", port.replace("0.0.0.0", "127.0.0.1")));
    Report::default().data(lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};
    use plan::{Output, compute::Input};

    #[test]
    fn builds_what_is_missing_then_starts() {
        expect_plan!("start", testing::outline(&["start", "fastapi-serve"]));
        expect_plan!("start_no_ports", testing::outline(&["start", "kubeflow-a"]));
    }

    /// The line that starts the image, where the project belongs to `owner`.
    fn started(owner: (u32, u32), word: Option<&str>) -> String {
        let mut family = testing::family().with(|facts| facts.workspace_owner = Some(owner));
        family.process.extend(word.map(|user| ("WORKSPACE_USER".to_owned(), user.to_owned())));
        let outline = family.outline(&["start", "kubeflow-a"]);
        outline.lines().find(|line| line.contains(" up ")).unwrap().trim().to_owned()
    }

    #[test]
    fn a_container_runs_as_the_owner_of_what_is_mounted() {
        assert!(started((1234, 100), None).starts_with("WORKSPACE_USER=1234:100 docker compose "));
        assert!(started((0, 0), None).starts_with("WORKSPACE_USER=0:0 docker compose "));
        for own in [started((1000, 1000), None), started((1234, 100), Some("7"))] {
            assert!(own.starts_with("docker compose "), "{own}");
        }
    }

    #[test]
    fn addresses_are_ones_that_a_browser_takes() {
        let printed = Input::Printed(Output { stdout: "0.0.0.0:32768".to_owned(), ..Output::default() });
        let inputs = plan::Inputs { read: vec![printed], after: Vec::new() };
        assert_eq!(super::addresses(&inputs).data, "http://127.0.0.1:32768\n");
    }
}
