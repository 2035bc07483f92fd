//! `deploy`: push what was built for production and validated, and have the registry confirm it.

use super::{
    Context, again,
    engine::{self, Outdated},
    login,
    validate::has_passed,
};
use crate::{
    flags, interrupt,
    plan::{Action, Plan, Step},
    tools::docker::{self, Inspected, STAGE_LABEL},
};
use anyhow::Result;
use project::{
    Environment, Image, Project,
    error::{Cause, Fault},
};
use serde_json::{Value, json};
use std::path::Path;

/// The pushes, one after another and bases first, so that what is in the registry never lacks its base. Each is held once
/// more against what the guards saw, where they have: what goes before it can take an hour.
fn pushes(context: &Context, project: &Project, images: &[(&Image, Option<&Inspected>)]) -> Plan {
    let compose = context.compose(project);
    let mut plan = Plan::default();
    for (image, found) in images {
        let push = compose.push(&image.name);
        let push = match found {
            None => Action::Run(push),
            Some(found) => {
                let what = format!("push {}: the engine no longer has it as it was checked", image.name);
                let validate = format!("cargo xtask validate {}", image.name);
                let fault = Fault::new(Cause::Busy, what).help(again(project, Environment::Ci, &validate));
                Action::OnlyIf(docker::is_still(&image.reference, &found.id), push, fault)
            }
        };
        let mut step = Step::new(format!("push {}", image.name), push).image(&image.name);
        step.retry = true;
        step.relogin = Some(Box::new(login::action(context, project, &image.reference.registry)));
        plan.then(step);
    }
    plan
}

fn confirmations(images: &[&Image]) -> Plan {
    let mut plan = Plan::default();
    for image in images {
        plan.push(Step::new(
            format!("confirm {}", image.name),
            Action::Run(docker::registry_descriptor(&image.reference)),
        ));
    }
    plan
}

/// Why this image must stay here, with what would help, a command of ours told by `again`; nothing where it may go.
fn objection(
    root: &Path,
    again: &dyn Fn(&str) -> String,
    image: &Image,
    found: Option<&Inspected>,
    outdated: Option<&Outdated>,
    flags: &flags::Deploy,
) -> Option<(String, String)> {
    let name = &image.name;
    let Some(found) = found else {
        let why = format!("{name}: the engine has no image {}", image.reference);
        return Some((why, again(&format!("cargo xtask build {name}"))));
    };
    let stand_ins = docker::stand_ins(&found.labels).join(", ");
    if !stand_ins.is_empty() && !image.reference.is_loopback() {
        let why = format!("{name}: built on a stand-in ({stand_ins}), which may only go to a registry on this machine");
        return Some((why, "build it where what it stands in for can be reached".to_owned()));
    }
    let stage = found.labels.get(STAGE_LABEL).filter(|stage| !stage.is_empty());
    if let Some(stage) = stage
        && !flags.force_development
    {
        let why = format!("{name}: built at the {stage} stage, or on a base that was");
        return Some((why, again(&format!("cargo xtask build {name} (or --force-development)"))));
    }
    if let Some(outdated) = outdated.filter(|_| !flags.force_outdated) {
        let why = format!("{name}: outdated, for {} was built anew since", outdated.base);
        return Some((why, again(&format!("{} (or --force-outdated)", engine::rebuild([outdated])))));
    }
    if !has_passed(root, &found.id, stage.is_some()) && !flags.force_unvalidated {
        let why = format!("{name}: no suite has passed for {}", found.id);
        return Some((why, again(&format!("cargo xtask validate {name} (or --force-unvalidated)"))));
    }
    None
}

pub fn run(context: &Context, flags: &flags::Deploy) -> Result<()> {
    let project = context.project()?;
    let names = flags.images.of(&project)?;
    let ordered = project.with_bases(&names)?;
    let images: Vec<&Image> = ordered.into_iter().filter(|image| names.contains(&image.name)).collect();
    if let Some(image) = images.iter().find(|image| image.reference.registry.is_empty()) {
        return Err(Fault::usage(format!("deploy {}: {} is never published", image.name, image.reference))
            .help("`cargo xtask list` shows what is")
            .into());
    }
    let question = engine::question_with_bases(&project, &names)?;
    let mut shown = Plan::default();
    shown.push(Step::new("ask the engine", Action::Run(question.clone())));
    shown.extend(pushes(context, &project, &images.iter().map(|image| (*image, None)).collect::<Vec<_>>()));
    shown.extend(confirmations(&images));
    if context.shows(&shown)? {
        return Ok(());
    }
    context.require(&[])?;
    let _claims = context.claim("deploy", images.iter().map(|image| &image.name))?;

    let answer = engine::ask(context, &question).ok_or_else(|| {
        Fault::new(Cause::Unavailable, format!("deploy: the engine gives no list of images to `{question}`"))
            .help("`cargo xtask doctor` shows what is wrong")
    })?;
    let images: Vec<(&Image, Option<&Inspected>)> =
        images.into_iter().map(|image| (image, answer.find(image))).collect();
    // What may be published is built as ci builds it.
    let as_ci = |command: &str| again(&project, Environment::Ci, command);
    let objections: Vec<_> = images
        .iter()
        .filter_map(|(image, found)| {
            objection(&context.root, &as_ci, image, *found, answer.outdated(&project, image).as_ref(), flags)
        })
        .collect();
    if !objections.is_empty() {
        let (why, help): (Vec<_>, Vec<_>) = objections.into_iter().unzip();
        return Err(Fault::new(Cause::Refused, format!("deploy: nothing was pushed: {}", why.join("; ")))
            .help(help.join("; "))
            .into());
    }

    let (there, wanted): (Vec<_>, Vec<_>) =
        images.iter().partition(|(image, found)| found.is_some_and(|found| is_there(context, image, found)));
    for (image, _) in there {
        context.note(&format!("{}: the registry has this very image already", image.name));
    }
    let pushed = context.exec.run(&pushes(context, &project, &wanted));
    if interrupt::interrupted() {
        // What would be asked now is stopped as soon as it begins, and its silence proves nothing.
        return pushed;
    }

    // Also after a failure: what did arrive is there, and a person must know it.
    let mut unconfirmed = Vec::new();
    for (image, found) in &images {
        let arrived = found.is_some_and(|found| is_there(context, image, found));
        match arrived.then(|| confirmed(context, image)).flatten() {
            Some(digest) => print_digest(context, image, &digest),
            None => unconfirmed.push(image.name.as_str()),
        }
    }
    let command = format!("cargo xtask deploy {}", unconfirmed.join(" "));
    let command = again(&project, project.environment, &command);
    let retry = format!("run `{command}` again; what is there already is left alone");
    match (pushed, unconfirmed.is_empty()) {
        (Ok(()), true) => Ok(()),
        (Err(error), true) => {
            // A tag that can't be overwritten, say, with this very image behind it.
            context.note(&format!("a push failed, but everything is there: {error:#}"));
            Ok(())
        }
        (Err(error), false) => {
            context.note(&format!("not in the registry: {}", unconfirmed.join(", ")));
            match error.downcast::<Fault>() {
                Ok(fault) => Err(Fault {
                    help: Some(fault.help.map_or(retry.clone(), |help| format!("{help}; then {retry}"))),
                    ..fault
                }
                .into()),
                Err(error) => Err(error),
            }
        }
        (Ok(()), false) => {
            let what =
                format!("deploy: the registry doesn't confirm {} as this machine has it", unconfirmed.join(", "));
            Err(Fault::new(Cause::Unavailable, what).help(retry).into())
        }
    }
}

/// The digest that the registry gives for the image's tag.
fn confirmed(context: &Context, image: &Image) -> Option<String> {
    let output = context.exec.capture(&docker::registry_descriptor(&image.reference)).ok()?;
    let descriptor: Value = serde_json::from_str(&output.stdout).ok().filter(|_| output.success)?;
    descriptor["digest"].as_str().map(str::to_owned)
}

fn print_digest(context: &Context, image: &Image, digest: &str) {
    if context.globals.json {
        data_line!(
            "{}",
            json!({"image": image.name.as_str(), "reference": image.reference.to_string(), "digest": digest})
        );
    } else {
        data_line!("{}@{digest}", image.reference);
    }
}

/// Does the registry's tag lead to the very image that the engine has? Its id is the digest of its configuration, which
/// the manifest names. (Asked of the manifest, since a push to a registry with immutable tags fails even where nothing
/// would change.)
fn is_there(context: &Context, image: &Image, found: &Inspected) -> bool {
    let output = context.exec.capture(&docker::registry_manifest(&image.reference));
    let Some(output) = output.ok().filter(|output| output.success) else { return false };
    let manifest: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    // In an engine with containerd's image store the id is the manifest's digest, or an index's.
    manifest["config"]["digest"] == found.id.as_str()
        || confirmed(context, image).is_some_and(|digest| digest == found.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards() {
        let image = |registry: &str| Image {
            name: "a".parse().unwrap(),
            reference: format!("{registry}/a:1").parse().unwrap(),
            stage: None,
            folder: "images/a".into(),
            dockerfile: "images/a/Dockerfile".into(),
            bases: Vec::new(),
            indexes: Vec::new(),
            about: None,
            helper: false,
            suite: None,
            definition: std::collections::BTreeMap::new(),
            ports: Vec::new(),
        };
        let found = |labels: &[(&str, &str)]| Inspected {
            id: "sha256:none".to_owned(),
            tags: Vec::new(),
            created: String::new(),
            size: 0,
            labels: labels.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            digests: Vec::new(),
            layers: Vec::new(),
        };
        let flags = |force_development, force_unvalidated| flags::Deploy {
            images: flags::Images { images: Vec::new(), all: true },
            force_development,
            force_outdated: false,
            force_no_revision: false,
            force_unvalidated,
        };
        let (ecr, local) = (image("1.dkr.ecr.us-east-1.amazonaws.com"), image("localhost:5000"));
        let says = |image: &Image, found: Option<&Inspected>, flags: flags::Deploy| {
            objection(Path::new("/nowhere"), &str::to_owned, image, found, None, &flags)
                .map_or("may go".to_owned(), |(why, _)| why)
        };
        assert!(says(&ecr, None, flags(true, true)).contains("has no image"));
        let stand_in = found(&[(docker::STAND_IN_LABEL, "debian")]);
        assert!(says(&ecr, Some(&stand_in), flags(true, true)).contains("stand-in (debian)"));
        assert_eq!(says(&local, Some(&stand_in), flags(true, true)), "may go");
        let index = |index: &str| found(&[("core-images.index.neuron", index)]);
        assert!(says(&ecr, Some(&index("stand-in")), flags(true, true)).contains("stand-in (neuron)"));
        assert_eq!(says(&ecr, Some(&index("https://vendor.example")), flags(true, true)), "may go");
        let development = found(&[(STAGE_LABEL, "development")]);
        assert!(says(&ecr, Some(&development), flags(false, true)).contains("development stage"));
        assert_eq!(says(&ecr, Some(&development), flags(true, true)), "may go");
        assert!(says(&ecr, Some(&found(&[])), flags(false, false)).contains("no suite has passed for sha256:none"));
    }
}
