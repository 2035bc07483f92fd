//! Which images are locked, in which order, and what poetry is asked for each.

use super::{LOCK, PYPROJECT};
use crate::flags;
use plan::{Facts, Note, tools::poetry::Task};
use project::{Image, ImageName, PackageName, Project, error::Fault, lockfile::Lockfile, pyproject::Pyproject};
use std::collections::{BTreeSet, HashMap};

/// An image with what its lock is made of.
pub struct Locked<'a> {
    pub image: &'a Image,
    pub pyproject: Pyproject,
    /// The lock as it is; nothing where there is none, or none that we can read.
    pub lock: Option<Lockfile>,
    /// Can poetry read it, and keep its versions?
    pub is_kept: bool,
    /// The image whose versions it keeps to.
    pub base: Option<&'a Image>,
    pub task: Task,
}

/// What a run is about.
pub struct Chosen<'a> {
    /// Bases first.
    pub images: Vec<Locked<'a>>,
    /// Images that are left out, with what they are coupled to.
    pub others: Vec<(ImageName, ImageName)>,
    pub notes: Vec<Note>,
}

/// # Errors
/// A file that can't be read, a package to update that is nowhere, or bases that go round in a circle.
pub fn images<'a>(flags: &flags::Lock, project: &'a Project, facts: &Facts) -> Result<Chosen<'a>, Fault> {
    let named = flags.images.of(project)?;
    let mut chosen = Chosen { images: Vec::new(), others: Vec::new(), notes: Vec::new() };
    let mut read: HashMap<&ImageName, Locked> = HashMap::new();
    for image in project.family() {
        let is_named = named.contains(&image.name);
        match locked(flags, project, facts, image, is_named)? {
            Some(locked) => {
                read.insert(&image.name, locked);
            }
            None if is_named => {
                let path = image.folder.join(PYPROJECT);
                chosen.notes.push(format!("{}: no {}, nothing to lock", image.name, path.display()).into());
            }
            None => {}
        }
    }
    let order = project.coupling_order(|image| read.get(&image.name)?.base)?;
    let mut wanted: BTreeSet<&ImageName> = BTreeSet::new();
    for image in order {
        let Some(locked) = read.remove(&image.name) else { continue };
        let base = locked.base.filter(|_| !locked.pyproject.is_apart().unwrap_or(false));
        let follows = flags.with_dependents && base.is_some_and(|base| wanted.contains(&base.name));
        if named.contains(&image.name) || follows {
            wanted.insert(&image.name);
            chosen.notes.extend(unreadable(facts, &locked)?);
            chosen.images.push(locked);
        } else if let Some(base) = base {
            chosen.others.push((image.name.clone(), base.name.clone()));
        }
    }
    known(flags, &chosen.images)?;
    Ok(chosen)
}

fn locked<'a>(
    flags: &flags::Lock,
    project: &'a Project,
    facts: &Facts,
    image: &'a Image,
    is_named: bool,
) -> Result<Option<Locked<'a>>, Fault> {
    let path = image.folder.join(PYPROJECT);
    let Some(text) = facts.files.text(&path)? else { return Ok(None) };
    let pyproject = Pyproject::parse(&path, text)?;
    let base = project.coupled_to(image, &pyproject)?;
    let path = image.folder.join(LOCK);
    let text = facts.files.text(&path).ok().flatten();
    let lock = text.and_then(|text| Lockfile::parse(&path, text).ok());
    let is_kept = text.is_some_and(Lockfile::is_poetrys);
    let task = task(flags, is_named, &pyproject, lock.as_ref());
    // A reason that is missing is reported now, not when the pins are made.
    pyproject.exceptions()?;
    Ok(Some(Locked { image, pyproject, lock, is_kept, base, task }))
}

/// What poetry is to do for an image, by the flags: a package is updated where it isn't the base's to decide.
fn task(flags: &flags::Lock, is_named: bool, pyproject: &Pyproject, lock: Option<&Lockfile>) -> Task {
    match &flags.update {
        _ if flags.check => Task::Check,
        Some(packages) if packages.is_empty() => Task::Regenerate,
        Some(packages) if is_named => {
            let (pins, installed) = (pyproject.pins(), lock.map(Lockfile::installed).unwrap_or_default());
            let packages = packages.iter().map(|package| PackageName::from(package.as_str()));
            let own = packages.filter(|package| !pins.contains_key(package) && installed.contains_key(package));
            let own: Vec<String> = own.map(|package| package.to_string()).collect();
            if own.is_empty() { Task::Lock } else { Task::Update(own) }
        }
        _ => Task::Lock,
    }
}

/// A lock that can't be read (merge markers, say) is not poetry's to read either: it is made from scratch, which is said.
fn unreadable(facts: &Facts, locked: &Locked) -> Result<Option<Note>, Fault> {
    let path = locked.image.folder.join(LOCK);
    let is_there = facts.files.has(&path);
    if !is_there && locked.task == Task::Check {
        let name = &locked.image.name;
        return Err(Fault::project(format!("checking the lock of {name}: no {}", path.display()))
            .help(format!("make it: `cargo xtask lock {name}`")));
    }
    if !is_there || locked.is_kept || locked.task == Task::Check {
        return Ok(None);
    }
    let why = facts.files.text(&path).and_then(|text| Lockfile::parse(&path, text.unwrap_or_default()).map(drop));
    let why = why.err().map_or(String::new(), |fault| fault.what);
    Ok(Some(format!("{}: {why}; it is made again from scratch", locked.image.name).into()))
}

/// A package to update must be in one of the images: a typo would go unnoticed.
fn known(flags: &flags::Lock, images: &[Locked]) -> Result<(), Fault> {
    // A lock that is made from scratch gets the newest of everything.
    if images.iter().any(|locked| locked.lock.is_none()) {
        return Ok(());
    }
    for package in flags.update.iter().flatten().map(|package| PackageName::from(package.as_str())) {
        let has = |locked: &Locked| locked.lock.as_ref().is_some_and(|lock| lock.installed().contains_key(&package));
        if !images.iter().any(has) {
            let names: Vec<&str> = images.iter().map(|locked| locked.image.name.as_str()).collect();
            return Err(Fault::usage(format!("lock --update={package}: no such package in {}", names.join(", ")))
                .help("`cargo xtask report` shows which package is where"));
        }
    }
    Ok(())
}
