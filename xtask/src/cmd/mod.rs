//! A file a verb: `plan` makes the value, `run` shows or executes it.

pub mod build;
pub mod check;
pub mod ci;
pub mod claim;
pub mod completions;
pub mod dependabot;
pub mod deploy;
pub mod doctor;
pub mod engine;
pub mod graph;
pub mod list;
pub mod lock;
pub mod login;
pub mod moves;
pub mod preflight;
pub mod readme;
pub mod report;
pub mod setup;
pub mod start;
pub mod stop;
pub mod validate;

use crate::{
    exec::Executor,
    flags::Globals,
    plan::{Plan, quote},
    tools::{self, docker::Compose},
    ui::Ui,
};
use anyhow::{Context as _, Result};
use project::{Environment, Project, error::Fault, find_root, read_vars, vars::Vars};
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::RwLock,
    thread,
};

/// What every verb needs: where we are, what was said, and how to run things.
pub struct Context {
    pub root: PathBuf,
    /// The root as seen from the current folder, so that echoed lines can be pasted.
    shown_root: PathBuf,
    pub globals: Globals,
    pub vars: Vars,
    pub exec: Executor,
}

impl Context {
    pub fn new(globals: Globals, ui: Ui) -> Result<Context> {
        let here = env::current_dir().context("finding the current folder")?;
        let root = find_root(&here)?;
        let below = here.strip_prefix(&root).map_or(0, |path| path.components().count());
        let shown_root = if below == 0 { PathBuf::from(".") } else { std::iter::repeat_n("..", below).collect() };
        let process: BTreeMap<String, String> =
            env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        let mut flags = globals.variables.flags(&process);
        flags.extend(ca_bundle(&process).map(|path| ("CA_BUNDLE".to_owned(), path)));
        let vars = read_vars(&root, &here, flags, process)?;
        let secrets = vars.process.values().chain(vars.dotenv.values()).filter_map(|value| userinfo(value)).collect();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let jobs = globals.jobs.map_or(cores, usize::from);
        Ok(Context {
            root,
            shown_root,
            vars,
            exec: Executor { ui, secrets, jobs, exports: RwLock::default() },
            globals,
        })
    }

    pub fn ui(&self) -> Ui {
        self.exec.ui
    }

    /// A variable that only we read: its flag, else the environment, else `.env`; empty counts as unset, as in compose.
    fn own(&self, flag: Option<&String>, name: &str) -> Option<String> {
        let value = flag.cloned().or_else(|| self.vars.get(name).map(str::to_owned));
        value.filter(|value| !value.is_empty())
    }

    pub fn project(&self) -> Result<Project> {
        let environment = match self.own(self.globals.variables.environment.as_ref(), "ENVIRONMENT").as_deref() {
            None | Some("dev") => Environment::Dev,
            Some("ci") => Environment::Ci,
            Some(other) => {
                return Err(Fault::usage(format!("ENVIRONMENT: '{other}' is neither dev nor ci"))
                    .help("give --environment dev or --environment ci, or unset it")
                    .into());
            }
        };
        self.project_of(environment)
    }

    /// May layers that were built before be used?
    pub fn cache(&self) -> Result<bool, Fault> {
        let said = self.own(self.globals.variables.use_docker_cache.as_ref(), "USE_DOCKER_CACHE");
        match said.map(|said| said.to_lowercase()).as_deref() {
            None | Some("true" | "1" | "yes" | "on") => Ok(true),
            Some("false" | "0" | "no" | "off") => Ok(false),
            Some(other) => Err(Fault::usage(format!("USE_DOCKER_CACHE: '{other}' is neither true nor false"))
                .help("give --use-docker-cache true or false, or unset it")),
        }
    }

    pub fn project_of(&self, environment: Environment) -> Result<Project> {
        Ok(Project::load(&self.root, environment, self.vars.clone())?)
    }

    /// A path below the root, as it is written from the current folder.
    pub fn shown(&self, path: impl AsRef<Path>) -> PathBuf {
        if self.shown_root == Path::new(".") { path.as_ref().to_owned() } else { self.shown_root.join(path) }
    }

    pub fn compose(&self, project: &Project) -> Compose {
        Compose {
            file: self.shown(project.file()).display().to_string(),
            directory: self.shown_root.display().to_string(),
            env: project.vars.flags.clone().into_iter().collect(),
        }
    }

    /// A tool of `setup`'s, or the PATH's.
    pub fn program(&self, name: &str) -> String {
        tools::program(&self.root, &self.shown(""), name)
    }

    /// Is a file of the repository there?
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.root.join(path).exists()
    }

    /// Shows the plan, where that is all that was asked for.
    pub fn shows(&self, plan: &Plan) -> Result<bool> {
        if !self.globals.dry_run {
            return Ok(false);
        }
        if self.globals.json {
            data_line!("{}", serde_json::to_string_pretty(&plan.json()).context("writing the plan as JSON")?);
        } else {
            data!("{plan}");
        }
        Ok(true)
    }

    /// A line about what is going on, for people.
    pub fn note(&self, text: &str) {
        self.ui().line(text);
    }
}

/// What stands between `://` and `@` of a URL with a password in it.
fn userinfo(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (userinfo, _) = rest.split(['/', '?']).next()?.rsplit_once('@')?;
    userinfo.contains(':').then(|| userinfo.to_owned())
}

/// The machine's bundle of certificate authorities, where the compose files' own rule (`CA_BUNDLE`, `SSL_CERT_FILE`,
/// Debian's path) leads nowhere: on Fedora, on a Mac, or where only other tools were told of it.
fn ca_bundle(process: &BTreeMap<String, String>) -> Option<String> {
    let told = |name: &&str| process.get(*name).filter(|path| !path.is_empty()).cloned();
    if ["CA_BUNDLE", "SSL_CERT_FILE"].iter().find_map(told).is_some() || Path::new(setup::CA_BUNDLE).exists() {
        return None;
    }
    let others = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"].iter().filter_map(told);
    let places = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"].map(str::to_owned);
    others.chain(places).find(|path| Path::new(path).exists())
}

/// A command of ours as it is told to a person, with the variables that make it mean the images of this run: those that
/// flags gave, and those that `ci` sets, whose log's reader has not.
pub fn again(project: &Project, environment: Environment, command: &str) -> String {
    let mut said = project.vars.flags.clone();
    said.remove("CA_BUNDLE");
    said.extend(project.vars.get("IMAGE_TAG").map(|tag| ("IMAGE_TAG".to_owned(), tag.to_owned())));
    if environment != Environment::Dev {
        said.insert("ENVIRONMENT".to_owned(), environment.to_string());
    }
    said.retain(|_, value| !value.is_empty());
    let said: String = said.iter().map(|(name, value)| format!("{name}={} ", quote(value))).collect();
    said + command
}

/// `a, b and c`.
pub fn enumerate<T: std::fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}
