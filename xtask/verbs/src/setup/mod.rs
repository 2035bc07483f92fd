//! `setup`: a fresh Debian or Ubuntu to the point where everything here works.
//!
//! What is missing is read off the file system, so that a dry run starts no process, and a second run does nothing.

mod engine;
mod external;
mod indexes;
mod packages;
mod python;

pub use external::references;
pub use indexes::{indexes, reaches};
pub use packages::{PLUGINS, PROGRAMS, THERE};

pub use python::python;

use crate::{
    Verb,
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Invocation, Needs, Plan, Report, Role, Step, facts::Machine};
use project::{
    Environment, Project,
    error::{Cause, Fault},
    files::Wanted,
};

/// Where the index that pip uses by default is noted, for Poetry.
pub const DEFAULT_INDEX: &str = "target/tools/index-url";
/// There once `setup` has made Poetry's environment.
pub const POETRY_MADE: &str = "target/tools/poetry/requirements.txt";

impl Verb for flags::Setup {
    fn needs(&self, _project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let files = Wanted { trees: vec![external::RECIPES.into()], ..Wanted::default() };
        Ok(Needs { files, machine: true, ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let machine = &facts.machine;
        let packages = packages::missing(machine, self.tests);
        let is_known = matches!(machine.id.as_str(), "debian" | "ubuntu");
        let may_install = is_known && (machine.is_root || has_sudo(machine));
        if globals.dry_run || packages.is_empty() || may_install {
            return whole(project, facts, self.tests);
        }
        let (why, help, shown) = if is_known {
            // The rest makes files that are to be this user's.
            let mut shown = for_root(facts, self.tests)?;
            shown.steps.extend(engine::admit(machine).map(|run| Step::new("", Action::Run(run))));
            let why = "this user is not root, and there is no sudo".to_owned();
            (why, "have root run the commands above in this folder, then try again", shown)
        } else {
            let why = format!("setup knows Debian and Ubuntu, this is '{}'", machine.id);
            let help = "install the packages named above with this system's own tools, then try again";
            (why, help, whole(project, facts, self.tests)?)
        };
        Ok(refusal(&shown, &why, help))
    }
}

/// A plan that prints another one's commands, and fails.
fn refusal(shown: &Plan, why: &str, help: &str) -> Plan {
    let commands: String = shown.steps.iter().map(|step| format!("{}\n", step.action)).collect();
    let fault = Fault::new(Cause::Unavailable, format!("setup: nothing was done: {why}")).help(help);
    let print = Compute::new("# prints what is to be done", [], move |_| {
        Report::default().data(commands.clone()).fail(fault.clone())
    });
    let mut plan = Plan::default();
    plan.push(Step::new("print what is to be done", Action::Compute(print)));
    plan
}

/// What takes root's rights, whoever the user is.
fn for_root(facts: &Facts, tests: bool) -> Result<Plan, Fault> {
    let mut plan = Plan { summary: true, ..Plan::default() };
    packages::steps(facts, &mut plan, tests)?;
    engine::steps(facts, &mut plan);
    Ok(plan)
}

fn whole(project: &Project, facts: &Facts, tests: bool) -> Result<Plan, Fault> {
    let machine = &facts.machine;
    let mut plan = Plan { summary: true, ..Plan::default() };
    if !machine.is_root && has_sudo(machine) {
        // sudo's password, while there is somebody to type it: later steps run in the background of the terminal.
        let ask = Invocation::new("sudo", ["--validate"]);
        let ask = match packages::missing(machine, tests).is_empty() {
            true => Action::Unless(engine::answers(), ask),
            false => Action::Run(ask),
        };
        plan.then(Step::new("ask for sudo's password", ask).role(Role::Login));
    }
    packages::steps(facts, &mut plan, tests)?;
    engine::steps(facts, &mut plan);
    if let Some(admit) = engine::admit(machine) {
        plan.then(Step::new("let this user use the docker engine", Action::Unless(engine::answers(), admit)));
    }
    python::steps(project, facts, &mut plan, tests);
    let both = [Environment::Dev, Environment::Ci].map(|file| facts.project(file, project.vars.clone()));
    let both = both.into_iter().collect::<Result<Vec<_>, _>>()?;
    indexes::steps(project, facts, &both, &mut plan);
    external::steps(facts, &both, &mut plan);
    Ok(plan)
}

fn has_sudo(machine: &Machine) -> bool {
    machine.there.contains("sudo")
}

fn as_root(machine: &Machine, program: &str, args: &[&str]) -> Invocation {
    if machine.is_root || !has_sudo(machine) {
        Invocation::new(program, args.iter().copied())
    } else {
        // sudo drops the environment: what apt needs is named on the line.
        Invocation::new("sudo", [&["--preserve-env=DEBIAN_FRONTEND", program], args].concat())
    }
}

fn shell(script: String) -> Invocation {
    Invocation::new("sh", ["-c".to_owned(), script])
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Family, expect_plan};
    use plan::facts::Machine;

    /// A machine that has this of what is looked for.
    fn on(id: &str, codename: &str, there: &[&str]) -> Family {
        testing::family().file("images/stand-ins/debian", "#!/bin/sh\n").with(|facts| {
            facts.ca_bundle = Some("/ca.crt".to_owned());
            facts.machine = Machine {
                id: id.to_owned(),
                codename: codename.to_owned(),
                is_root: true,
                user: "root".to_owned(),
                there: there.iter().map(|name| (*name).to_owned()).collect(),
                archive: Some("http://mirror.example/debian".to_owned()),
                ..Machine::default()
            };
        })
    }

    fn by_user(family: Family) -> Family {
        family.with(|facts| {
            facts.machine.is_root = false;
            facts.machine.user = "ada".to_owned();
        })
    }

    const ALL: [&str; 9] = [
        "sudo",
        "docker",
        "dockerd",
        "docker-compose",
        "docker-buildx",
        "ensurepip",
        "mmdebstrap",
        "ca-certificates",
        "docker-registry",
    ];

    #[test]
    fn plans() {
        expect_plan!("setup_bare", on("debian", "trixie", &[]).outline(&["setup", "--tests"]));
        expect_plan!("setup_all_there", on("debian", "trixie", &ALL).outline(&["setup"]));
        let user = by_user(on("debian", "trixie", &ALL)).with(|facts| facts.machine.has_systemd = true);
        expect_plan!("setup_user", user.outline(&["setup"]));
    }

    #[test]
    fn an_index_of_a_vendor_is_asked_for_unless_the_environment_names_one() {
        let mut family = on("debian", "trixie", &ALL);
        let compose = family.facts.files.text("docker-compose.ci.yaml").unwrap().unwrap().to_owned();
        let index =
            "        BASE_IMAGE: debian:trixie-slim\n        VENDOR_INDEX: ${VENDOR_INDEX:-https://v.example/}\n";
        let compose = compose.replacen("        BASE_IMAGE: debian:trixie-slim\n", index, 1);
        family = family.file("docker-compose.ci.yaml", &compose);
        assert!(family.outline(&["setup"]).contains("have a stand-in for VENDOR_INDEX, unless https://v.example/"));
        family.process.insert("VENDOR_INDEX".to_owned(), "https://mine.example/".to_owned());
        assert!(!family.outline(&["setup"]).contains("have a stand-in for VENDOR_INDEX"));
    }

    #[test]
    fn debian_12_gets_docker_from_debian_13_and_nothing_else() {
        let bookworm = on("debian", "bookworm", &["ensurepip", "mmdebstrap", "ca-certificates"]);
        let outline = bookworm.outline(&["setup"]);
        assert!(outline.starts_with("1: draft /etc/apt/sources.list.d/core-images-docker.sources"), "{outline}");
        assert!(outline.contains("URIs: http://mirror.example/debian\nSuites: trixie\n"), "{outline}");
        let with_docker = on("debian", "bookworm", &["docker", "dockerd", "docker-compose", "docker-buildx"]);
        assert!(!with_docker.outline(&["setup"]).contains("trixie\n"));
        let fault = bookworm.with(|facts| facts.machine.archive = None).fault(&["setup"]);
        assert!(fault.what.contains("no Debian archive in this machine's package sources"), "{fault}");
    }

    #[test]
    fn ubuntu_has_other_names() {
        let outline = on("ubuntu", "noble", &["ensurepip", "mmdebstrap", "ca-certificates"]).outline(&["setup"]);
        assert!(outline.contains("install docker-buildx docker-compose-v2 docker.io iptables\n"), "{outline}");
    }

    /// What a plan of one computation prints and says.
    fn refused(family: &Family) -> (String, String) {
        let plan = family.plan(&["setup"]).unwrap();
        let [step] = plan.steps.as_slice() else { panic!("{}", plan.outline()) };
        let plan::Action::Compute(compute) = &step.action else { panic!("{step:?}") };
        let report = compute.report(&plan::Inputs::default());
        (report.data, report.fault.unwrap().what)
    }

    #[test]
    fn a_machine_that_setup_may_not_change_gets_the_commands() {
        let (commands, why) = refused(&by_user(on("debian", "trixie", &[])));
        assert_eq!(why, "setup: nothing was done: this user is not root, and there is no sudo");
        assert!(commands.starts_with("DEBIAN_FRONTEND=noninteractive apt-get --quiet update\n"), "{commands}");
        assert!(
            commands.contains("usermod --append --groups docker ada") && !commands.contains("-m venv"),
            "{commands}"
        );
        let fedora = on("fedora", "", &[]);
        let (commands, why) = refused(&fedora);
        assert_eq!(why, "setup: nothing was done: setup knows Debian and Ubuntu, this is 'fedora'");
        assert!(commands.contains("apt-get") && commands.contains("-m venv"), "{commands}");
        // A dry run shows the same plan, and does not fail.
        assert!(fedora.outline(&["setup", "--dry-run"]).contains("apt-get"));
    }
}
