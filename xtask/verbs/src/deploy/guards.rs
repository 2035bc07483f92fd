//! What keeps `deploy` from pushing: all of it is known before, so all of it is reported at once.

use super::objections::{Objections, Repair};
use crate::{
    common::{
        identity::{Fingerprints, fingerprints},
        local::outdated,
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
use project::{Image, ImageName, Project, error::Fault};

/// # Errors
/// All objections at once.
pub fn check(project: &Project, facts: &Facts, images: &[&Image], flags: &flags::Deploy) -> Result<(), Fault> {
    facts.engine.answered("deploy")?;
    let names: Vec<ImageName> = images.iter().map(|image| image.name.clone()).collect();
    // Without, nobody knows what is outdated: a gate fails closed.
    let known = fingerprints(project, facts, &facts.engine, &names)?;
    let world = World { project, facts, known };
    let mut objections = Objections::default();
    for image in images {
        judge(&world, image, flags, &mut objections)?;
    }
    objections.refuse(project)
}

/// What objections are judged by.
struct World<'a> {
    project: &'a Project,
    facts: &'a Facts,
    known: Fingerprints,
}

fn judge(world: &World, image: &Image, flags: &flags::Deploy, to: &mut Objections) -> Result<(), Fault> {
    let World { project, facts, .. } = world;
    match facts.engine.find(&image.reference) {
        None => {
            let why = format!("the engine has no image {}", image.reference);
            to.add(image, &why, Repair::Build(vec![image.name.clone()]), None);
        }
        // What is built again is validated again.
        Some(found) if is_wrong(world, image, found, flags, to) => {}
        Some(_) if flags.force_unvalidated => {}
        Some(_) if image.suite.is_none() => {
            to.add(image, "has no suite that could pass", Repair::None, Some("--force-unvalidated"));
        }
        Some(found) => {
            let key = Key::of(project, facts, image, found.content(), stage(found))?;
            if key.passed(&facts.files).is_none() {
                let why = format!("its suite, as it is now, has not passed for {}", found.id);
                to.add(image, &why, Repair::Validate, Some("--force-unvalidated"));
            }
        }
    }
    if facts.registry.get(&image.reference) == Some(&Published::NoRepository) {
        no_repository(image, to);
    }
    Ok(())
}

/// The stage that a label names, which production has none of.
fn stage(found: &Inspected) -> Option<&str> {
    found.labels.get(STAGE_LABEL).filter(|stage| !stage.is_empty()).map(String::as_str)
}

/// Do an image's own labels, or its base, say something against it?
fn is_wrong(world: &World, image: &Image, found: &Inspected, flags: &flags::Deploy, to: &mut Objections) -> bool {
    let World { project, facts, known } = world;
    let stand_ins = docker::stand_ins(&found.labels).join(", ");
    if !stand_ins.is_empty() && !image.reference.is_loopback() {
        let why = format!("built on a stand-in ({stand_ins}), which may only go to a registry on this machine");
        let advice = "build what is built on a stand-in where what it stands in for can be reached";
        to.add(image, &why, Repair::Advice(advice), None);
    } else if let Some(stage) = stage(found).filter(|_| !flags.force_development) {
        let why = format!("built at the {stage} stage, or on a base that was");
        to.add(image, &why, Repair::Build(vec![image.name.clone()]), Some("--force-development"));
    // A registry on this machine publishes nothing.
    } else if has_no_revision(found) && !image.reference.is_loopback() && !flags.force_no_revision {
        let why = format!("its label {REVISION_LABEL} is empty, so nobody can tell what it was built from");
        to.add(image, &why, Repair::BuildAgain, Some("--force-no-revision"));
        to.advise("`git status` tells why git says nothing");
    } else if let Some(outdated) = outdated(&facts.engine, project, known, image).filter(|_| !flags.force_outdated) {
        let names = outdated.rebuild.iter().map(|name| (*name).clone()).collect();
        let why = format!("outdated, since {}", outdated.why());
        to.add(image, &why, Repair::Build(names), Some("--force-outdated"));
    } else {
        return false;
    }
    true
}

/// Git said nothing when it was built. (What has no such label wasn't built by these compose files.)
pub fn has_no_revision(found: &Inspected) -> bool {
    found.labels.get(REVISION_LABEL).is_some_and(String::is_empty)
}

/// ECR makes no repository by itself.
pub fn no_repository(image: &Image, to: &mut Objections) {
    let region = match Ecr::of(&image.reference.registry) {
        Some(Ecr::Private { region, .. }) => format!(" --region {region}"),
        _ => String::new(),
    };
    let repository = &image.reference.repository;
    let create = format!("aws ecr create-repository --repository-name {repository}{region}");
    to.add(image, &format!("the registry has no repository {repository}"), Repair::Run(create), None);
}
