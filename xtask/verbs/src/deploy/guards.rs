//! What keeps `deploy` from pushing: all of it is known before, so all of it is reported at once.

use crate::{
    common::{
        identity::{Fingerprints, fingerprints},
        local::{outdated, rebuild},
        rerun::rerun,
    },
    flags,
    validate::record::Key,
};
use plan::{
    Facts,
    facts::Published,
    tools::{
        aws::Ecr,
        docker::{self, Inspected, REVISION_LABEL, STAGE_LABEL},
    },
};
use project::{
    Environment, Image, ImageName, Project,
    error::{Cause, Fault},
};

/// Why an image must not be pushed, and what helps.
pub type Objection = (String, String);

/// # Errors
/// All objections at once.
pub fn check(project: &Project, facts: &Facts, images: &[&Image], flags: &flags::Deploy) -> Result<(), Fault> {
    facts.engine.answered("deploy")?;
    let names: Vec<ImageName> = images.iter().map(|image| image.name.clone()).collect();
    // Without, nobody knows what is outdated: a gate fails closed.
    let known = fingerprints(project, facts, &facts.engine, &names)?;
    let world = World { project, facts, known };
    let objections = images.iter().map(|image| objection(&world, image, flags)).collect::<Result<Vec<_>, _>>()?;
    refuse(objections.into_iter().flatten().collect())
}

/// # Errors
/// The objections, where there are any.
pub fn refuse(objections: Vec<Objection>) -> Result<(), Fault> {
    if objections.is_empty() {
        return Ok(());
    }
    let (why, help): (Vec<_>, Vec<_>) = objections.into_iter().unzip();
    Err(Fault::new(Cause::Refused, format!("deploy: nothing was pushed: {}", why.join("; "))).help(help.join("; ")))
}

/// What objections are judged by.
struct World<'a> {
    project: &'a Project,
    facts: &'a Facts,
    known: Fingerprints,
}

fn objection(world: &World, image: &Image, flags: &flags::Deploy) -> Result<Option<Objection>, Fault> {
    let World { project, facts, .. } = world;
    let name = &image.name;
    // What may be published is built as ci builds it.
    let as_ci = |command: &str| rerun(project, Environment::Ci, &format!("cargo xtask {command}"));
    let Some(found) = facts.engine.find(&image.reference) else {
        let why = format!("{name}: the engine has no image {}", image.reference);
        return Ok(Some((why, as_ci(&format!("build {name}")))));
    };
    let passed = flags.force_unvalidated
        || image.suite.is_some() && {
            let key = Key::of(project, facts, image, found.content(), stage(found))?;
            key.passed(&facts.files).is_some()
        };
    let objection = of_image(world, image, found, flags)
        .or_else(|| {
            let why = format!("{name}: its suite, as it is now, has not passed for {}", found.id);
            (!passed).then(|| (why, as_ci(&format!("validate {name} (or --force-unvalidated)"))))
        })
        .or_else(|| {
            let is_missing = facts.registry.get(&image.reference) == Some(&Published::NoRepository);
            is_missing.then(|| no_repository(image))
        });
    Ok(objection)
}

/// The stage that a label names, which production has none of.
fn stage(found: &Inspected) -> Option<&str> {
    found.labels.get(STAGE_LABEL).filter(|stage| !stage.is_empty()).map(String::as_str)
}

/// What an image's own labels, and its base, say against it.
fn of_image(world: &World, image: &Image, found: &Inspected, flags: &flags::Deploy) -> Option<Objection> {
    let World { project, facts, known } = world;
    let name = &image.name;
    let as_ci = |command: &str| rerun(project, Environment::Ci, command);
    let stand_ins = docker::stand_ins(&found.labels).join(", ");
    if !stand_ins.is_empty() && !image.reference.is_loopback() {
        let why = format!("{name}: built on a stand-in ({stand_ins}), which may only go to a registry on this machine");
        return Some((why, "build it where what it stands in for can be reached".to_owned()));
    }
    if let Some(stage) = stage(found).filter(|_| !flags.force_development) {
        let why = format!("{name}: built at the {stage} stage, or on a base that was");
        return Some((why, as_ci(&format!("cargo xtask build {name} (or --force-development)"))));
    }
    // A registry on this machine publishes nothing.
    if has_no_revision(found) && !image.reference.is_loopback() && !flags.force_no_revision {
        let why = format!("{name}: its label {REVISION_LABEL} is empty, so nobody can tell what it was built from");
        // By its inputs it is up to date: only a build without the cache makes it again.
        let build = format!("cargo xtask build {name} --use-docker-cache=false (or --force-no-revision)");
        let build = as_ci(&build);
        return Some((why, format!("`git status` tells why git says nothing; then {build}")));
    }
    let outdated = outdated(&facts.engine, project, known, image).filter(|_| !flags.force_outdated)?;
    let why = format!("{name}: outdated, since {}", outdated.why());
    Some((why, as_ci(&format!("{} (or --force-outdated)", rebuild([&outdated])))))
}

/// Git said nothing when it was built. (What has no such label wasn't built by these compose files.)
pub fn has_no_revision(found: &Inspected) -> bool {
    found.labels.get(REVISION_LABEL).is_some_and(String::is_empty)
}

/// ECR makes no repository by itself.
pub fn no_repository(image: &Image) -> Objection {
    let region = match Ecr::of(&image.reference.registry) {
        Some(Ecr::Private { region, .. }) => format!(" --region {region}"),
        _ => String::new(),
    };
    let repository = &image.reference.repository;
    let why = format!("{}: the registry has no repository {repository}", image.name);
    (why, format!("aws ecr create-repository --repository-name {repository}{region}"))
}
