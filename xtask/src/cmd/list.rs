//! `list`: what there is, and what the engine has of it.

use super::{
    Context,
    engine::{self, Answer, Local},
};
use crate::{
    plan::{Action, Plan, Step},
    ui::{Style, table},
};
use anyhow::{Context as _, Result};
use project::{Image, Project};
use serde_json::{Value, json};
use std::time::SystemTime;

#[derive(Debug)]
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

impl Row {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "reference": self.reference,
            "bases": self.bases,
            "hardware": self.hardware,
            "description": self.description,
            "stage": self.stage,
            "lock": self.lock,
            "suite": self.suite,
            "local": self.local.as_ref().map(Local::json),
        })
    }
}

fn row(context: &Context, project: &Project, image: &Image, engine: Option<&Answer>) -> Row {
    Row {
        name: image.name.to_string(),
        bases: project.standing_on(image).map(ToString::to_string).collect(),
        hardware: image.about.as_ref().map(|about| about.hardware.clone()),
        description: image.about.as_ref().map(|about| about.description.clone()),
        stage: image.stage.clone(),
        lock: context.has(image.folder.join("poetry.lock")),
        suite: image.suite.is_some(),
        local: engine.and_then(|answer| answer.of(project, image)),
        reference: image.reference.to_string(),
    }
}

pub fn run(context: &Context) -> Result<()> {
    let project = context.project()?;
    let question = engine::question(project.family());
    let mut plan = Plan::default();
    plan.push(Step::new("ask the engine", Action::Run(question.clone())));
    if context.shows(&plan)? {
        return Ok(());
    }
    let engine = engine::ask(context, &question);
    let rows: Vec<Row> = project.family().map(|image| row(context, &project, image, engine.as_ref())).collect();
    if context.globals.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        data_line!("{}", serde_json::to_string_pretty(&rows).context("writing the list as JSON")?);
        return Ok(());
    }
    data!("{}", table(&cells(&rows)));
    if engine.is_none() {
        context.note(
            &context.ui().paint(Style::Dim, "The docker engine doesn't answer: what it has of these isn't shown."),
        );
    }
    Ok(())
}

fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let head =
        ["IMAGE", "BASE", "HARDWARE", "LOCK", "SUITE", "LOCAL ID", "STAGE", "SIZE", "AGE", "MARKS", "DESCRIPTION"];
    let mark = |there: bool| if there { "yes" } else { "no" }.to_owned();
    let cells = rows.iter().map(|row| {
        let short = |reference: &String| reference.rsplit('/').next().unwrap_or_default().to_owned();
        let local = |get: fn(&Local) -> String| row.local.as_ref().map_or("-".to_owned(), get);
        vec![
            row.name.clone(),
            row.bases.iter().map(short).collect::<Vec<_>>().join(" "),
            row.hardware.clone().unwrap_or_else(|| "-".to_owned()),
            mark(row.lock),
            mark(row.suite),
            local(|l| l.short_id().to_owned()),
            local(|l| l.stage().to_owned()),
            local(|l| engine::size(l.size)),
            local(|l| l.age(SystemTime::now())),
            local(|l| l.marks().join(", ")),
            row.description.clone().unwrap_or_default(),
        ]
    });
    std::iter::once(head.map(str::to_owned).to_vec()).chain(cells).collect()
}
