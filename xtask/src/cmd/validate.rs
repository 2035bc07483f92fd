//! `validate`: an image's suite, in a container of the image exactly as built; and the record that deploy asks for.

use super::{Context, again, engine};
use crate::{
    exec::{Outcome, first_failure},
    flags,
    junit::{Counts, Failed},
    plan::{Action, Plan, Step, quote},
    tools::docker::{self, Compose},
    ui::Style,
};
use anyhow::{Context as _, Result};
use project::{
    Image, ImageName, Project,
    error::{Cause, Fault},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Where the suites' reports lie, below the root.
const REPORTS: &str = "target/validate";
/// How many of a suite's failed tests are told; the report has them all.
const SHOWN: usize = 10;

/// That a suite has passed for exactly this image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    pub image: String,
    pub id: String,
    /// The stage whose promises the suite held it against.
    pub stage: Option<String>,
    pub counts: Counts,
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

/// `arguments` are pytest's, beside those that the suite's command has.
pub fn plan(context: &Context, compose: &Compose, images: &[(&Image, &str)], arguments: &[String]) -> Plan {
    let mut plan = Plan::default();
    for (image, suite) in images {
        let name = &image.name;
        let folder = context.shown(Path::new(REPORTS).join(name.as_str()));
        let prepare = plan.push(Step::new(format!("make {}", folder.display()), Action::OpenDir(folder)));
        let container = container(suite);
        let run = compose.suite(suite, &container, arguments);
        let mut step = Step::new(format!("validate {name}"), Action::Run(run)).image(name);
        step.after = vec![prepare];
        step.rescue = vec![Action::Run(docker::remove_container(&container))];
        step.suite = true;
        plan.push(step);
    }
    plan.summary = images.len() > 1;
    plan
}

/// The suite names its folders itself: a path here would be run as well, not instead.
fn are_options(arguments: &[String]) -> Result<(), Fault> {
    let is_path = |word: &str| {
        !word.starts_with('-')
            && (word.contains('/') || word.contains("::") || Path::new(word).extension() == Some("py".as_ref()))
    };
    // What stands behind an option may be its value.
    let takes_value = |word: &str| word.starts_with("--") || ["-k", "-m", "-W", "-o", "-p", "-c"].contains(&word);
    let is_value = |i: usize| i > 0 && takes_value(&arguments[i - 1]);
    match arguments.iter().enumerate().find(|(i, word)| is_path(word) && !is_value(*i)) {
        None => Ok(()),
        Some((_, word)) => Err(Fault::usage(format!("validate: after --, '{word}' is no option of pytest's"))
            .help("choose tests by their names: -- -k NAME")),
    }
}

pub fn run(context: &Context, flags: &flags::Validate) -> Result<()> {
    are_options(&flags.pytest)?;
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
    let plan = plan(context, &context.compose(&project), &images, &flags.pytest);
    if context.shows(&plan)? || images.is_empty() {
        return Ok(());
    }
    context.require(&[])?;
    let _claims = context.claim("validate", images.iter().map(|(image, _)| &image.name))?;
    let ids = images.iter().map(|(image, _)| id(context, &project, image)).collect::<Result<Vec<_>>>()?;
    let tested: Vec<ImageName> = images.iter().map(|(image, _)| image.name.clone()).collect();
    for (name, outdated) in engine::outdated(context, &project, &tested)? {
        let help = again(&project, project.environment, &engine::rebuild([&outdated]));
        context.note(&format!("{name}: outdated, for {} was built anew: `{help}`", outdated.base));
    }
    let outcomes = context.exec.run_all(&plan)?;
    // After a failure too: the others may have passed.
    let mut faults = Vec::new();
    for ((image, _), id) in images.iter().zip(ids) {
        let ended = plan.steps.iter().zip(&outcomes).find(|(step, _)| step.image.as_ref() == Some(&image.name));
        if let Some((_, outcome)) = ended {
            // What can't be told of one suite must not keep the others' from being told.
            let fault = judge(context, &project, image, id, outcome, flags.pytest.is_empty());
            let own = |error: anyhow::Error| {
                Fault::new(Cause::Tool { code: 1, said: String::new() }, format!("validate {}: {error:#}", image.name))
            };
            let fault = fault.unwrap_or_else(|error| Some(error.downcast::<Fault>().unwrap_or_else(own)));
            if let Some(fault) = fault {
                context.ui().annotate(&format!("validate {}", image.name), &fault.what);
                faults.push((matches!(outcome, Outcome::Failed(_)), fault));
            }
        }
    }
    // A test that fails says more than a suite that can't be counted.
    let fault = faults.into_iter().min_by_key(|(failed, _)| !failed).map(|(_, fault)| fault);
    fault.or_else(|| first_failure(outcomes)).map_or(Ok(()), |fault| Err(fault.into()))
}

/// Shows what the suite's report says, and records that it passed for the image with this id; else, why it didn't.
fn judge(
    context: &Context,
    project: &Project,
    image: &Image,
    id: String,
    outcome: &Outcome,
    whole: bool,
) -> Result<Option<Fault>> {
    let name = &image.name;
    let path = report(name);
    let junit = context.exec.masked(&fs::read_to_string(context.root.join(&path)).unwrap_or_default());
    let (counts, failed) = (Counts::of(&junit), Failed::all(&junit));
    if !junit.is_empty() {
        context.note(&format!("{name}: {counts}  ({})", context.shown(&path).display()));
    }
    for failed in failed.iter().take(SHOWN) {
        context.note(&context.ui().paint(Style::Bad, &format!("  ✗ {failed}")));
    }
    if failed.len() > SHOWN {
        context.note(&format!("  … {} more in {}", failed.len() - SHOWN, context.shown(&path).display()));
    }
    // The suite's exit code has the last word: a report knows nothing of a crash after the last test.
    match outcome {
        Outcome::Done => {}
        Outcome::Failed(fault) => return Ok(Some(told(project, fault, name, &failed))),
        Outcome::Present | Outcome::PassedOver | Outcome::NotRun => return Ok(None),
    }
    let unsound = |why: &str, help: &str| {
        let what = format!("validate {name}: the suite ended well, but {} {why}", path.display());
        Ok(Some(Fault::project(what).help(format!("see that {name}-tests {help}"))))
    };
    if counts.failures + counts.errors > 0 {
        return unsound("counts a test that failed", "ends as pytest does");
    }
    if !whole {
        context.note(&format!("{name}: only a part of its suite, so this isn't recorded as validated"));
        return Ok(None);
    }
    if counts.tests == counts.skipped {
        return unsound("has no test that was run", "passes --junitxml=/reports/junit.xml to pytest");
    }
    // A build meanwhile may have given the tag to another image, which is then the one that was tested.
    if self::id(context, project, image)? != id {
        let fault = Fault::new(Cause::Busy, format!("validate {name}: the image was built anew meanwhile"));
        let command = again(project, project.environment, &format!("cargo xtask validate {name}"));
        return Ok(Some(fault.help(format!("validate it again: `{command}`"))));
    }
    let passed = Passed { image: image.reference.to_string(), id, stage: image.stage.clone(), counts };
    write_record(&context.root, &passed).map(|()| None)
}

/// A suite's failure by its report: the command's exit code says no more than that there is one.
fn told(project: &Project, fault: &Fault, name: &ImageName, failed: &[Failed]) -> Fault {
    let (Cause::Tool { code, .. }, Some(first)) = (&fault.cause, failed.first()) else { return fault.clone() };
    let more = match failed.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let command = format!("cargo xtask validate {name} -- -k {}", quote(first.function()));
    let command = again(project, project.environment, &command);
    Fault::new(fault.cause.clone(), format!("validate {name}: {name}-tests ended with exit code {code}: {first}{more}"))
        .help(format!("run it alone: `{command}`"))
}

fn write_record(root: &Path, passed: &Passed) -> Result<()> {
    let path = record(root, &passed.id);
    let text = serde_json::to_string_pretty(&passed.json()).context("writing the record of a passed suite as JSON")?;
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

/// The id of an image that must be in the engine.
fn id(context: &Context, project: &Project, image: &Image) -> Result<String> {
    let output = context.exec.capture(&docker::image_id(&image.reference))?;
    if output.success {
        return Ok(output.stdout);
    }
    let command = again(project, project.environment, &format!("cargo xtask build {}", image.name));
    Err(Fault::usage(format!("validate {}: the engine has no image {}", image.name, image.reference))
        .help(format!("build it first: `{command}`"))
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
}
