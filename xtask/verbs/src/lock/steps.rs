//! The steps in which poetry works: for each image its files beside it, the pins, then poetry.

use super::{LOCK, Locked, PYPROJECT, SETTINGS, couple::Coupling, judge, staging};
use crate::{
    common::trust::trusting,
    setup::{DEFAULT_INDEX, POETRY_MADE, python as poetry_python},
};
use plan::{
    Action, EnvValue, Facts, Invocation, OnFailure, Plan, Probe, Role, Step,
    tools::{
        docker::{self, Compose},
        poetry::{Index, MIRROR},
    },
};
use project::{ImageName, Origin, Project, error::Fault, python};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The build argument that names the helper which has poetry.
const TOOLS: &str = "TOOLS_IMAGE";
/// Where that helper mounts `images/`.
const MOUNT: &str = "/images";

/// Compares each image's lock with its pyproject.toml.
///
/// # Errors
/// A pyproject.toml without requires-python.
pub fn check(project: &Project, facts: &Facts, images: &[Locked], plan: &mut Plan) -> Result<(), Fault> {
    let tools = Tools::of(project, facts);
    let mut tried = Vec::new();
    for locked in images {
        let name = &locked.image.name;
        let poetry = tools.poetry(locked, &locked.image.folder)?;
        let step = Step::new(format!("check the lock of {name}"), poetry.run).image(name).cleanup(poetry.container);
        tried.push(vec![plan.push(step.on_failure(OnFailure::Judged))]);
    }
    judge::step(project, facts, images, &tried, plan);
    Ok(())
}

/// Resolves each image in its own folder, bases first; nothing outside of these folders changes. The answer is the step
/// that succeeds when all are resolved.
///
/// # Errors
/// A pyproject.toml without requires-python.
pub fn resolve(project: &Project, facts: &Facts, images: &[Locked], plan: &mut Plan) -> Result<usize, Fault> {
    let tools = Tools::of(project, facts);
    let first: Vec<usize> = plan.steps.len().checked_sub(1).into_iter().collect();
    let mut done: HashMap<&ImageName, usize> = HashMap::new();
    let mut tried = Vec::new();
    for locked in images {
        let (image, name) = (locked.image, &locked.image.name);
        let folder = staging(image);
        let clean = Action::Remove(facts.shown(&folder));
        let poetry = tools.poetry(locked, &folder)?;
        let mut actions =
            vec![(format!("stage {name}"), Action::Stage { from: staged(facts, locked), to: facts.shown(&folder) })];
        if let Some(base) = base_lock(facts, images, locked) {
            let own = facts.shown(folder.join(PYPROJECT));
            let title = format!("couple {name}");
            let couple = Coupling { title: title.clone(), base, from: own.clone(), to: own };
            actions.push((title, Action::Compute(couple.compute())));
        }
        actions.push((format!("lock {name}"), poetry.run));
        let on_base = locked.base.and_then(|base| done.get(&base.name)).copied();
        let mut last: Vec<usize> = on_base.map_or_else(|| first.clone(), |step| vec![step]);
        let mut own = Vec::new();
        let count = actions.len();
        for (at, (title, action)) in actions.into_iter().enumerate() {
            let is_poetry = at + 1 == count;
            let container = poetry.container.clone().filter(|_| is_poetry);
            let step = Step::new(title, action).image(name).after(last).on_failure(OnFailure::Judged);
            let step = step.cleanup(container.into_iter().chain([clean.clone()]));
            let step = if is_poetry { step.role(Role::Packages) } else { step };
            own.push(plan.push(step));
            last = own.last().copied().into_iter().collect();
        }
        done.extend(own.last().map(|last| (name, *last)));
        tried.push(own);
    }
    Ok(judge::step(project, facts, images, &tried, plan))
}

/// What poetry works with. A lock that can't be read is left out, so that poetry makes a new one.
fn staged(facts: &Facts, locked: &Locked) -> Vec<PathBuf> {
    let lock = locked.is_kept.then_some(LOCK);
    let files = [PYPROJECT].into_iter().chain(lock).chain([SETTINGS]).map(PathBuf::from);
    let files = files.chain(locked.pyproject.local_entries()).map(|file| locked.image.folder.join(file));
    files.filter(|file| facts.files.has(file)).map(|file| facts.shown(file)).collect()
}

/// The lock whose versions an image keeps to: the new one where its base is resolved in the same run.
pub fn base_lock(facts: &Facts, images: &[Locked], locked: &Locked) -> Option<PathBuf> {
    let base = locked.base?;
    let is_new = images.iter().any(|other| other.image.name == base.name);
    let folder = if is_new { staging(base) } else { base.folder.clone() };
    Some(facts.shown(folder.join(LOCK)))
}

/// How poetry is run for an image.
struct Poetry {
    run: Action,
    /// Removes the container it may run in.
    container: Option<Action>,
}

/// What is the same for all images.
struct Tools<'a> {
    facts: &'a Facts,
    compose: Compose,
    index: Index,
    /// The machine's own poetry, but for its arguments.
    poetry: Invocation,
}

impl<'a> Tools<'a> {
    fn of(project: &Project, facts: &'a Facts) -> Tools<'a> {
        // Poetry makes an environment even to lock: not among the user's own.
        let environments = EnvValue::Text(facts.argument("target/poetry"));
        let poetry = Invocation::new::<String>(&facts.program("poetry"), []);
        let poetry = poetry.env("POETRY_VIRTUALENVS_PATH", environments);
        let poetry = trusting(project, facts, "REQUESTS_CA_BUNDLE", poetry);
        Tools { facts, compose: facts.compose(project), index: index(project, facts), poetry }
    }

    /// The host's poetry where it has a Python that the image admits, else that of the helper which the image is built
    /// with.
    fn poetry(&self, locked: &Locked, folder: &Path) -> Result<Poetry, Fault> {
        let minors = python::admitted_minors(locked.pyproject.requires_python()?);
        let args = locked.task.args(&self.facts.argument(folder));
        let on_host = self.index.apply(Invocation { args, ..self.poetry.clone() });
        let Some(service) = helper(locked) else { return Ok(Poetry { run: Action::Run(on_host), container: None }) };
        let container = format!("{service}-{}-{}", locked.image.name, self.facts.process);
        let inside = Path::new(MOUNT).join(folder.strip_prefix("images").unwrap_or(folder));
        let arguments = locked.task.args(&inside.display().to_string());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let user = format!("{}:{}", self.facts.uid, self.facts.gid);
        let in_helper = self.index.apply(self.compose.helper(service.as_str(), &user, &container, &arguments));
        // The oldest that is admitted: `>=3.13` is said of an image that has 3.13.
        let run = match minors.first().filter(|_| self.facts.is_there("poetry")) {
            None => Action::Run(in_helper),
            Some(minor) => {
                let probe = Invocation::new(&format!("python3.{minor}"), ["--version"]);
                Action::Either(Probe { run: probe, prints: None }, on_host, in_helper)
            }
        };
        Ok(Poetry { run, container: Some(Action::Run(docker::remove_container(&container))) })
    }
}

/// The service that runs poetry with the Python of the images that are built with it.
fn helper<'a>(locked: &'a Locked) -> Option<&'a ImageName> {
    let base = locked.image.bases.iter().find(|base| base.argument == TOOLS)?;
    match &base.origin {
        Origin::Family(name) => Some(name),
        Origin::Pinned(_) | Origin::External => None,
    }
}

/// Where poetry is to look packages up.
fn index(project: &Project, facts: &Facts) -> Index {
    // Poetry sees the environment; `.env` is compose's.
    let is_set = |name: &str| project.vars.process.get(name).is_some_and(|url| !url.is_empty());
    if is_set(MIRROR) {
        return Index::Default; // the user's own choice reaches poetry as it is
    }
    if is_set("PIP_INDEX_URL") {
        return Index::FromPip;
    }
    if facts.files.has(DEFAULT_INDEX) {
        return Index::FromFile(facts.shown(DEFAULT_INDEX));
    }
    // `setup` was here, and found an index with a credential, which it doesn't note.
    if facts.files.has(POETRY_MADE) { Index::FromConfiguration(poetry_python(facts)) } else { Index::Default }
}
