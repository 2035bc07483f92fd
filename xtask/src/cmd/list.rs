//! `list`: what there is, and what the engine has of it.

use super::Context;
use crate::{
    plan::{Action, Invocation, Plan, Step},
    project::{Image, Project},
    tools::docker,
    ui::{Style, table},
};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::SystemTime};

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
    /// In bytes.
    size: u64,
    /// As the engine has it: RFC 3339.
    created: String,
    /// The stage that it bears the mark of; none for production.
    stage: Option<String>,
    stand_in: bool,
}

/// What `docker image inspect` says of an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    repo_tags: Option<Vec<String>>,
    created: String,
    size: u64,
    config: Option<Config>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

impl Inspected {
    fn local(&self) -> Local {
        let label = |name: &str| self.config.as_ref()?.labels.as_ref()?.get(name).cloned();
        Local {
            id: self.id.clone(),
            size: self.size,
            created: self.created.clone(),
            stage: label(docker::STAGE_LABEL),
            stand_in: label(docker::STAND_IN_LABEL).is_some(),
        }
    }
}

/// What the engine has of the family; nothing where it doesn't answer.
fn ask(context: &Context, question: &Invocation) -> Option<Vec<Inspected>> {
    let output = context.exec.capture(question).ok()?;
    // A missing image is an error of docker's, too; an engine that doesn't answer prints no list.
    serde_json::from_str(&output.stdout)
        .ok()
        .filter(|_| output.success || output.stderr.to_lowercase().contains("no such image"))
}

fn row(context: &Context, project: &Project, image: &Image, engine: Option<&[Inspected]>) -> Row {
    let reference = image.reference.to_string();
    let has = |found: &&Inspected| found.repo_tags.iter().flatten().any(|tag| *tag == reference);
    Row {
        name: image.name.to_string(),
        bases: project.standing_on(image).map(ToString::to_string).collect(),
        hardware: image.about.as_ref().map(|about| about.hardware.clone()),
        description: image.about.as_ref().map(|about| about.description.clone()),
        stage: image.stage.clone(),
        lock: context.has(image.folder.join("poetry.lock")),
        suite: image.suite.is_some(),
        local: engine.and_then(|found| found.iter().find(has)).map(Inspected::local),
        reference,
    }
}

pub fn run(context: &Context) -> Result<()> {
    let project = context.project()?;
    let references: Vec<_> = project.family().map(|image| &image.reference).collect();
    let question = docker::inspect_all(&references);
    let mut plan = Plan::default();
    plan.push(Step::new("ask the engine", Action::Run(question.clone())));
    if context.shows(&plan)? {
        return Ok(());
    }
    let engine = ask(context, &question);
    let rows: Vec<Row> = project.family().map(|image| row(context, &project, image, engine.as_deref())).collect();
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

/// `163 MB`, `5.5 GB`.
fn size(bytes: u64) -> String {
    let megabytes = bytes.div_ceil(1_000_000);
    if megabytes < 1000 {
        format!("{megabytes} MB")
    } else {
        format!("{}.{} GB", megabytes / 1000, megabytes % 1000 / 100)
    }
}

/// How long ago a time of the form `2026-11-22T17:25:04…` was, in its largest unit.
fn age(created: &str, now: SystemTime) -> Option<String> {
    let number = |range: std::ops::Range<usize>| created.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March: Howard Hinnant's days_from_civil.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
            - 719_469;
    let seconds = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let now = i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let (count, unit) = match (now - seconds).max(0) {
        age @ ..60 => (age, "s"),
        age @ ..3600 => (age / 60, "min"),
        age @ ..86_400 => (age / 3600, "h"),
        age => (age / 86_400, "d"),
    };
    Some(format!("{count} {unit}"))
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
            local(|l| l.id.trim_start_matches("sha256:").chars().take(12).collect()),
            local(|l| l.stage.clone().unwrap_or_else(|| "production".to_owned())),
            local(|l| size(l.size)),
            local(|l| age(&l.created, SystemTime::now()).unwrap_or_else(|| l.created.clone())),
            local(|l| if l.stand_in { "on a stand-in" } else { "" }.to_owned()),
            row.description.clone().unwrap_or_default(),
        ]
    });
    std::iter::once(head.map(str::to_owned).to_vec()).chain(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ages_and_sizes() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        // 2026-11-22T17:25:04Z, as date(1) counts it.
        let created = "2026-11-22T17:25:04.123456789Z";
        for (now, expected) in
            [(1_795_368_304, "0 s"), (1_795_368_363, "59 s"), (1_795_371_904, "1 h"), (1_795_541_104, "2 d")]
        {
            assert_eq!(age(created, at(now)).as_deref(), Some(expected));
        }
        assert_eq!(age("2024-02-29T00:00:00Z", at(1_709_164_860)).as_deref(), Some("1 min"));
        assert_eq!(age("soon", at(0)), None);
        assert_eq!((size(162_600_000), size(5_540_000_000)), ("163 MB".to_owned(), "5.5 GB".to_owned()));
    }
}
