//! `setup`: a fresh Debian or Ubuntu to the point where everything here works.
//!
//! What is missing is read off the file system, so that a dry run spawns nothing, and a second run does nothing.

use super::{Context, lock::DEFAULT_INDEX};
use crate::{
    flags,
    plan::{Action, EnvValue, Invocation, Plan, Probe, Step},
    tools::{
        self,
        docker::{self, STAND_IN},
    },
};
use anyhow::Result;
use project::{
    Environment, ImageRef, Origin,
    error::{Cause, Fault},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

/// Where the docker CLI looks for its plugins, besides the user's own folder.
const PLUGIN_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];
/// The machine's own bundle of certificate authorities, on Debian and Ubuntu.
pub const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Python tools, each in an environment of its own so that their dependencies don't meet: its name, what its pins are,
/// and the programs that are linked into `target/tools/bin`.
const ENVIRONMENTS: [(&str, &str, &[&str]); 2] = [
    ("poetry", "images/build-tools/requirements.txt", &["poetry", "uv"]),
    ("aws", "xtask/tools/requirements.txt", &["aws", "hadolint", "check-jsonschema", "zizmor"]),
];
const TEST_ENVIRONMENT: (&str, &str, &[&str]) = ("moto", "xtask/tests/requirements.txt", &["moto_server"]);
/// The copy of the pins that says what an environment was made from.
const STAMP: &str = "requirements.txt";
/// pytest as the suites mount it: no environment, just a folder of pure Python.
const PYTEST: (&str, &str) = ("target/tools/pytest", "images/common/tests/requirements.txt");

/// What decides which packages are missing.
struct Machine {
    id: String,
    codename: String,
    root: bool,
    sudo: bool,
    systemd: bool,
}

impl Machine {
    fn read() -> Machine {
        let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let fields: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k, v.trim_matches('"'))).collect();
        let field = |name: &str| fields.get(name).map_or(String::new(), |value| (*value).to_owned());
        Machine {
            id: field("ID"),
            codename: field("VERSION_CODENAME"),
            root: nix::unistd::geteuid().is_root(),
            sudo: which::which("sudo").is_ok(),
            systemd: Path::new("/run/systemd/system").exists(),
        }
    }

    fn as_root(&self, program: &str, args: &[&str]) -> Invocation {
        if self.root || !self.sudo {
            Invocation::new(program, args.iter().copied())
        } else {
            // sudo drops the environment: what apt needs is said on the line.
            Invocation::new("sudo", [&["--preserve-env=DEBIAN_FRONTEND", program], args].concat())
        }
    }

    /// The packages that bring what isn't there.
    fn missing_packages(&self, tests: bool) -> BTreeSet<&'static str> {
        // Debian leaves root's programs out of a user's PATH.
        let there = |name: &str| which::which(name).is_ok() || Path::new("/usr/sbin").join(name).exists();
        let system = |path: &str| Path::new(path).exists();
        let ubuntu = self.id == "ubuntu";
        let mut packages = BTreeSet::new();
        let mut need = |there: bool, names: &[&'static str]| {
            if !there {
                packages.extend(names);
            }
        };
        need(there("docker"), &["docker-cli"]);
        need(there("dockerd") || engine_elsewhere(), &["docker.io", "iptables"]);
        need(has_plugin("docker-compose"), if ubuntu { &["docker-compose-v2"] } else { &["docker-compose"] });
        need(has_plugin("docker-buildx"), &["docker-buildx"]);
        need(has_ensurepip(), &["python3-venv"]);
        need(there("mmdebstrap"), &["mmdebstrap"]);
        need(system(CA_BUNDLE), &["ca-certificates"]);
        if tests {
            need(there("docker-registry"), &["docker-registry"]);
            need(there("htpasswd"), &["apache2-utils"]);
            need(there("hyperfine"), &["hyperfine"]);
            need(there("chromium") && there("chromedriver"), &["chromium", "chromium-driver"]);
        }
        // Ubuntu's docker.io holds the client, too.
        if ubuntu && packages.remove("docker-cli") {
            packages.insert("docker.io");
        }
        packages
    }
}

/// The engine may be in another machine or container.
fn engine_elsewhere() -> bool {
    env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty()) || Path::new("/var/run/docker.sock").exists()
}

fn has_plugin(name: &str) -> bool {
    let own = env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".docker")));
    let own = own.into_iter().map(|folder| folder.join("cli-plugins"));
    PLUGIN_FOLDERS.into_iter().map(PathBuf::from).chain(own).any(|folder| folder.join(name).exists())
}

/// Can the system's Python make environments? Debian packs that apart.
fn has_ensurepip() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .any(|entry| entry.path().join("ensurepip/__init__.py").exists())
}

/// Debian 12 has no compose v2 and no buildx: Debian 13's are installed, whose dependencies it meets, and nothing else of
/// that release. The archive's address is the machine's own.
fn debian_13_source(machine: &Machine) -> Result<Option<[(&'static str, String); 2]>> {
    if machine.id != "debian" || machine.codename != "bookworm" {
        return Ok(None);
    }
    let uri = archive_uri(&machine.codename).ok_or_else(|| {
        Fault::new(Cause::Unavailable, "setup: no Debian archive in this machine's package sources under /etc/apt")
            .help("add the machine's usual Debian mirror to /etc/apt/sources.list.d, then try again")
    })?;
    let source = format!(
        "Types: deb\nURIs: {uri}\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    );
    let pins = "# Only these of Debian 13: their dependencies are Debian 12's.\n\
                Package: *\nPin: release n=trixie\nPin-Priority: -1\n\n\
                Package: docker.io docker-cli docker-compose docker-buildx\nPin: release n=trixie\nPin-Priority: 990\n";
    Ok(Some([
        ("/etc/apt/sources.list.d/core-images-docker.sources", source),
        ("/etc/apt/preferences.d/core-images-docker", pins.to_owned()),
    ]))
}

/// Where this machine gets Debian's main suite from, in either form of apt's sources.
fn archive_uri(codename: &str) -> Option<String> {
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = folder.chain([PathBuf::from("/etc/apt/sources.list")]).collect();
    files.sort();
    files.iter().filter_map(|file| Some((file, fs::read_to_string(file).ok()?))).find_map(|(file, text)| {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => deb822_uri(&text, codename),
            _ => one_line_uri(&text, codename),
        }
    })
}

fn deb822_uri(text: &str, codename: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza| {
        let field = |name: &str| {
            let line = stanza.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let suites = field("suites")?;
        suites
            .split_whitespace()
            .any(|suite| suite == codename)
            .then(|| field("uris"))??
            .split_whitespace()
            .next()
            .map(str::to_owned)
    })
}

fn one_line_uri(text: &str, codename: &str) -> Option<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix("deb ")).find_map(|line| {
        let line = line.trim_start();
        let line = if line.starts_with('[') { line.split_once(']')?.1 } else { line };
        let mut words = line.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        (suite == codename).then(|| uri.to_owned())
    })
}

/// A Python tool, told in its own `variable` of the machine's certificate authorities: those that it brings are no use
/// behind a proxy that inspects TLS.
pub fn trusting(context: &Context, variable: &str, run: Invocation) -> Invocation {
    let told = |name: &str| context.vars.get(name).filter(|path| !path.is_empty());
    let bundle = ["CA_BUNDLE", "SSL_CERT_FILE"].into_iter().find_map(told).unwrap_or(CA_BUNDLE);
    let given = context.vars.process.get(variable).is_some_and(|path| !path.is_empty());
    if given || !Path::new(bundle).exists() {
        return run;
    }
    run.env(variable, EnvValue::Text(bundle.to_owned()))
}

/// Something is up to date where the pins it was made from are beside it.
fn is_made_from(stamp: &str, pins: &str) -> Probe {
    Probe { run: Invocation::new("cmp", ["--silent", stamp, pins]), prints: None }
}

fn shell(script: String) -> Invocation {
    Invocation::new("sh", ["-c".to_owned(), script])
}

fn package_steps(context: &Context, machine: &Machine, plan: &mut Plan, tests: bool) -> Result<()> {
    let packages = machine.missing_packages(tests);
    if packages.is_empty() {
        return Ok(());
    }
    let from_13 = packages.iter().any(|package| package.starts_with("docker") && *package != "docker-registry");
    for (path, text) in debian_13_source(machine)?.filter(|_| from_13).into_iter().flatten() {
        let name = Path::new(path).file_name().unwrap_or_default();
        let draft = context.shown(Path::new("target/setup").join(name));
        plan.then(Step::new(format!("draft {path}"), Action::Write { to: draft.clone(), text }));
        let install = machine.as_root("install", &["-D", "--mode=644", &draft.display().to_string(), path]);
        plan.then(Step::new(format!("write {path}"), Action::Run(install)));
    }
    let quiet = |run: Invocation| run.env("DEBIAN_FRONTEND", EnvValue::Text("noninteractive".to_owned()));
    let mut update =
        Step::new("update the package lists", Action::Run(quiet(machine.as_root("apt-get", &["--quiet", "update"]))));
    update.retry = true;
    plan.then(update);
    let names: Vec<&str> = packages.into_iter().collect();
    let install = ["--quiet", "--yes", "--no-install-recommends", "install"];
    let install = quiet(machine.as_root("apt-get", &[&install[..], &names].concat()));
    let mut install = Step::new(format!("install {}", names.join(", ")), Action::Run(install));
    install.retry = true;
    plan.then(install);
    Ok(())
}

/// The engine, started and waited for.
fn engine_steps(context: &Context, machine: &Machine, plan: &mut Plan) {
    let runs = "docker version 2>&1 | grep --quiet --extended-regexp '^Server|permission denied'";
    let probe = Probe { run: shell(runs.to_owned()), prints: None };
    let log = context.shown("target/setup/dockerd.log").display().to_string();
    let start = if machine.systemd {
        machine.as_root("systemctl", &["start", "docker"])
    } else {
        // No init system: the engine goes on after us, in a session of its own.
        let dockerd = machine.as_root("setsid", &["dockerd"]);
        let folder = context.shown("target/setup").display().to_string();
        shell(format!("mkdir -p {folder} && {dockerd} >{log} 2>&1 </dev/null &"))
    };
    plan.then(Step::new("start the docker engine", Action::Unless(probe.clone(), start)));
    let wait = format!(
        "for i in $(seq 60); do {runs} && exit 0; sleep 1; done; \
         echo 'the docker engine does not answer after 60 s' >&2; tail -n 20 {log} >&2; exit 69"
    );
    plan.then(Step::new("wait for the docker engine", Action::Unless(probe, shell(wait))));
}

/// Lets this user use the engine: a group takes effect at the next login, the socket's owner at once.
fn admit(machine: &Machine) -> Option<Invocation> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??.name;
    let script = format!("usermod --append --groups docker {user} && chown {user} /var/run/docker.sock");
    (!machine.root).then(|| machine.as_root("sh", &["-c", &script]))
}

/// Installs exactly what `pins` says, where `options` say.
fn pip_install(context: &Context, python: &str, options: &[&str], pins: &str) -> Invocation {
    let install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "--no-deps"];
    let args = [&install[..], options, &["--requirement", pins]].concat();
    trusting(context, "PIP_CERT", Invocation::new(python, args))
}

/// Adds a step that is done again where `made` says no.
fn unless_made(plan: &mut Plan, made: &Probe, title: String, run: Invocation, retry: bool) {
    let mut step = Step::new(title, Action::Unless(made.clone(), run));
    step.retry = retry;
    plan.then(step);
}

fn python_steps(context: &Context, plan: &mut Plan, tests: bool) {
    let folder = Path::new(tools::FOLDER);
    let path = |path: PathBuf| context.shown(path).display().to_string();
    let bin = path(folder.join("bin"));
    for (name, pins, programs) in ENVIRONMENTS.into_iter().chain(tests.then_some(TEST_ENVIRONMENT)) {
        let (home, pins) = (path(folder.join(name)), path(pins.into()));
        let stamp = format!("{home}/{STAMP}");
        let made = is_made_from(&stamp, &pins);
        let what = programs.join(" and ");
        // Debian's own Python: a version manager's may go away with its next upgrade.
        let create = Invocation::new("/usr/bin/python3", ["-m", "venv", "--clear", &home]);
        unless_made(plan, &made, format!("make a home for {what}"), create, false);
        let install = pip_install(context, &format!("{home}/bin/python"), &[], &pins);
        unless_made(plan, &made, format!("install {what}"), install, true);
        let links: Vec<String> =
            programs.iter().map(|program| format!("ln -sf ../{name}/bin/{program} {bin}/")).collect();
        let link = shell(format!("mkdir -p {bin} && {} && cp {pins} {stamp}", links.join(" && ")));
        unless_made(plan, &made, format!("link {what}"), link, false);
    }
    let python = path(folder.join("poetry/bin/python"));
    let (pytest, pins) = (path(PYTEST.0.into()), path(PYTEST.1.into()));
    let stamp = format!("{pytest}/{STAMP}");
    let made = is_made_from(&stamp, &pins);
    let install = pip_install(context, &python, &["--upgrade", "--target", &pytest], &pins);
    unless_made(plan, &made, "install pytest for the suites".to_owned(), install, true);
    unless_made(plan, &made, "note pytest's pins".to_owned(), Invocation::new("cp", [&pins, &stamp]), false);
    // Poetry's plugin has to be told the index; pip's configuration is where people say it.
    let note = path(DEFAULT_INDEX.into());
    let default = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
    let script = format!(
        "umask 077; {{ {python} -m pip config get global.index-url 2>/dev/null || {python} -c '{default}'; }} >{note}"
    );
    let noted = Probe { run: Invocation::new("test", ["-s", &note]), prints: None };
    unless_made(plan, &noted, "note the package index".to_owned(), shell(script), false);
}

/// External images: here already, else pulled, else made by a stand-in's recipe.
fn external_steps(context: &Context, plan: &mut Plan) -> Result<()> {
    let mut references: BTreeSet<ImageRef> = BTreeSet::new();
    for environment in [Environment::Dev, Environment::Ci] {
        let project = context.project_of(environment)?;
        let bases = project.images.iter().flat_map(|image| &image.bases);
        references.extend(bases.filter(|base| base.origin == Origin::External).map(|base| base.reference.clone()));
    }
    for reference in references {
        let pull = Action::Unless(docker::is_present(&reference), docker::pull(&reference));
        let mut pull = Step::new(format!("pull {reference}"), pull);
        let recipe = Path::new("images/stand-ins").join(reference.repository.replace('/', "-"));
        if !context.has(&recipe) {
            plan.then(pull);
            continue;
        }
        pull.optional = true;
        plan.then(pull);
        let recipe = context.shown(recipe);
        let recipe = if recipe.components().count() == 1 { Path::new(".").join(recipe) } else { recipe };
        let make = Invocation::new(&recipe.display().to_string(), [reference.to_string()]);
        let make = Action::Unless(docker::is_present(&reference), make);
        let mut make = Step::new(format!("make a stand-in for {reference}"), make);
        make.retry = true;
        plan.then(make);
    }
    Ok(())
}

/// Answers where a vendor's index, or whatever its URL is of, can be reached.
pub fn reaches(context: &Context, url: &str) -> Invocation {
    // Tried again, for what is noted stays, but no longer than we say; an answer is an answer, whatever it says of the
    // page. (requests is Poetry's.)
    let script = "import sys, requests, urllib3; session = requests.Session(); \
                  again = urllib3.Retry(2, backoff_factor=1, status_forcelist=range(500, 600), respect_retry_after_header=False); \
                  [session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=again)) for scheme in list(session.adapters)]; \
                  session.head(sys.argv[1], timeout=10)";
    let python = context.shown(Path::new(tools::FOLDER).join("poetry/bin/python")).display().to_string();
    trusting(context, "REQUESTS_CA_BUNDLE", Invocation::new(&python, ["-c", script, url]))
}

/// The vendors' indexes of both files: the variable, and the URL that it has.
pub fn indexes(context: &Context) -> Result<BTreeMap<String, String>> {
    let mut indexes = BTreeMap::new();
    for environment in [Environment::Dev, Environment::Ci] {
        indexes.extend(context.project_of(environment)?.images.into_iter().flat_map(|image| image.indexes));
    }
    Ok(indexes)
}

/// A vendor's index that can't be reached is noted in `.env`, which plain docker compose reads, too; the images then say
/// that they are built on a stand-in.
fn index_steps(context: &Context, plan: &mut Plan) -> Result<()> {
    let file = context.shown(".env").display().to_string();
    for (name, url) in indexes(context)? {
        // The environment wins over `.env`: who names an index there, means it.
        if url == STAND_IN || context.vars.process.get(&name).is_some_and(|url| !url.is_empty()) {
            continue;
        }
        let reached = Probe { run: reaches(context, &url), prints: None };
        let note = format!("# {url} was out of reach; without the next line, setup asks again.");
        let note = format!("printf '%s\\n' '' '{note}' {name}={STAND_IN} >>{file}");
        let note = Action::Unless(reached, shell(note));
        plan.then(Step::new(format!("have a stand-in for {name}, unless {url} can be reached"), note));
    }
    Ok(())
}

/// What takes root's rights, whoever the user is.
fn root_plan(context: &Context, machine: &Machine, tests: bool) -> Result<Plan> {
    let mut plan = Plan { summary: true, ..Plan::default() };
    package_steps(context, machine, &mut plan, tests)?;
    engine_steps(context, machine, &mut plan);
    Ok(plan)
}

pub fn plan(context: &Context, tests: bool) -> Result<Plan> {
    let machine = Machine::read();
    let mut plan = root_plan(context, &machine, tests)?;
    if let Some(admit) = admit(&machine) {
        let answers = Probe { run: docker::engine_version(), prints: None };
        plan.then(Step::new("let this user use the docker engine", Action::Unless(answers, admit)));
    }
    python_steps(context, &mut plan, tests);
    index_steps(context, &mut plan)?;
    external_steps(context, &mut plan)?;
    Ok(plan)
}

pub fn run(context: &Context, flags: &flags::Setup) -> Result<()> {
    let plan = plan(context, flags.tests)?;
    if context.shows(&plan)? {
        return Ok(());
    }
    let machine = Machine::read();
    let packages = machine.missing_packages(flags.tests);
    let supported = matches!(machine.id.as_str(), "debian" | "ubuntu");
    if !packages.is_empty() && (!supported || !(machine.root || machine.sudo)) {
        // The rest makes files that are to be this user's.
        let plan = if supported { root_plan(context, &machine, flags.tests)? } else { plan };
        let admit = admit(&machine).filter(|_| supported).map(Action::Run);
        let actions = plan.steps.iter().map(|step| &step.action).chain(&admit);
        let commands: String = actions.map(|action| format!("{action}\n")).collect();
        data!("{commands}");
        let (why, help) = if supported {
            (
                "this user is not root, and there is no sudo".to_owned(),
                "have root run the commands above in this folder, then try again",
            )
        } else {
            let help = "install the packages named above with this system's own tools, then try again";
            (format!("setup knows Debian and Ubuntu, this is '{}'", machine.id), help)
        };
        return Err(Fault::new(Cause::Unavailable, format!("setup: nothing was done: {why}")).help(help).into());
    }
    // sudo's password, while there is somebody to type it: the steps run in the background of the terminal.
    let answers = || context.exec.capture(&docker::engine_version()).is_ok_and(|output| output.success);
    if !machine.root && machine.sudo && !(packages.is_empty() && answers()) {
        context.exec.ask(&Invocation::new("sudo", ["--validate"])).map_err(|error| {
            Fault::new(Cause::Unavailable, format!("setup: {error:#}"))
                .help("run it where a password can be typed, or as root; --dry-run shows the commands")
        })?;
    }
    context.exec.run(&plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_in_both_forms() {
        let deb822 = "Types: deb\nURIs: http://other.example/security\nSuites: bookworm-security\n\n\
                      Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n";
        assert_eq!(deb822_uri(deb822, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(deb822_uri(deb822, "trixie"), None);
        let one_line =
            "# deb http://no.example bookworm main\ndeb [arch=amd64] http://mirror.example/debian bookworm main\n";
        assert_eq!(one_line_uri(one_line, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(one_line_uri(one_line, "bullseye"), None);
    }
}
