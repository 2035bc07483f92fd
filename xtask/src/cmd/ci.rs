//! `ci`: everything, from a bare machine: what `.ci/run` and the README call.

use super::{Context, dependabot};
use crate::{
    flags,
    plan::{Action, EnvValue, Invocation, Plan, Step},
    tools::docker,
};
use anyhow::{Context as _, Result};
use project::{Environment, ImageRef};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The tag that a CI run builds: it can't be mistaken for one that somebody works with.
const TAG: &str = "ci";
/// What the build cache may keep: all of the family once, with the packages that were downloaded for it.
const CACHE: &str = "40GB";

pub fn plan(context: &Context, no_setup: bool) -> Result<Plan> {
    let mut plan = Plan { summary: true, ..Plan::default() };
    let mut step = |title: &str, run: Invocation| {
        plan.then(Step::new(title, Action::Run(run)));
    };
    let cargo = |args: &[&str]| Invocation::new("cargo", args.iter().copied());
    if !no_setup {
        step("setup", cargo(&["xtask", "setup", "--tests"]));
    }
    step("format", cargo(&["fmt", "--all", "--check"]));
    step(
        "clippy",
        cargo(&["clippy", "--locked", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    );
    step("check", cargo(&["xtask", "check"]));
    let project = context.project_of(Environment::Ci)?;
    let examples = project.family().map(|image| image.folder.join("example/Dockerfile"));
    let dockerfiles = project.images.iter().map(|image| image.dockerfile.clone()).chain(examples);
    let dockerfiles = dockerfiles.map(|file| context.shown(file).display().to_string());
    step("hadolint", Invocation::new(&context.shown("target/tools/bin/hadolint").display().to_string(), dockerfiles));
    let schema = ["--builtin-schema", "vendor.github-workflows"].map(str::to_owned);
    let workflows = workflows(context)?.into_iter().map(|file| context.shown(file).display().to_string());
    let tool = context.shown("target/tools/bin/check-jsonschema").display().to_string();
    step("workflows", Invocation::new(&tool, schema.into_iter().chain(workflows)));
    let dependabot = context.shown(dependabot::FILE).display().to_string();
    step("dependabot", Invocation::new(&tool, ["--builtin-schema", "vendor.dependabot", &dependabot]));
    let zizmor = context.shown("target/tools/bin/zizmor").display().to_string();
    let github = context.shown(".github").display().to_string();
    step("workflows' security", Invocation::new(&zizmor, ["--offline", "--quiet", &github]));
    step("unit and command-line tests", cargo(&["test", "--locked", "--workspace"]));
    step("locks", cargo(&["xtask", "lock", "--check", "--all"]));
    let family = |verb: &[&str]| {
        let run = cargo(&[&["xtask"], verb, &["--all"]].concat());
        run.env("ENVIRONMENT", EnvValue::Text("ci".to_owned())).env("IMAGE_TAG", EnvValue::Text(TAG.to_owned()))
    };
    step("build the family", family(&["build"]));
    step("validate the family", family(&["validate"]));
    // After the builds, whose layers these find.
    step(
        "tests with the real engine",
        cargo(&["test", "--locked", "--workspace", "--", "--ignored", "--test-threads=1"]),
    );
    let built: Vec<ImageRef> =
        project.family().map(|image| ImageRef { tag: TAG.to_owned(), ..image.reference.clone() }).collect();
    step("remove the family", docker::remove_images(&built));
    step("keep the build cache within bounds", docker::prune_cache(CACHE));
    Ok(plan)
}

/// GitHub's workflow files, in the order of their names.
pub fn workflows(context: &Context) -> Result<Vec<PathBuf>> {
    let folder = Path::new(".github/workflows");
    let entries = match fs::read_dir(context.root.join(folder)) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    };
    let entries = entries.with_context(|| format!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.iter().map(|entry| folder.join(entry.file_name())).collect();
    files.sort();
    Ok(files)
}

pub fn run(context: &Context, flags: &flags::Ci) -> Result<()> {
    let plan = plan(context, flags.no_setup)?;
    if context.shows(&plan)? {
        return Ok(());
    }
    context.exec.run(&plan)?;
    Ok(())
}
