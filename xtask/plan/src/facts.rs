//! The world as a value: read once, before planning, by `xtask/src/facts`; written by hand in a test.

use crate::{
    invocation::{Invocation, Output},
    tools::{
        aws,
        docker::{Compose, Inspected},
    },
};
use identity::{Hash, Sources};
use project::{
    Environment, ImageName, ImageRef, Project,
    error::{Cause, Fault},
    files::{Files, Wanted},
    vars::Vars,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What a verb has to know before it can plan. A dry run reads files and looks for programs, and asks nobody.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// The images that no other run may work on meanwhile. Claimed before anything else is read.
    pub claims: Vec<ImageName>,
    /// The engine and compose must answer, at a version that will do.
    pub docker: bool,
    /// Programs that must be there.
    pub programs: Vec<&'static str>,
    /// Programs that the plan depends on, there or not.
    pub look_for: Vec<String>,
    /// Files of the repository. (Both compose files are always read.)
    pub files: Wanted,
    /// The Dockerfiles and build contexts of these.
    pub contexts: Vec<ImageName>,
    /// Which suites these have.
    pub suites: Vec<ImageName>,
    /// What the engine has of these.
    pub engine: Vec<ImageRef>,
    /// Whether the engine can keep its build cache in a registry.
    pub cache_exports: bool,
    /// What their registry has of these.
    pub registry: Vec<ImageRef>,
    /// What git says of the clone, and of the files that images are made of.
    pub git: bool,
    /// Who owns the project that is mounted into a container.
    pub workspace: bool,
    /// What differs from this commit.
    pub since: Option<String>,
    /// What distinguishes this machine, for `setup`.
    pub machine: bool,
}

/// What is known before a run.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The root, absolute.
    pub root: PathBuf,
    /// From the folder that the user stands in to the root, so that echoed lines can be pasted: `.`, `..`, `../..`.
    pub root_from_here: PathBuf,
    pub process: u32,
    pub uid: u32,
    pub gid: u32,
    pub now: SystemTime,
    /// How many columns the terminal has that data is printed on; none where it is a pipe or a file.
    pub width: Option<usize>,
    /// Programs that are there: the name, and how it is called. `setup`'s own come before the PATH's.
    pub programs: BTreeMap<String, String>,
    /// The bundle of certificate authorities that tools are to trust; none where theirs must do.
    pub ca_bundle: Option<String>,
    /// Of docker compose; none where nobody asked.
    pub compose_version: Option<String>,
    pub files: Files,
    /// What images are made of, or why that can't be read.
    pub contexts: BTreeMap<ImageName, Result<Sources, Fault>>,
    /// The hash of each suite, or why it can't be read.
    pub suites: BTreeMap<ImageName, Result<Hash, Fault>>,
    pub engine: Engine,
    /// The engine can keep its build cache in a registry.
    pub exports_cache: bool,
    pub registry: BTreeMap<ImageRef, Published>,
    pub git: Git,
    /// User and group that own the project which compose mounts (`WORKSPACE`, else the clone).
    pub workspace_owner: Option<(u32, u32)>,
    /// What differs from the commit that was asked about, or why nobody knows; none where nobody asked.
    pub difference: Option<Result<Difference, Fault>>,
    pub machine: Machine,
}

/// What the engine has of the images that were asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Engine {
    /// Nobody asked: a dry run, or a verb that need not know.
    #[default]
    NotAsked,
    /// Why it doesn't answer.
    Silent(String),
    Has(Vec<Inspected>),
}

/// What a registry says of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// No such tag.
    Missing,
    /// No such repository.
    NoRepository,
    /// The registry wants a login, or another one: no answer to the question. What it said.
    Refused(String),
    /// No answer. Why.
    Unreachable(String),
    Image {
        /// Of the manifest.
        digest: String,
        /// Of the image's configuration, where the manifest names it.
        config: Option<String>,
    },
}

impl Published {
    /// Is it the very image that an engine has with this id? An id is the digest of the image's configuration, else, in
    /// the containerd image store, that of the manifest or index itself.
    pub fn is_image(&self, id: &str) -> bool {
        matches!(self, Published::Image { digest, config } if digest == id || config.as_deref() == Some(id))
    }
}

/// What git says of the clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Git {
    #[default]
    NotAsked,
    /// Why git says nothing: it isn't installed, this is no clone, or it calls the folder's owner dubious.
    Silent(String),
    Clone {
        /// Name and URL of each remote.
        remotes: Vec<(String, String)>,
        history: History,
    },
}

/// What git knows of the files that images are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Those that changed one of the files, newest first.
    pub commits: Vec<Commit>,
    /// What differs from the last commit, or isn't in it.
    pub uncommitted: Vec<PathBuf>,
    /// The compose file's text before and after the commits that changed it, by git's ids.
    pub texts: BTreeMap<String, String>,
}

/// What differs between a commit and the working tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    pub changes: Vec<Change>,
    /// Files that git doesn't track, or ignores.
    pub untracked: Vec<PathBuf>,
    /// The compose file's text in the commit, by git's id.
    pub texts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    /// RFC 3339.
    pub time: String,
    /// A shallow clone ends with it: it seems to add all that is older.
    pub is_cut: bool,
    pub changes: Vec<Change>,
}

/// A file that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub path: PathBuf,
    /// git's id of its content.
    pub before: String,
    pub after: String,
}

/// What decides what `setup` has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// `ID` and `VERSION_CODENAME` of /etc/os-release.
    pub id: String,
    pub codename: String,
    pub is_root: bool,
    /// Of the user who runs us.
    pub user: String,
    pub has_systemd: bool,
    /// The engine is reached through DOCKER_HOST or a socket that is there.
    pub has_engine: bool,
    /// What is there of what `setup` looks for, by the names that it uses.
    pub there: BTreeSet<String>,
    /// Debian's archive, as this machine's package sources name it.
    pub archive: Option<String>,
}

impl Facts {
    /// A path below the root, as it is written from the folder that the user stands in.
    pub fn shown(&self, path: impl AsRef<Path>) -> PathBuf {
        match self.root_from_here == Path::new(".") {
            true => path.as_ref().to_owned(),
            false => self.root_from_here.join(path),
        }
    }

    /// As `shown`, as text for a command's argument.
    pub fn argument(&self, path: impl AsRef<Path>) -> String {
        self.shown(path).display().to_string()
    }

    /// How a program is called: `setup`'s own, else by its name.
    pub fn program(&self, name: &str) -> String {
        self.programs.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    pub fn is_there(&self, program: &str) -> bool {
        self.programs.contains_key(program)
    }

    /// docker compose with the project's file, as it is written from the folder that the user stands in.
    pub fn compose(&self, project: &Project) -> Compose {
        Compose {
            file: self.argument(project.file()),
            directory: self.root_from_here.display().to_string(),
            env: project.vars.flags.clone().into_iter().collect(),
        }
    }

    /// The project of one environment's file, with these variables.
    ///
    /// # Errors
    /// The file is wrong, or isn't there.
    pub fn project(&self, environment: Environment, vars: Vars) -> Result<Project, Fault> {
        let text = |environment: Environment| self.files.text(environment.file());
        let own = text(environment)?.ok_or_else(|| {
            Fault::project(format!("reading {}: no such file", self.root.join(environment.file()).display()))
                .help("restore it from git; both compose files belong to the repository")
        })?;
        let other = text(environment.other()).ok().flatten().unwrap_or_default().to_owned();
        let project = Project::parse(&self.root, environment, vars, own, other.clone())?;
        match aws::vars_of_region(&project) {
            None => Ok(project),
            Some(vars) => Project::parse(&self.root, environment, vars, own, other),
        }
    }
}

impl Engine {
    /// What the engine has under this reference.
    pub fn find(&self, image: &ImageRef) -> Option<&Inspected> {
        let Engine::Has(images) = self else { return None };
        let reference = image.to_string();
        // Docker leaves its own registry's name away.
        let own = ["docker.io/library/", "docker.io/"];
        let tag = own.iter().find_map(|name| reference.strip_prefix(name)).unwrap_or(&reference);
        images.iter().find(|found| found.tags.iter().any(|known| known == tag))
    }

    /// What the answer to `docker image inspect` means. A missing image is an error of docker's too; an engine that
    /// doesn't answer prints no list.
    pub fn of(question: &Invocation, answer: Option<&Output>) -> Engine {
        let Some(output) = answer else { return Engine::Silent(format!("{} can't be started", question.program)) };
        let images = Inspected::list(&output.stdout);
        match images.filter(|_| output.success() || output.stderr.to_lowercase().contains("no such image")) {
            Some(images) => Engine::Has(images),
            None => Engine::Silent(output.stderr.lines().last().unwrap_or("no answer").trim().to_owned()),
        }
    }

    /// # Errors
    /// The engine didn't answer. `verb` says for what it was asked.
    pub fn answered(&self, verb: &str) -> Result<(), Fault> {
        match self {
            Engine::NotAsked | Engine::Has(_) => Ok(()),
            Engine::Silent(why) => {
                Err(Fault::new(Cause::Unavailable, format!("{verb}: asking the engine what it has: {why}"))
                    .help("`cargo xtask doctor` shows what is wrong"))
            }
        }
    }
}
