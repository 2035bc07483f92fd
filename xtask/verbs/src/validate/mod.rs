//! `validate`: an image's suite, in a container of the image exactly as built; and the record that `deploy` asks for.

mod elsewhere;
mod judge;
mod junit;
mod readable;
pub mod record;

use crate::{
    Verb,
    common::{
        as_arguments,
        identity::{self, known},
        local::{self, outdated, rebuild},
        rerun::rerun,
    },
    flags::{self, Globals},
};
use judge::{Record, Suite};
pub use junit::Counts;
use plan::{
    Action, Compute, Facts, Needs, OnFailure, Plan, Report, Role, Source, Step, facts::Engine, quote, tools::docker,
};
use project::{
    Image, ImageName, Project,
    error::{Cause, Fault},
};
use record::Key;
use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// Where the suites' reports are, below the root.
const REPORTS: &str = "target/validate";

impl Verb for flags::Validate {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        are_options(&self.pytest)?;
        let suites = suites(project, &self.wanted(project)?)?;
        if suites.is_empty() {
            return Ok(Needs::default());
        }
        let names: Vec<ImageName> = suites.iter().map(|(image, _)| image.name.clone()).collect();
        let engine = local::with_bases(project, &names)?;
        let contexts = identity::contexts(project, &names)?;
        let mut files = readable::wanted();
        files.extend(record::all());
        Ok(Needs { claims: names.clone(), engine, contexts, files, suites: names, ..Needs::default() })
    }

    fn more_needs(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Needs, Fault> {
        let suites = suites(project, &self.wanted(project)?)?;
        let docker = suites.len() > self.recorded(project, facts, &suites)?.len();
        let registry = if self.is_whole() { elsewhere::asked(project, facts, &suites)? } else { Vec::new() };
        Ok(Needs { docker, registry, ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let wanted = self.wanted(project)?;
        for name in &wanted {
            if project.image(name)?.suite.is_none() {
                plan.note(format!("{name}: no service {name}-tests in {}, nothing to validate", project.file()));
            }
        }
        let suites = suites(project, &wanted)?;
        check_images(project, facts, &suites)?;
        let names: Vec<ImageName> = suites.iter().map(|(image, _)| image.name.clone()).collect();
        let known = known(project, facts, &facts.engine, &names);
        let recorded = self.recorded(project, facts, &suites)?;
        if !recorded.is_empty() {
            let names: Vec<&str> = recorded.iter().map(|name| name.as_str()).collect();
            plan.note(format!("already passed as they are now (`--rerun` runs them): {}", names.join(", ")));
        }
        let elsewhere = match self.is_whole() && !self.rerun {
            true => elsewhere::passed(project, facts, &suites, &recorded, &mut plan)?,
            false => Vec::new(),
        };
        let is_run = |image: &Image| !recorded.contains(&&image.name) && !elsewhere.contains(&&image.name);
        let runs: Vec<(&Image, &str)> = suites.iter().filter(|(image, _)| is_run(image)).copied().collect();
        for (image, _) in &suites {
            if let Some(outdated) = outdated(&facts.engine, project, &known, image) {
                let help = rerun(project, project.environment, &rebuild([&outdated]));
                plan.note(format!("{}: outdated, since {}: `{help}`", image.name, outdated.why()));
            }
            if !self.is_whole() {
                plan.note(format!("{}: only a part of its suite, so this isn't recorded as validated", image.name));
            }
        }
        if facts.engine == Engine::NotAsked && self.is_whole() {
            plan.notes.extend(elsewhere::foretold(project, self.rerun).map(Into::into));
        }
        let first = plan.steps.len();
        if let Some(open) = readable::step(facts).filter(|_| !runs.is_empty()) {
            plan.push(open);
        }
        let first = first..plan.steps.len();
        let judged = runs.iter().map(|suite| run(project, facts, *suite, &self.pytest, first.clone(), &mut plan));
        let judged: Vec<(Suite, usize)> = judged.collect::<Result<_, Fault>>()?;
        if self.is_whole() {
            // After all judgements: a test that failed says more than a record that can't be written.
            for ((suite, judged), (image, _)) in judged.into_iter().zip(&runs) {
                let keep = suite.record.as_ref().and_then(|record| elsewhere::keep(project, facts, image, &record.key));
                let recorded = record(Suite { share: keep.is_some(), ..suite }, judged, &mut plan);
                plan.steps.extend(keep.map(|step| step.after([judged, recorded])));
            }
            elsewhere::keep_recorded(project, facts, &suites, &recorded, &mut plan)?;
        }
        plan.summary = runs.len() > 1;
        Ok(plan)
    }
}

impl flags::Validate {
    /// Whole suites, not parts of them.
    fn is_whole(&self) -> bool {
        self.pytest.is_empty()
    }

    fn wanted(&self, project: &Project) -> Result<Vec<ImageName>, Fault> {
        let named = self.images.of(project)?;
        if self.with_dependents { project.with_dependents(&named) } else { Ok(named) }
    }

    /// Those of these images for which their suites are known to have passed. A part of a suite is always run.
    fn recorded<'a>(
        &self,
        project: &Project,
        facts: &Facts,
        suites: &[(&'a Image, &str)],
    ) -> Result<Vec<&'a ImageName>, Fault> {
        let mut recorded = Vec::new();
        if self.rerun || !self.is_whole() {
            return Ok(recorded);
        }
        for (image, _) in suites {
            if key(project, facts, image)?.is_some_and(|key| key.passed(&facts.files).is_some()) {
                recorded.push(&image.name);
            }
        }
        Ok(recorded)
    }
}

/// What an image's suite passes for; none where the engine doesn't have the image, or nobody asked.
fn key(project: &Project, facts: &Facts, image: &Image) -> Result<Option<Key>, Fault> {
    let found = facts.engine.find(&image.reference);
    found.map(|found| Key::of(project, facts, image, found.content(), image.stage.as_deref())).transpose()
}

/// The images that have a suite, and its service.
fn suites<'a>(project: &'a Project, names: &[ImageName]) -> Result<Vec<(&'a Image, &'a str)>, Fault> {
    let images = names.iter().map(|name| project.image(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(images.into_iter().filter_map(|image| Some((image, image.suite.as_deref()?))).collect())
}

/// A suite names its folders itself: a path here would be run as well, not instead.
fn are_options(arguments: &[String]) -> Result<(), Fault> {
    let is_path = |word: &str| {
        !word.starts_with('-')
            && (word.contains('/') || word.contains("::") || Path::new(word).extension() == Some("py".as_ref()))
    };
    // What follows an option may be its value.
    let takes_value = |word: &str| word.starts_with("--") || ["-k", "-m", "-W", "-o", "-p", "-c"].contains(&word);
    let is_value = |i: usize| i > 0 && takes_value(&arguments[i - 1]);
    match arguments.iter().enumerate().find(|(i, word)| is_path(word) && !is_value(*i)) {
        None => Ok(()),
        Some((_, word)) => Err(Fault::usage(format!("validate: after --, '{word}' is not an option of pytest's"))
            .help("choose tests by their names: -- -k NAME")),
    }
}

/// Does the engine have every image that is to be tested?
fn check_images(project: &Project, facts: &Facts, suites: &[(&Image, &str)]) -> Result<(), Fault> {
    facts.engine.answered("validate")?;
    let is_missing = |image: &Image| facts.engine != Engine::NotAsked && facts.engine.find(&image.reference).is_none();
    let missing: Vec<&Image> = suites.iter().map(|(image, _)| *image).filter(|image| is_missing(image)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<ImageName> = missing.iter().map(|image| image.name.clone()).collect();
    let build = format!("cargo xtask build {}", as_arguments(project, &names));
    let each = missing.iter().map(|image| format!("{}: the engine has no image {}", image.name, image.reference));
    let fault = Fault::of_several(Cause::Usage, "validate: nothing was run", &each.collect::<Vec<_>>());
    Err(fault.help(format!("build first: `{}`", rerun(project, project.environment, &build))))
}

/// An image's report, below the root.
pub fn report(image: &ImageName) -> PathBuf {
    Path::new(REPORTS).join(image.as_str()).join("junit.xml")
}

/// Adds the steps that run a suite, after those that come `first`, and judge its end; gives the latter's index. `options`
/// are pytest's.
fn run(
    project: &Project,
    facts: &Facts,
    (image, suite): (&Image, &str),
    options: &[String],
    first: Range<usize>,
    plan: &mut Plan,
) -> Result<(Suite, usize), Fault> {
    let name = &image.name;
    let folder = facts.shown(Path::new(REPORTS).join(name.as_str()));
    let inspected = folder.join("image.json");
    let prepare = Step::new(format!("make {}", folder.display()), Action::OpenFolder(folder));
    let prepare = plan.push(prepare.after(first));
    let inspect = plan.push(inspect(image, &inspected).after([prepare]));
    // Two runs in two clones don't meet.
    let container = format!("{suite}-{}", facts.process);
    let call = facts.compose(project).suite(suite, &container, &inspected, options);
    let step = Step::new(format!("validate {name}"), Action::Run(call)).image(name).role(Role::Suite);
    let step = step.cleanup([Action::Run(docker::remove_container(&container))]);
    let ran = plan.push(step.after([inspect]).on_failure(OnFailure::Judged));

    // A part of a suite passes for nothing.
    let key = if options.is_empty() { key(project, facts, image)? } else { None };
    let suite = Suite {
        project: project.clone(),
        name: name.clone(),
        reference: image.reference.clone(),
        began: facts.now,
        junit: facts.shown(report(name)),
        part: !options.is_empty(),
        share: false,
        record: key.zip(facts.engine.find(&image.reference)).map(|(key, found)| Record {
            id: found.id.clone(),
            path: facts.shown(key.path()),
            folder: facts.shown(elsewhere::folder(name)),
            key,
        }),
    };
    let judge = suite.clone();
    let sources = [Source::File(suite.junit.clone())];
    let judge = Compute::new(format!("# reads {}", suite.junit.display()), sources, move |inputs| judge.judge(inputs));
    let step = Step::new(format!("validate {name}"), Action::Compute(judge)).image(name).after_end([ran]);
    Ok((suite, plan.push(step)))
}

/// Writes down what the engine says of the image: its suite tests what it is, not what a Dockerfile would make of it now.
fn inspect(image: &Image, to: &Path) -> Step {
    let question = docker::inspect_all(&[&image.reference]);
    let shown = format!("{question} >{}", quote(&to.display().to_string()));
    let (reference, to) = (image.reference.to_string(), to.to_owned());
    let write = Compute::new(shown, [Source::Output(question)], move |inputs| match inputs.stdout(0) {
        Some(inspected) => Report::default().write(&to, inspected),
        None => {
            let why = inputs.output(0).and_then(|output| output.stderr.lines().last()).unwrap_or("no answer");
            let what = format!("asking the engine for the configuration of {reference}: {why}");
            Report::default()
                .fail(Fault::new(Cause::Unavailable, what).help("`cargo xtask doctor` shows what is wrong"))
        }
    });
    Step::new(format!("inspect {}", image.name), Action::Compute(write)).image(&image.name)
}

fn record(suite: Suite, judged: usize, plan: &mut Plan) -> usize {
    let name = suite.name.clone();
    let sources = [Source::File(suite.junit.clone()), Source::Output(docker::image_id(&suite.reference))];
    let shown = format!("# records for which image {name}-tests passed");
    let record = Compute::new(shown, sources, move |inputs| suite.record(inputs));
    let step = Step::new(format!("record that {name} was validated"), Action::Compute(record)).image(&name);
    plan.push(step.after_end([judged]))
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};
    use plan::facts::Engine;

    #[test]
    fn plans() {
        expect_plan!("validate", testing::outline(&["validate", "fastapi-serve"]));
        expect_plan!("validate_all_ci", testing::outline(&["validate", "--all", "--environment", "ci"]));
        let dependents = ["validate", "python-base", "--with-dependents", "--", "-k", "one or two", "-x"];
        expect_plan!("validate_part", testing::outline(&dependents));
        expect_plan!("validate_no_suite", testing::outline(&["validate", "kubeflow-b"]));
    }

    #[test]
    fn what_is_recorded_is_left_out() {
        let all = ["kubeflow-a", "python-base", "fastapi-serve"];
        let passed = |args: &[&str]| {
            let family = testing::family().built(&all).passed("python-base", args).passed("kubeflow-a", args);
            move |args: &[&str]| family.outline(args)
        };
        let outline = passed(&[]);
        expect_plan!("validate_recorded", outline(&["validate", "--all"]));
        assert!(!outline(&["validate", "python-base", "kubeflow-a"]).contains("docker"));
        let runs = |outline: &str| outline.contains("python-base-tests");
        assert!(runs(&outline(&["validate", "python-base", "--rerun"])));
        assert!(runs(&outline(&["validate", "python-base", "--", "-k", "x"])));
        // Hardware that is demanded is another pass.
        assert!(runs(&passed(&["gpu"])(&["validate", "python-base"])));
    }

    #[test]
    fn an_image_must_be_there() {
        let family = testing::family().with(|facts| facts.engine = Engine::Has(Vec::new()));
        let fault = family.fault(&["validate", "fastapi-serve", "python-base", "--image-tag", "1"]);
        assert_eq!(fault.cause.exit_code(), 2);
        let what = "validate: nothing was run:\n  python-base: the engine has no image r.io/python-base:1\n  \
                    fastapi-serve: the engine has no image r.io/fastapi-serve:1";
        assert_eq!(fault.what, what);
        assert!(fault.help.unwrap().contains("IMAGE_TAG=1 cargo xtask build python-base fastapi-serve`"));
        let silent = Engine::Silent("Cannot connect".to_owned());
        let fault = testing::family().with(|facts| facts.engine = silent).fault(&["validate", "python-base"]);
        assert_eq!(fault.cause.exit_code(), 69);
    }

    #[test]
    fn a_path_is_not_an_option() {
        let fault = |options: &[&str]| {
            testing::family().plan(&[&["validate", "python-base", "--", "-x"], options].concat()).err()
        };
        for path in ["/images/common/tests/test_tls.py", "images/common/tests", "test_tls.py", "test_tls.py::test_x"] {
            assert!(fault(&[path]).is_some_and(|fault| fault.what.contains(path)), "{path}");
        }
        for option in
            [&["-k", "a::b"][..], &["-W", "error::DeprecationWarning"], &["--deselect", "a.py::b"], &["--x=/y"]]
        {
            assert_eq!(fault(option), None, "{option:?}");
        }
    }
}
