//! `list`: what there is, and what the engine has of it.

use super::Context;
use crate::{
    exec::Output,
    project::{Image, Project},
    tools::docker,
    ui::{Style, table},
};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, thread};

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    reference: String,
    bases: Vec<String>,
    hardware: Option<String>,
    description: Option<String>,
    stage: Option<String>,
    lock: bool,
    suite: bool,
    /// What the engine has; nothing where it doesn't answer or has no such image.
    local: Option<Local>,
}

#[derive(Debug, Clone, Serialize)]
struct Local {
    id: String,
    size: String,
    age: String,
    stand_in: bool,
}

/// A line of `docker image ls --format json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(rename = "ID")]
    id: String,
    repository: String,
    tag: String,
    size: String,
    created_since: String,
}

fn listed(output: &Output) -> Result<Vec<Listed>> {
    output.stdout.lines().map(|line| serde_json::from_str(line).context("reading what docker lists")).collect()
}

fn row(context: &Context, project: &Project, image: &Image, engine: Option<&(Vec<Listed>, BTreeSet<String>)>) -> Row {
    let repository = || {
        let registry = &image.reference.registry;
        if registry.is_empty() {
            image.reference.repository.clone()
        } else {
            format!("{registry}/{}", image.reference.repository)
        }
    };
    let local = engine.and_then(|(listed, stand_ins)| {
        let repository = repository();
        let found = listed.iter().find(|l| l.repository == repository && l.tag == image.reference.tag)?;
        Some(Local {
            id: found.id.clone(),
            size: found.size.clone(),
            age: found.created_since.clone(),
            stand_in: stand_ins.contains(&found.id),
        })
    });
    Row {
        name: image.name.to_string(),
        reference: image.reference.to_string(),
        bases: project.standing_on(image).map(ToString::to_string).collect(),
        hardware: image.about.as_ref().map(|about| about.hardware.clone()),
        description: image.about.as_ref().map(|about| about.description.clone()),
        stage: image.stage.clone(),
        lock: context.has(image.folder.join("poetry.lock")),
        suite: image.suite.is_some(),
        local,
    }
}

/// Asks the engine while nothing else has to wait; no answer is an answer.
fn ask(context: &Context) -> Option<(Output, Output)> {
    let (images, stand_ins) = thread::scope(|scope| {
        let stand_ins = scope.spawn(|| context.exec.capture(&docker::list_stand_ins()));
        (context.exec.capture(&docker::list_images()), stand_ins.join())
    });
    match (images, stand_ins) {
        (Ok(images), Ok(Ok(stand_ins))) if images.success && stand_ins.success => Some((images, stand_ins)),
        _ => None,
    }
}

pub fn run(context: &Context) -> Result<()> {
    let (project, answer) = thread::scope(|scope| {
        let engine = scope.spawn(|| ask(context));
        (context.project(), engine.join().unwrap_or_default())
    });
    let project: Project = project?;
    let engine = match &answer {
        Some((images, stand_ins)) => {
            let stand_ins = listed(stand_ins)?.into_iter().map(|listed| listed.id).collect();
            Some((listed(images)?, stand_ins))
        }
        None => None,
    };
    let rows: Vec<Row> = project.family().map(|image| row(context, &project, image, engine.as_ref())).collect();
    if context.globals.json {
        println!("{}", serde_json::to_string_pretty(&rows).context("writing the list as JSON")?);
        return Ok(());
    }
    print!("{}", table(&cells(&rows)));
    if engine.is_none() {
        context.note(
            &context.ui().paint(Style::Dim, "The docker engine doesn't answer: what it has of these isn't shown."),
        );
    }
    Ok(())
}

fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let head = ["IMAGE", "BASE", "HARDWARE", "STAGE", "LOCK", "SUITE", "LOCAL ID", "SIZE", "AGE", "DESCRIPTION"];
    let mark = |there: bool| if there { "yes" } else { "no" }.to_owned();
    let cells = rows.iter().map(|row| {
        let short = |reference: &String| reference.rsplit('/').next().unwrap_or_default().to_owned();
        let local = |get: fn(&Local) -> String| row.local.as_ref().map_or("-".to_owned(), get);
        vec![
            row.name.clone(),
            row.bases.iter().map(short).collect::<Vec<_>>().join(" "),
            row.hardware.clone().unwrap_or_else(|| "-".to_owned()),
            row.stage.clone().unwrap_or_else(|| "-".to_owned()),
            mark(row.lock),
            mark(row.suite),
            local(|l| l.id.trim_start_matches("sha256:").chars().take(12).collect()),
            local(|l| l.size.clone()),
            local(|l| if l.stand_in { format!("{}, stand-in", l.age) } else { l.age.clone() }),
            row.description.clone().unwrap_or_default(),
        ]
    });
    std::iter::once(head.map(str::to_owned).to_vec()).chain(cells).collect()
}
