//! `lock`: the base's pins, then poetry, beside the image's folder; what is whole is put in its place.

use super::{Context, dependabot, moves::Changes, readme, setup};
use crate::{
    exec::Outcome,
    flags,
    plan::{Action, EnvValue, Invocation, Plan, Probe, Step},
    tools::{
        diagnose,
        docker::{self, Compose},
        poetry::{Index, MIRROR, Task},
    },
};
use anyhow::{Context as _, Result};
use project::{
    Image, ImageName, Origin, Project,
    coupling::pins_of,
    error::{Cause, Fault},
    family,
    files::Files,
    lockfile::Lockfile,
    package::PackageName,
    pin::Pins,
    pyproject::Pyproject,
    python,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

/// The build argument that names the helper which has poetry.
const TOOLS: &str = "TOOLS_IMAGE";
/// Where that helper mounts `images/`.
const MOUNT: &str = "/images";
/// Where `setup` notes the index that pip uses by default.
pub const DEFAULT_INDEX: &str = "target/tools/index-url";
const PYPROJECT: &str = "pyproject.toml";
const LOCK: &str = "poetry.lock";

/// An image with what its lock is made of.
struct Locked<'a> {
    image: &'a Image,
    pyproject: Pyproject,
    /// The image whose versions it keeps to.
    base: Option<&'a Image>,
    task: Task,
}

impl Locked<'_> {
    fn lock(&self) -> PathBuf {
        self.image.folder.join(LOCK)
    }
}

/// The machine's own poetry, but for its arguments, and whether it is there.
struct Host {
    poetry: Invocation,
    there: bool,
}

/// A service that runs poetry with the Python of the images that are built with it.
struct Helper<'a> {
    service: &'a ImageName,
    container: String,
    compose: &'a Compose,
}

/// The host's poetry where it has a Python that the image admits, else that of the helper which the image is built with.
fn with_fitting_python(
    host: &Host,
    helper: Option<&Helper>,
    index: &Index,
    minors: &[u32],
    (task, on_host, in_helper): (&Task, &str, &str),
) -> Action {
    let on_host = index.apply(Invocation { args: task.args(on_host), ..host.poetry.clone() });
    let Some(helper) = helper else {
        return Action::Run(on_host);
    };
    let arguments = task.args(in_helper);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let user = format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid());
    let in_helper = index.apply(helper.compose.helper(helper.service.as_str(), &user, &helper.container, &arguments));
    // The oldest that is admitted: `>=3.13` is said of an image that has 3.13.
    let Some(minor) = minors.first().filter(|_| host.there) else {
        return Action::Run(in_helper);
    };
    let probe = Probe { run: Invocation::new(&format!("python3.{minor}"), ["--version"]), prints: None };
    Action::Either(probe, on_host, in_helper)
}

/// Where poetry is to look packages up.
fn index(context: &Context) -> Index {
    // Poetry sees the environment; `.env` is compose's.
    let given = |name: &str| context.vars.process.get(name).is_some_and(|url| !url.is_empty());
    if given(MIRROR) {
        return Index::Default; // the user's own choice reaches poetry as it is
    }
    if given("PIP_INDEX_URL") {
        return Index::FromPip;
    }
    if context.has(DEFAULT_INDEX) { Index::FromFile(context.shown(DEFAULT_INDEX)) } else { Index::Default }
}

/// Bases first; an image is resolved when its base's lock is in place, and not at all when that failed.
fn plan(context: &Context, project: &Project, images: &[Locked]) -> Result<Plan> {
    let compose = context.compose(project);
    let index = index(context);
    // Poetry makes an environment even to lock: not among the user's own.
    let environments = EnvValue::Text(context.shown("target/poetry").display().to_string());
    let poetry = Invocation::new::<String>(&context.program("poetry"), []).env("POETRY_VIRTUALENVS_PATH", environments);
    let poetry = setup::trusting(context, "REQUESTS_CA_BUNDLE", poetry);
    let host = Host { poetry, there: context.is_there("poetry") };
    let mut plan = Plan { summary: images.len() > 1, ..Plan::default() };
    let mut done: HashMap<&ImageName, usize> = HashMap::new();
    for locked in images {
        let (image, name) = (locked.image, &locked.image.name);
        let minors = python::admitted_minors(locked.pyproject.requires_python()?);
        let helper = image.bases.iter().find(|base| base.argument == TOOLS).and_then(|base| match &base.origin {
            Origin::Family(name) => Some(name),
            Origin::Pinned(_) | Origin::External => None,
        });
        let helper = helper.map(|service| Helper {
            service,
            container: format!("{service}-{name}-{}", std::process::id()),
            compose: &compose,
        });
        let poetry = |folder: &Path| {
            let in_helper = Path::new(MOUNT).join(folder.strip_prefix("images").unwrap_or(folder));
            let (on_host, in_helper) = (context.shown(folder).display().to_string(), in_helper.display().to_string());
            with_fitting_python(&host, helper.as_ref(), &index, &minors, (&locked.task, &on_host, &in_helper))
        };
        let container = helper.as_ref().map(|helper| Action::Run(docker::remove_container(&helper.container)));
        if locked.task == Task::Check {
            let mut step = Step::new(format!("check the lock of {name}"), poetry(&image.folder)).image(name);
            step.rescue = container.into_iter().collect();
            plan.push(step);
            continue;
        }
        let beside = image.folder.join(".lock");
        let clean = Action::Remove(context.shown(&beside));
        let mut last = locked.base.and_then(|base| done.get(&base.name)).copied();
        let mut then = |title: String, action: Action, rescue: Vec<Action>| {
            let mut step = Step::new(title, action).image(name);
            // Only the tool itself can meet a transient error.
            step.retry = rescue.len() > 1 || matches!(step.action, Action::Run(_) | Action::Either(..));
            step.rescue = rescue;
            step.after = last.into_iter().collect();
            last = Some(plan.push(step));
        };
        let files = [PYPROJECT, LOCK].map(|file| image.folder.join(file));
        let files = files.into_iter().filter(|file| context.has(file)).map(|file| context.shown(file));
        let stage = Action::Stage { from: files.collect(), to: context.shown(&beside) };
        then(format!("stage {name}"), stage, vec![clean.clone()]);
        if let Some(base) = locked.base {
            let (base, own) = (context.shown(base.folder.join(LOCK)), context.shown(beside.join(PYPROJECT)));
            then(format!("couple {name}"), Action::Couple { base, pyproject: own }, vec![clean.clone()]);
        }
        then(format!("lock {name}"), poetry(&beside), container.into_iter().chain([clean.clone()]).collect());
        let (made, kept) = (context.shown(beside.join(LOCK)), context.shown(image.folder.join(LOCK)));
        then(format!("keep the lock of {name}"), Action::Replace { from: made, to: kept }, vec![clean]);
        if let Some(base) = locked.base {
            // Into the file itself, not a copy over it: somebody may have edited it meanwhile.
            let (base, own) = (context.shown(base.folder.join(LOCK)), context.shown(image.folder.join(PYPROJECT)));
            then(format!("keep the pins of {name}"), Action::Couple { base, pyproject: own }, Vec::new());
        }
        done.extend(last.map(|last| (name, last)));
    }
    Ok(plan)
}

/// What poetry is to do for an image, by the flags: a package is brought up where it isn't the base's to say.
fn task(flags: &flags::Lock, named: bool, pyproject: &Pyproject, lock: Option<&Lockfile>) -> Task {
    match &flags.update {
        _ if flags.check => Task::Check,
        Some(packages) if packages.is_empty() => Task::Regenerate,
        Some(packages) if named => {
            let (pins, installed) = (pyproject.pins(), lock.map(Lockfile::installed).unwrap_or_default());
            let packages = packages.iter().map(|package| PackageName::from(package.as_str()));
            let own = packages.filter(|package| !pins.contains_key(package) && installed.contains_key(package));
            let own: Vec<String> = own.map(|package| package.to_string()).collect();
            if own.is_empty() { Task::Lock } else { Task::Update(own) }
        }
        _ => Task::Lock,
    }
}

/// A lock as it is on disk; nothing where there is none, or none that can be read.
fn lock_on_disk(context: &Context, image: &Image) -> Option<Lockfile> {
    let path = image.folder.join(LOCK);
    Lockfile::parse(&path, &fs::read_to_string(context.root.join(&path)).ok()?).ok()
}

/// The images to lock, bases first.
fn images<'a>(context: &Context, project: &'a Project, flags: &flags::Lock) -> Result<Vec<Locked<'a>>> {
    let named = flags.images.of(project)?;
    let mut chosen = Vec::new();
    let mut read: HashMap<&ImageName, Locked> = HashMap::new();
    for image in project.family() {
        let path = image.folder.join(PYPROJECT);
        let text = match fs::read_to_string(context.root.join(&path)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                if named.contains(&image.name) {
                    context.note(&format!("{}: no {}, nothing to lock", image.name, path.display()));
                }
                continue;
            }
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let pyproject = Pyproject::parse(&path, &text)?;
        let base = project.coupled_to(image, &pyproject)?;
        let task = task(flags, named.contains(&image.name), &pyproject, lock_on_disk(context, image).as_ref());
        read.insert(&image.name, Locked { image, pyproject, base, task });
    }
    let order = project.coupling_order(|image| read.get(&image.name)?.base)?;
    let mut wanted: BTreeSet<ImageName> = BTreeSet::new();
    for image in order {
        let Some(locked) = read.remove(&image.name) else { continue };
        let name = &locked.image.name;
        let follows = flags.with_dependents
            && !locked.pyproject.is_apart()?
            && locked.base.is_some_and(|base| wanted.contains(&base.name));
        if named.contains(name) || follows {
            wanted.insert(name.clone());
            chosen.push(locked);
        }
    }
    known(flags, &chosen, |image| lock_on_disk(context, image))?;
    Ok(chosen)
}

/// A package to update must be in one of the images; a typo would go unnoticed.
fn known(flags: &flags::Lock, images: &[Locked], lock: impl Fn(&Image) -> Option<Lockfile>) -> Result<(), Fault> {
    let locks: Vec<Lockfile> = images.iter().filter_map(|locked| lock(locked.image)).collect();
    for package in flags.update.iter().flatten().map(|package| PackageName::from(package.as_str())) {
        if !locks.iter().any(|lock| lock.installed().contains_key(&package)) {
            let names: Vec<&str> = images.iter().map(|locked| locked.image.name.as_str()).collect();
            return Err(Fault::usage(format!("lock --update={package}: no such package in {}", names.join(", ")))
                .help("`cargo xtask report` shows which package is where"));
        }
    }
    Ok(())
}

pub fn run(context: &Context, flags: &flags::Lock) -> Result<()> {
    let project = context.project()?;
    let images = images(context, &project, flags)?;
    if flags.check
        && let Some(locked) = images.iter().find(|locked| !context.has(locked.lock()))
    {
        let name = &locked.image.name;
        return Err(Fault::project(format!("checking the lock of {name}: no {}", locked.lock().display()))
            .help(format!("make it: `cargo xtask lock {name}`"))
            .into());
    }
    let plan = plan(context, &project, &images)?;
    if context.shows(&plan)? || images.is_empty() {
        return Ok(());
    }
    writable(context, &images)?;
    if !context.is_there("poetry") && !context.is_there("docker") {
        return Err(Fault::new(
            Cause::Unavailable,
            "lock: poetry is not installed, and docker, which could run it, neither",
        )
        .help("install them: `cargo xtask setup`")
        .into());
    }
    let _claims = context.claim("lock", images.iter().map(|locked| &locked.image.name))?;
    let before: Vec<_> = images.iter().map(|locked| lock_on_disk(context, locked.image)).collect();
    let outcomes = context.exec.run_all(&plan)?;
    let failures = plan.steps.iter().zip(&outcomes).filter_map(|(step, outcome)| match outcome {
        Outcome::Failed(fault) => Some((step, fault)),
        _ => None,
    });
    let failures: Vec<Fault> = failures.map(|(step, fault)| explained(context, step, fault, &images)).collect();
    if !flags.check {
        let after = images.iter().map(|locked| lock_on_disk(context, locked.image));
        let changes = images.iter().zip(before).zip(after).map(|((locked, before), after)| {
            (locked.image.name.clone(), before.unwrap_or_default(), after.unwrap_or_default())
        });
        let changes = Changes::of(changes);
        changes.print(context, flags.markdown)?;
        note_dependents(context, &project, &images, &changes)?;
        name_versions(context, &project)?;
    }
    match failures.split_first() {
        None => Ok(()),
        Some((first, others)) => {
            for fault in others {
                context.note(&format!("also: {}", fault.what));
            }
            Err(first.clone().into())
        }
    }
}

/// What is generated from locks is, anew. What can't be is for `check` to tell.
fn name_versions(context: &Context, project: &Project) -> Result<()> {
    let (members, _) = family::members(project, &Files::read(&project.root, &family::wanted(project)));
    let dependabot = (dependabot::FILE.into(), Ok(dependabot::generate(context, project, &members)));
    for (path, new) in readme::of_images(project, &members).into_iter().chain([dependabot]) {
        let path = context.root.join(path);
        if let Ok(new) = new
            && fs::read_to_string(&path).is_ok_and(|old| old != new)
        {
            fs::write(&path, new).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

/// A file that somebody made read-only is left alone: putting another in its place would need no right to write it.
fn writable(context: &Context, images: &[Locked]) -> Result<(), Fault> {
    let files = images.iter().filter(|locked| locked.task != Task::Check);
    let mut files = files.flat_map(|locked| [PYPROJECT, LOCK].map(|file| locked.image.folder.join(file)));
    let read_only =
        |file: &PathBuf| fs::metadata(context.root.join(file)).is_ok_and(|about| about.permissions().readonly());
    match files.find(read_only) {
        None => Ok(()),
        Some(file) => Err(Fault::project(format!("lock: {} is read-only", file.display()))
            .help(format!("chmod u+w {}", context.shown(file).display()))),
    }
}

/// Says what to lock next, where a change stopped half-way through the family.
fn note_dependents(context: &Context, project: &Project, images: &[Locked], changes: &Changes) -> Result<()> {
    let changed: Vec<ImageName> = changes.images().cloned().collect();
    let mut stale = Vec::new();
    for image in project.family().filter(|image| !images.iter().any(|locked| locked.image.name == image.name)) {
        let Ok(text) = fs::read_to_string(context.root.join(image.folder.join(PYPROJECT))) else { continue };
        let pyproject = Pyproject::parse(&image.folder.join(PYPROJECT), &text)?;
        let base = project.coupled_to(image, &pyproject)?;
        if !pyproject.is_apart()? && base.is_some_and(|base| changed.contains(&base.name)) {
            stale.push(image.name.as_str());
        }
    }
    if !stale.is_empty() {
        context.note(&format!(
            "coupled to what changed, and stale now: {} (--with-dependents locks them too)",
            stale.join(", ")
        ));
    }
    Ok(())
}

/// A failure with what helps: for a clash, which pins of the base are in it, and the two ways out.
fn explained(context: &Context, step: &Step, fault: &Fault, images: &[Locked]) -> Fault {
    let Some(locked) = images.iter().find(|locked| step.image.as_ref() == Some(&locked.image.name)) else {
        return fault.clone();
    };
    let name = &locked.image.name;
    if locked.task == Task::Check {
        let help = fault.help.clone().unwrap_or_else(|| format!("cargo xtask lock {name}"));
        return Fault { what: format!("{name}: {}", fault.what), ..fault.clone() }.help(help);
    }
    let plain = || Fault { what: format!("{name}: {}", fault.what), ..fault.clone() };
    // What the resolver says stands behind the command that it was.
    let said = fault.what.split_once("ended with exit code").and_then(|(_, rest)| rest.split_once(": "));
    let reason = said.map_or(fault.what.as_str(), |(_, reason)| reason);
    let (Some(base), Some(reason)) = (locked.base, diagnose::conflict(reason)) else {
        return plain();
    };
    // As the base's lock is by now: it may have moved just before.
    let exceptions = locked.pyproject.exceptions().unwrap_or_default();
    let pins = lock_on_disk(context, base).map(|lock| pins_of(&lock, &exceptions)).unwrap_or_default();
    let held = held_in(&reason, &pins, &locked.image.name);
    if held.is_empty() {
        return plain();
    }
    let packages: Vec<String> = held.iter().map(|(package, version)| format!("{package} {version}")).collect();
    let first = held.keys().next().map_or("", PackageName::as_str);
    Fault {
        what: format!("lock {name}: {} has {}, and that doesn't fit: {reason}", base.name, packages.join(", ")),
        help: Some(format!(
            "change {base} (`cargo xtask lock {base} --update={first} --with-dependents`) or what {name} requires; or let \
             them differ: [tool.core-images.exceptions] {first} = \"<reason>\" in {folder}/{PYPROJECT}",
            base = base.name,
            folder = locked.image.folder.display()
        )),
        ..fault.clone()
    }
}

/// The pinned packages that a resolver's explanation speaks of as pinned, with their versions.
fn held_in(reason: &str, pins: &Pins, image: &ImageName) -> BTreeMap<PackageName, String> {
    let project = PackageName::from(image.as_str());
    let words: Vec<&str> = reason.split_whitespace().collect();
    let held = words.windows(2).filter_map(|pair| {
        let (package, version) =
            (PackageName::from(pair[0]), pair[1].trim_matches(['(', ')', ',', '.']).trim_start_matches('='));
        let pinned = pins.get(&package)?.iter().any(|pin| pin.version == version);
        (pinned && package != project).then(|| (package, version.to_owned()))
    });
    held.collect()
}
