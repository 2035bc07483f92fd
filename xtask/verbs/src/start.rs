//! `start`: an image as a service, up and healthy.

use crate::{
    Verb, build,
    common::{one_image, rerun::rerun},
    flags::{self, Globals},
};
use plan::{
    Action, Compute, EnvValue, Facts, Inputs, Invocation, Needs, Note, Outcome, Plan, Report, Role, Source, Step,
    Style, quote, tools::docker,
};
use project::{ImageName, Project, error::Fault};

impl Verb for flags::Start {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs { docker: true, workspace: true, ..build::needs(project, &[self.name(project)?])? })
    }

    fn more_needs(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Needs, Fault> {
        build::more_needs(project, facts, &[self.name(project)?], build::How::NEEDED)
    }

    /// Builds what is missing, brings the project's packages along, then starts. A service that doesn't become healthy
    /// shows its log, and is removed.
    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let name = self.name(project)?;
        let image = project.image(&name)?;
        let compose = facts.compose(project);
        let mut plan = build::plan(project, facts, std::slice::from_ref(&name), build::How::NEEDED)?;
        let workspace = project.vars.get("WORKSPACE").filter(|path| !path.is_empty());
        // Only that stage can install anything.
        if let Some(workspace) = workspace.filter(|_| image.stage.as_deref() == Some(DEVELOPMENT)) {
            let container = format!("{name}-packages-{}", facts.process);
            let run = as_owner(project, facts, compose.packages(&name, &container, facts.ca_bundle.as_deref()));
            let packages = Step::new(format!("install the packages of {workspace}"), Action::Run(run));
            let packages = packages.image(&name).role(Role::Packages);
            plan.then(packages.cleanup([Action::Run(docker::remove_container(&container))]));
        }
        let up = as_owner(project, facts, compose.up(&name));
        let start = Step::new(format!("start {name}"), Action::Run(up)).image(&name);
        let logs = compose.logs(&name);
        // To be pasted later, where the variable is not set.
        let mounted = workspace.map(|workspace| format!("WORKSPACE={} ", quote(workspace))).unwrap_or_default();
        let told = |command: &str| rerun(project, project.environment, &format!("{mounted}cargo xtask {command}"));
        let shell = told(&format!("shell {name}"));
        let failed = Failed { shell: shell.clone(), has_workspace: workspace.is_some() };
        let why = Compute::new(logs.to_string(), [Source::Output(logs)], move |inputs| failed.report(inputs));
        plan.then(start.explained_by(why).cleanup([Action::Run(compose.remove(&name))]));
        let none = image.ports.is_empty().then(|| format!("{name} has no ports: there is no address to open"));
        let ports = image.ports.iter().map(|port| compose.port(&name, *port));
        let hints = [
            format!("what it prints:  {}", told(&format!("logs {name} --follow"))),
            format!("a shell in it:   {shell}"),
            format!("to end it:       {}", told(&format!("stop {name}"))),
        ];
        let shown = match image.ports.is_empty() {
            true => "# says how to get a shell in it".to_owned(),
            false => ports.clone().map(|port| port.to_string()).collect::<Vec<_>>().join("; "),
        };
        let ports = ports.map(Source::Output);
        let tell = Compute::new(shown, ports, move |inputs| {
            let lines = none.iter().chain(&hints);
            lines.fold(addresses(inputs), |report, line| report.note(line.as_str()))
        });
        plan.then(Step::new(format!("say where {name} is"), Action::Compute(tell)).image(&name));
        Ok(plan)
    }
}

/// The stage whose images have what `project-packages` needs.
const DEVELOPMENT: &str = "development";

impl flags::Start {
    fn name(&self, project: &Project) -> Result<ImageName, Fault> {
        one_image("start", &self.image, project)
    }
}

/// The image's own user, whom the dev file starts where nobody says otherwise.
const USER: u32 = 1000;

/// The container runs as the owner of the project that is mounted into it, or neither could write the other's files. The
/// user's own word wins.
pub fn as_owner(project: &Project, facts: &Facts, up: Invocation) -> Invocation {
    match facts.workspace_owner {
        Some((user, group)) if user != USER && project.vars.get("WORKSPACE_USER").is_none() => {
            up.env("WORKSPACE_USER", EnvValue::Text(format!("{user}:{group}")))
        }
        _ => up,
    }
}

/// What is said of a service that doesn't start.
struct Failed {
    /// The command for a shell, which is then in a container of its own.
    shell: String,
    /// Is a project mounted?
    has_workspace: bool,
}

impl Failed {
    /// The service's log, then what failed with the app's own last error, and what helps. Reads the log.
    fn report(&self, inputs: &Inputs) -> Report {
        let Some(Outcome::Failed(fault)) = inputs.after.first() else { return Report::default() };
        // Without the prefix, compose begins each line with what clears one on a terminal.
        let log = &inputs.stdout(0).unwrap_or_default().replace("\u{1b}[2K", "");
        let report = log.lines().fold(Report::default(), |report, line| report.note(Note::styled(Style::Dim, line)));
        let shell = format!("a shell in it:  {}", self.shell);
        let Some(error) = last_error(log) else { return report.fail(fault.clone().help(shell)) };
        let what = format!("{}: it says `{error}`", fault.what);
        let help = match (error.contains("No module named"), self.has_workspace) {
            (false, _) => shell,
            (_, true) => format!("add the package to the project's lock (poetry add …) and start again; {shell}"),
            (_, false) => format!("start it with the project whose lock has the package (WORKSPACE=…); {shell}"),
        };
        report.fail(Fault::new(fault.cause.clone(), what).help(help))
    }
}

/// The last line of a log that names an exception, as Python ends a traceback, or else its last line.
fn last_error(log: &str) -> Option<&str> {
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let names_one = |line: &&str| {
        let name = line.split_once(':').map_or(*line, |(name, _)| name);
        name.ends_with("Error") && name.chars().all(|c| c.is_alphanumeric() || "._".contains(c))
    };
    lines.clone().rfind(names_one).or_else(|| lines.next_back())
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
    use plan::{Inputs, Outcome, Output, compute::Input};
    use project::error::Fault;

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

    fn printed(text: &str) -> Input {
        Input::Printed(Output { stdout: text.to_owned(), ..Output::default() })
    }

    #[test]
    fn addresses_are_ones_that_a_browser_takes() {
        let inputs = Inputs { read: vec![printed("0.0.0.0:32768")], after: Vec::new() };
        assert_eq!(super::addresses(&inputs).data, "http://127.0.0.1:32768\n");
    }

    #[test]
    fn of_a_service_that_fails_the_app_s_own_last_error_is_named() {
        let missing = "\u{1b}[2KTraceback:\n  import x\n\u{1b}[2KModuleNotFoundError: No module named 'x'\nINFO: waiting for changes\n";
        let invalid = "pydantic_core.ValidationError: 1 error\n";
        for (log, expected) in [
            (missing, "unhealthy: it says `ModuleNotFoundError: No module named 'x'`"),
            ("INFO: up\nERROR: no such app\n\n", "unhealthy: it says `ERROR: no such app`"),
            (invalid, "unhealthy: it says `pydantic_core.ValidationError: 1 error`"),
            ("", "unhealthy"),
        ] {
            let after = vec![Outcome::Failed(Fault::usage("unhealthy"))];
            let failed = super::Failed { shell: "run".to_owned(), has_workspace: true };
            let report = failed.report(&Inputs { read: vec![printed(log)], after });
            let fault = report.fault.unwrap();
            assert_eq!(fault.what, expected);
            let help = fault.help.unwrap();
            assert!(help.ends_with("a shell in it:  run"), "{help}");
            assert_eq!(help.contains("the project's lock"), log == missing, "{help}");
            assert_eq!(report.notes.len(), log.lines().count());
        }
    }

    #[test]
    fn a_project_brings_its_packages_along_to_the_stage_that_can_install_them() {
        let family = |variables: &[(&str, &str)]| {
            let mut family = testing::family().with(|facts| {
                facts.workspace_owner = Some((1234, 100));
                facts.ca_bundle = Some("/ca.crt".to_owned());
            });
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            family.process.extend(variables);
            family.outline(&["start", "kubeflow-a"])
        };
        expect_plan!("start_packages", family(&[("WORKSPACE", "../shop")]));
        for without in [&[][..], &[("WORKSPACE", "../shop"), ("TARGET_BUILD_STAGE", "production")]] {
            assert!(!family(without).contains("project-packages"));
        }
    }
}
