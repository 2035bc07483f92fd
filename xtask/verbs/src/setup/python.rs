//! Python tools at pinned versions, each in an environment of its own so that their dependencies don't meet.

use super::{DEFAULT_INDEX, shell};
use crate::common::{enumerate, trust::trusting};
use plan::{Action, Facts, Invocation, Plan, Probe, Role, Step, tools};
use project::Project;
use std::path::{Path, PathBuf};

/// An environment's name, what its pins are, and the programs that are linked into `target/tools/bin`.
const ENVIRONMENTS: [(&str, &str, &[&str]); 2] = [
    ("poetry", "images/build-tools/requirements.txt", &["poetry", "uv"]),
    ("aws", "xtask/tools/requirements.txt", &["aws", "hadolint", "check-jsonschema", "zizmor"]),
];
const TEST_ENVIRONMENT: (&str, &str, &[&str]) = ("moto", "xtask/tests/requirements.txt", &["moto_server"]);
/// The copy of the pins that says what an environment was made from.
const STAMP: &str = "requirements.txt";
/// pytest as the suites mount it: no environment, just a folder of pure Python.
const PYTEST: (&str, &str) = ("target/tools/pytest", "images/common/tests/requirements.txt");

pub fn steps(project: &Project, facts: &Facts, plan: &mut Plan, tests: bool) {
    for (name, pins, programs) in ENVIRONMENTS.into_iter().chain(tests.then_some(TEST_ENVIRONMENT)) {
        environment(project, facts, plan, (name, pins, programs));
    }
    pytest(project, facts, plan);
    note_index(facts, plan);
}

fn environment(project: &Project, facts: &Facts, plan: &mut Plan, (name, pins, programs): (&str, &str, &[&str])) {
    let folder = Path::new(tools::FOLDER);
    let (home, pins, bin) =
        (facts.argument(folder.join(name)), facts.argument(pins), facts.argument(folder.join("bin")));
    let stamp = format!("{home}/{STAMP}");
    let made = is_made_from(&stamp, &pins);
    let what = enumerate(programs);
    // Debian's own Python: a version manager's may go away with its next upgrade.
    let create = Invocation::new("/usr/bin/python3", ["-m", "venv", "--clear", &home]);
    plan.then(Step::new(format!("make a home for {what}"), Action::Unless(made.clone(), create)));
    let install = pip_install(project, facts, &format!("{home}/bin/python"), &[], &pins);
    plan.then(Step::new(format!("install {what}"), Action::Unless(made.clone(), install)).role(Role::Packages));
    let links: Vec<String> = programs.iter().map(|program| format!("ln -sf ../{name}/bin/{program} {bin}/")).collect();
    let link = shell(format!("mkdir -p {bin} && {} && cp {pins} {stamp}", links.join(" && ")));
    plan.then(Step::new(format!("link {what}"), Action::Unless(made, link)));
}

fn pytest(project: &Project, facts: &Facts, plan: &mut Plan) {
    let (folder, pins) = (facts.argument(PYTEST.0), facts.argument(PYTEST.1));
    let stamp = format!("{folder}/{STAMP}");
    let made = is_made_from(&stamp, &pins);
    let install = pip_install(project, facts, &python(facts), &["--upgrade", "--target", &folder], &pins);
    let install = Step::new("install pytest for the suites", Action::Unless(made.clone(), install));
    plan.then(install.role(Role::Packages));
    plan.then(Step::new("note pytest's pins", Action::Unless(made, Invocation::new("cp", [&pins, &stamp]))));
}

/// Poetry's plugin has to be given the index; pip's configuration is where people name it.
fn note_index(facts: &Facts, plan: &mut Plan) {
    let (python, note) = (python(facts), facts.argument(DEFAULT_INDEX));
    let default = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
    // A credential stays in pip's configuration, where `lock` asks for it.
    let script = format!(
        "rm -f {note}; url=$({python} -m pip config get global.index-url 2>/dev/null || {python} -c '{default}'); \
         case $url in *://*@*) ;; *) printf '%s\\n' \"$url\" >{note} ;; esac"
    );
    let noted = Probe { run: shell(format!("test -s {note} && ! grep --quiet '://.*@' {note}")), prints: None };
    plan.then(Step::new("note the package index", Action::Unless(noted, shell(script))));
}

/// The Python of Poetry's environment.
pub fn python(facts: &Facts) -> String {
    facts.argument(PathBuf::from(tools::FOLDER).join("poetry/bin/python"))
}

/// Installs exactly what `pins` says, where `options` say.
fn pip_install(project: &Project, facts: &Facts, python: &str, options: &[&str], pins: &str) -> Invocation {
    let install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "--no-deps"];
    let args = [&install[..], options, &["--requirement", pins]].concat();
    trusting(project, facts, "PIP_CERT", Invocation::new(python, args))
}

/// Something is up to date where the pins it was made from are beside it.
fn is_made_from(stamp: &str, pins: &str) -> Probe {
    Probe { run: Invocation::new("cmp", ["--silent", stamp, pins]), prints: None }
}
