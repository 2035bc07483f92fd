//! `validate`: an image's suite, in a container of the image exactly as built; and the record that deploy asks for.

use super::Context;
use crate::{
    exec::{Outcome, first_failure},
    flags,
    plan::{Action, Plan, Step},
    tools::docker::{self, Compose},
};
use anyhow::{Context as _, Result};
use project::{
    Image, ImageName,
    error::{Fault, Kind},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Where the suites' reports lie, below the root.
const REPORTS: &str = "target/validate";

/// That a suite has passed for exactly this image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    pub image: String,
    pub id: String,
    /// The stage whose promises the suite held it against.
    pub stage: Option<String>,
    pub counts: Counts,
}

/// What a JUnit report counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub tests: u32,
    pub failures: u32,
    pub errors: u32,
    pub skipped: u32,
}

impl Passed {
    fn parse(text: &str) -> Option<Passed> {
        let record: Value = serde_json::from_str(text).ok()?;
        let text = |name: &str| record[name].as_str().map(str::to_owned);
        let count = |name: &str| record[name].as_u64().and_then(|count| u32::try_from(count).ok());
        let counts = Counts {
            tests: count("tests")?,
            failures: count("failures")?,
            errors: count("errors")?,
            skipped: count("skipped")?,
        };
        Some(Passed { image: text("image")?, id: text("id")?, stage: text("stage"), counts })
    }

    fn json(&self) -> Value {
        let Counts { tests, failures, errors, skipped } = self.counts;
        json!({
            "image": self.image,
            "id": self.id,
            "stage": self.stage,
            "tests": tests,
            "failures": failures,
            "errors": errors,
            "skipped": skipped,
        })
    }
}

impl Counts {
    /// Adds up the `testsuite` elements' attributes: the format's summary, no need to understand the cases.
    pub fn of(junit: &str) -> Counts {
        let mut sum = Counts::default();
        for element in junit.split("<testsuite ").skip(1).filter_map(|rest| rest.split('>').next()) {
            let attribute = |name: &str| -> u32 {
                let value = element.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
                value.and_then(|value| value.parse().ok()).unwrap_or(0)
            };
            sum.tests += attribute("tests");
            sum.failures += attribute("failures");
            sum.errors += attribute("errors");
            sum.skipped += attribute("skipped");
        }
        sum
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let failed = self.failures + self.errors;
        let passed = self.tests.saturating_sub(failed + self.skipped);
        write!(f, "{passed} passed, {failed} failed, {} skipped", self.skipped)
    }
}

/// The record of a passed suite, by the image's id: whatever else is built, it speaks of that image only.
fn record(root: &Path, id: &str) -> PathBuf {
    root.join(REPORTS).join("passed").join(format!("{}.json", id.replace(':', "-")))
}

/// What a suite has passed for the image with this id, and when.
pub fn passed(root: &Path, id: &str) -> Option<(Passed, SystemTime)> {
    let path = record(root, id);
    let passed = Passed::parse(&fs::read_to_string(&path).ok()?)?;
    let time = fs::metadata(&path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    (passed.id == id).then_some((passed, time))
}

/// Has a suite passed for the image with this id, held against the promises of the stage that it was built at?
pub fn has_passed(root: &Path, id: &str, development: bool) -> bool {
    let held_against = |passed: &Passed| passed.stage.as_deref() == Some("development");
    passed(root, id).is_some_and(|(passed, _)| held_against(&passed) == development)
}

/// The name of a run's container: two runs in two clones don't meet.
fn container(suite: &str) -> String {
    format!("{suite}-{}", std::process::id())
}

/// An image's report, relative to the root.
pub fn report(image: &ImageName) -> PathBuf {
    Path::new(REPORTS).join(image.as_str()).join("junit.xml")
}

pub fn plan(context: &Context, compose: &Compose, images: &[(&Image, &str)]) -> Plan {
    let mut plan = Plan::default();
    for (image, suite) in images {
        let name = &image.name;
        let folder = context.shown(Path::new(REPORTS).join(name.as_str()));
        let prepare = plan.push(Step::new(format!("make {}", folder.display()), Action::OpenDir(folder)));
        let container = container(suite);
        let mut step = Step::new(format!("validate {name}"), Action::Run(compose.suite(suite, &container))).image(name);
        step.after = vec![prepare];
        step.rescue = vec![Action::Run(docker::remove_container(&container))];
        step.suite = true;
        plan.push(step);
    }
    plan.summary = images.len() > 1;
    plan
}

pub fn run(context: &Context, flags: &flags::Validate) -> Result<()> {
    let project = context.project()?;
    let mut names = flags.images.of(&project)?;
    if flags.with_dependents {
        names = project.with_dependents(&names)?;
    }
    let mut images = Vec::new();
    for name in &names {
        let image = project.image(name)?;
        match &image.suite {
            Some(suite) => images.push((image, suite.as_str())),
            None => {
                context.note(&format!("{name}: no service {name}-tests in {}, nothing to validate", project.file()));
            }
        }
    }
    let plan = plan(context, &context.compose(&project), &images);
    if context.shows(&plan)? || images.is_empty() {
        return Ok(());
    }
    context.require(&[])?;
    let _claims = context.claim("validate", images.iter().map(|(image, _)| &image.name))?;
    let ids = images.iter().map(|(image, _)| id(context, image)).collect::<Result<Vec<_>>>()?;
    let outcomes = context.exec.run_all(&plan)?;
    let ended = |image: &Image| {
        let step = plan.steps.iter().zip(&outcomes).find(|(step, _)| step.image.as_ref() == Some(&image.name));
        step.map(|(_, outcome)| outcome)
    };
    // After a failure too: the others may have passed, and where the report is helps with the one that hasn't.
    let (mut moved, mut unreported) = (Vec::new(), Vec::new());
    for ((image, _), before) in images.iter().zip(ids) {
        let path = context.root.join(report(&image.name));
        let Ok(junit) = fs::read_to_string(&path) else {
            unreported.push(&image.name);
            continue;
        };
        let counts = Counts::of(&junit);
        context.note(&format!("{}: {counts}  ({})", image.name, context.shown(report(&image.name)).display()));
        // The suite's exit code has the last word: a report knows nothing of a crash after the last test.
        if ended(image) != Some(&Outcome::Done) || counts.failures + counts.errors > 0 {
            continue;
        }
        if counts.tests == counts.skipped {
            unreported.push(&image.name);
            continue;
        }
        // A build meanwhile may have given the tag to another image, which is then the one that was tested.
        if id(context, image)? != before {
            moved.push(&image.name);
            continue;
        }
        let stage = image.stage.clone();
        let passed = Passed { image: image.reference.to_string(), id: before, stage, counts };
        write_record(&context.root, &passed)?;
    }
    if let Some(fault) = first_failure(outcomes) {
        return Err(fault.into());
    }
    if let Some(name) = unreported.first() {
        let why =
            format!("validate {name}: the suite ended well, but {} has no test that was run", report(name).display());
        return Err(Fault::project(why)
            .help(format!("see that {name}-tests passes --junitxml=/reports/junit.xml to pytest"))
            .into());
    }
    match moved.first() {
        None => Ok(()),
        Some(name) => Err(Fault::new(Kind::Busy, format!("validate {name}: the image was built anew meanwhile"))
            .help(format!("validate it again: `cargo xtask validate {name}`"))
            .into()),
    }
}

fn write_record(root: &Path, passed: &Passed) -> Result<()> {
    let path = record(root, &passed.id);
    let text = serde_json::to_string_pretty(&passed.json()).context("writing the record of a passed suite as JSON")?;
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

/// The id of an image that must be in the engine.
fn id(context: &Context, image: &Image) -> Result<String> {
    let output = context.exec.capture(&docker::image_id(&image.reference))?;
    if output.success {
        return Ok(output.stdout);
    }
    Err(Fault::usage(format!("validate {}: the engine has no image {}", image.name, image.reference))
        .help(format!("build it first: `cargo xtask build {}`", image.name))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let counts = Counts { tests: 4, failures: 1, errors: 2, skipped: 3 };
        for stage in [None, Some("development".to_owned())] {
            let passed = Passed { image: "a".to_owned(), id: "sha256:1".to_owned(), stage, counts };
            assert_eq!(Passed::parse(&passed.json().to_string()), Some(passed));
        }
        assert_eq!(Passed::parse(r#"{"image": "a", "id": "sha256:1", "stage": null}"#), None);
    }

    #[test]
    fn counts() {
        let junit = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="0.1"><testcase/></testsuite></testsuites>"#;
        let counts = Counts::of(junit);
        assert_eq!(counts, Counts { tests: 10, failures: 2, errors: 1, skipped: 3 });
        assert_eq!(counts.to_string(), "4 passed, 3 failed, 3 skipped");
    }
}
