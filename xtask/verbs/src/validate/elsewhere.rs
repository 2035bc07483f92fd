//! What has passed on other machines, and what they are told: a pass is kept as an image without files but its record, which
//! is its label, too, so that one question brings it.

use super::{
    REPORTS, key,
    record::{Key, Passed},
};
use crate::common::shared::{self, Shared};
use plan::{Action, Compute, Facts, Inputs, Plan, Report, Source, Step, tools::docker};
use project::{
    Image, ImageName, ImageRef, Project,
    error::{Cause, Fault},
};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The label that holds the record.
const LABEL: &str = "core-images.passed";

/// Where what is kept for others is built, below the root.
pub fn folder(image: &ImageName) -> PathBuf {
    Path::new(REPORTS).join("shared").join(image.as_str())
}

/// The files of that folder.
pub fn files(folder: &Path, passed: &Passed) -> [(PathBuf, String); 2] {
    // Neither a reference nor a hash holds a quote.
    let dockerfile = format!("FROM scratch\nCOPY passed.json /\nLABEL {LABEL}='{}'\n", passed.line());
    [(folder.join("Dockerfile"), dockerfile), (folder.join("passed.json"), passed.text())]
}

/// What a dry run says of it.
pub fn foretold(project: &Project, rerun: bool) -> Option<String> {
    let takes = if rerun { "" } else { "takes over the passes that are kept there, and " };
    Shared::of(project).map(|shared| shared.foretold(&format!("{takes}keeps there what passes")))
}

type Suites<'a, 'b> = &'b [(&'a Image, &'a str)];

fn kept_at(project: &Project, name: &ImageName, key: &Key) -> Option<ImageRef> {
    Shared::of(project)?.pass(name, key.hash())
}

/// What the registry is asked about.
///
/// # Errors
/// A suite can't be read.
pub fn asked(project: &Project, facts: &Facts, suites: Suites) -> Result<Vec<ImageRef>, Fault> {
    let mut asked = Vec::new();
    for (image, _) in suites {
        asked.extend(key(project, facts, image)?.and_then(|key| kept_at(project, &image.name, &key)));
    }
    Ok(asked)
}

/// Adds steps that take over what has passed elsewhere and isn't `recorded` here; gives these images.
///
/// # Errors
/// As `asked`.
pub fn passed<'a>(
    project: &Project,
    facts: &Facts,
    suites: Suites<'a, '_>,
    recorded: &[&ImageName],
    plan: &mut Plan,
) -> Result<Vec<&'a ImageName>, Fault> {
    let mut names = Vec::new();
    let silence = Shared::of(project).zip(asked(project, facts, suites).ok());
    plan.notes.extend(silence.and_then(|(shared, asked)| shared.silence(facts, &asked)).map(Into::into));
    for (image, _) in suites.iter().filter(|(image, _)| !recorded.contains(&&image.name)) {
        let Some((key, found)) = key(project, facts, image)?.zip(facts.engine.find(&image.reference)) else { continue };
        let Some(from) = kept_at(project, &image.name, &key).filter(|from| shared::has(facts, from)) else { continue };
        let (path, id, taken) = (facts.shown(key.path()), found.id.clone(), (*image).clone());
        let question = docker::registry_config(&from);
        let shown = format!("# takes over what {from} says");
        let take = Compute::new(shown, [Source::Output(question)], move |inputs| {
            take_over(&taken, &key, &id, &path, &from, inputs)
        });
        plan.push(
            Step::new(format!("take over that {} has passed", image.name), Action::Compute(take)).image(&image.name),
        );
        names.push(&image.name);
    }
    Ok(names)
}

fn take_over(image: &Image, key: &Key, id: &str, path: &Path, from: &ImageRef, inputs: &Inputs) -> Report {
    let name = &image.name;
    let config: Value = inputs.stdout(0).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let label = config["config"]["Labels"][LABEL].as_str().or(config["Config"]["Labels"][LABEL].as_str());
    let Some(passed) = label.and_then(|label| Passed::read(label, key)) else {
        let why = inputs.output(0).and_then(|output| output.stderr.lines().last()).unwrap_or("it is no record of this");
        let what = format!("validate {name}: reading {from}, which says that its suite has passed: {why}");
        return Report::default()
            .fail(Fault::new(Cause::Unavailable, what).help(format!("`cargo xtask validate {name} --rerun` runs it")));
    };
    let note = format!("{name}: {}, on another machine", passed.counts());
    Report::default().note(note).write(path, passed.here(image, id).text())
}

/// The step that keeps the pass of this, to be done after it has passed; none where it is kept already, or may not leave.
pub fn keep(project: &Project, facts: &Facts, image: &Image, key: &Key) -> Option<Step> {
    let to = kept_at(project, &image.name, key).filter(|to| shared::lacks(facts, to))?;
    // The image says by its own labels what it was built on, which may be gone from the engine.
    let stands_in =
        facts.engine.find(&image.reference).is_some_and(|found| !docker::stand_ins(&found.labels).is_empty());
    let may_leave = to.is_loopback() || !stands_in && shared::may_leave(project, facts, image, &to);
    may_leave.then(|| shared::keep_folder(project, facts, image, &facts.shown(folder(&image.name)), &to))
}

/// Adds the steps that keep what passed here before, and isn't kept yet.
///
/// # Errors
/// As `asked`.
pub fn keep_recorded(
    project: &Project,
    facts: &Facts,
    suites: Suites,
    recorded: &[&ImageName],
    plan: &mut Plan,
) -> Result<(), Fault> {
    for (image, _) in suites.iter().filter(|(image, _)| recorded.contains(&&image.name)) {
        let Some(key) = key(project, facts, image)? else { continue };
        let Some(step) = keep(project, facts, image, &key) else { continue };
        let Some((passed, _)) = key.passed(&facts.files) else { continue };
        let files = files(&facts.shown(folder(&image.name)), &passed);
        let write = |(to, text)| Step::new("write what is kept", Action::Write { to, text });
        let written = files.map(write).map(|step| plan.push(step));
        plan.push(step.after(written));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::Counts, *};
    use crate::testing::{self, Family, expect_plan};
    use plan::{
        Output,
        compute::Input,
        facts::{Engine, Published},
    };
    use std::time::SystemTime;

    const ALL: [&str; 3] = ["kubeflow-a", "python-base", "fastapi-serve"];

    /// With a place where the passes of these are kept.
    fn sharing(mut family: Family, has: &[&str]) -> Family {
        family.process.insert("CACHE_REGISTRY".to_owned(), "r.io/cache".to_owned());
        let asked = family.needs(&["validate", "--all"]).registry;
        family.with(|facts| {
            for reference in asked {
                assert!(reference.tag.starts_with("passed-"), "{reference}");
                let there = Published::Image { digest: "sha256:1".to_owned(), config: None };
                let published = if has.contains(&reference.name()) { there } else { Published::Missing };
                facts.registry.insert(reference, published);
            }
        })
    }

    #[test]
    fn what_has_passed_elsewhere_is_taken_over_and_what_passes_here_is_kept() {
        let family = sharing(testing::family().built(&ALL).passed("kubeflow-a", &[]), &["python-base"]);
        expect_plan!("validate_shared", family.outline(&["validate", "--all"]));
        let again = family.outline(&["validate", "python-base", "--rerun"]);
        assert!(again.contains("python-base-tests") && !again.contains("take over"), "{again}");
        // A part of a suite passes for nothing, anywhere.
        let part = family.outline(&["validate", "fastapi-serve", "--", "-x"]);
        assert!(!part.contains("r.io/cache"), "{part}");
    }

    #[test]
    fn the_pass_of_what_stands_on_a_stand_in_stays_on_this_machine() {
        // The stand-in itself may be gone from the engine; what was built on it says so.
        let family = sharing(testing::family().built(&ALL), &[]).with(|facts| {
            let Engine::Has(images) = &mut facts.engine else { return };
            let built = images.iter_mut().find(|image| image.id.ends_with("kubeflow-a:latest")).unwrap();
            built.labels.insert(docker::STAND_IN_LABEL.to_owned(), "debian:trixie-slim".to_owned());
        });
        let keeps = |name: &str| {
            let plan = family.plan(&["validate", name]).unwrap();
            plan.steps.iter().any(|step| step.title.starts_with("keep"))
        };
        assert!(!keeps("kubeflow-a") && keeps("python-base"));
    }

    #[test]
    fn only_the_record_of_this_very_pass_is_taken_over() {
        let project = testing::family().facts.project(project::Environment::Dev, project::vars::Vars::default());
        let image = project.unwrap().image(&"python-base".parse().unwrap()).unwrap().clone();
        let key = |content: &str| Key::new(content.to_owned(), identity::hash(b"s"), None, "");
        let counts = Counts { tests: 3, ..Counts::default() };
        let passed = Passed::new("x".to_owned(), "sha256:there".to_owned(), key("c"), SystemTime::UNIX_EPOCH, counts);
        let [(_, dockerfile), _] = files(Path::new("f"), &passed);
        let label = dockerfile.split_once("LABEL core-images.passed='").unwrap().1.trim_end().trim_end_matches('\'');
        let take = |key: &Key, stdout: String| {
            let read = vec![Input::Printed(Output { stdout, ..Output::default() })];
            let inputs = Inputs { read, ..Inputs::default() };
            take_over(&image, key, "sha256:here", Path::new("to"), &"r.io/a:1".parse().unwrap(), &inputs)
        };
        let config = serde_json::json!({"config": {"Labels": {LABEL: label}}}).to_string();
        let report = take(&key("c"), config.clone());
        assert_eq!(
            (report.fault, report.notes[0].text.as_str()),
            (None, "python-base: 3 passed, 0 failed, 0 skipped, on another machine")
        );
        let [(path, text)] = &report.writes[..] else { panic!() };
        assert!(path == Path::new("to") && text.contains(r#""id": "sha256:here""#), "{text}");
        for (key, config) in [(key("other"), config), (key("c"), "{}".to_owned()), (key("c"), String::new())] {
            let report = take(&key, config);
            assert_eq!(report.fault.map(|fault| fault.cause.exit_code()), Some(69));
            assert!(report.writes.is_empty());
        }
    }
}
