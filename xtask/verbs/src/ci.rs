//! `ci`: everything, from a bare machine: what `.ci/run` and the README call.

use crate::{
    Verb,
    flags::{self, Globals},
};
use plan::{
    Action, EnvValue, Facts, Invocation, Needs, Plan, Step,
    tools::{self, docker},
};
use project::{Environment, ImageRef, Project, error::Fault, files::Wanted};
use std::path::{Path, PathBuf};

/// The tag that a CI run builds: it can't be mistaken for one that somebody works with.
const TAG: &str = "ci";
/// What the build cache may keep: all of the family once, with the packages that were downloaded for it.
const CACHE: &str = "40GB";
/// What `setup` brings, and only `ci` needs.
const TOOLS: [&str; 3] = ["hadolint", "check-jsonschema", "zizmor"];
const GITHUB: &str = ".github";
const WORKFLOWS: &str = ".github/workflows";
const DEPENDABOT: &str = ".github/dependabot.yml";

impl Verb for flags::Ci {
    fn needs(&self, _project: &Project, globals: &Globals) -> Result<Needs, Fault> {
        let files = Wanted { trees: vec![WORKFLOWS.into()], ..Wanted::default() };
        // Else its first step brings them.
        let programs = if self.no_setup && !globals.dry_run { TOOLS.to_vec() } else { Vec::new() };
        Ok(Needs { files, programs, ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let project = facts.project(Environment::Ci, project.vars.clone())?;
        let setup = (!self.no_setup).then(|| ("setup", cargo(&["xtask", "setup", "--tests"])));
        let mut steps: Vec<(&str, Invocation)> = setup.into_iter().collect();
        steps.extend(lint(&project, facts));
        steps.extend(test(&project, !self.without_family));
        if self.prune_cache || project.vars.get("CI").is_some_and(|ci| ci == "true") {
            // Elsewhere the cache is a developer's own, and holds more than this project.
            steps.push(("keep the build cache within bounds", docker::prune_cache(CACHE)));
        }
        let mut plan = Plan { summary: true, ..Plan::default() };
        for (title, run) in steps {
            plan.then(Step::new(title, Action::Run(run)));
        }
        Ok(plan)
    }
}

fn cargo(args: &[&str]) -> Invocation {
    Invocation::new("cargo", args.iter().copied())
}

/// What only reads the repository.
fn lint(project: &Project, facts: &Facts) -> Vec<(&'static str, Invocation)> {
    let own = |name: &str| facts.argument(Path::new(tools::FOLDER).join("bin").join(name));
    let tool = |name: &str| facts.programs.get(name).cloned().unwrap_or_else(|| own(name));
    let shown = |path: PathBuf| facts.argument(path);
    let examples = project.family().map(|image| image.folder.join("example/Dockerfile"));
    let dockerfiles = project.images.iter().map(|image| image.dockerfile.clone()).chain(examples).map(shown);
    let schema = |name: &str| ["--builtin-schema".to_owned(), format!("vendor.{name}")].into_iter();
    let found = facts.files.below(Path::new(WORKFLOWS));
    let workflows = found.map(|(path, _)| path.to_owned()).map(shown);
    let clippy = ["clippy", "--locked", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    let jsonschema = tool("check-jsonschema");
    vec![
        ("format", cargo(&["fmt", "--all", "--check"])),
        ("clippy", cargo(&clippy)),
        ("check", cargo(&["xtask", "check"])),
        ("hadolint", Invocation::new(&tool("hadolint"), dockerfiles)),
        ("workflows", Invocation::new(&jsonschema, schema("github-workflows").chain(workflows))),
        ("dependabot", Invocation::new(&jsonschema, schema("dependabot").chain([facts.argument(DEPENDABOT)]))),
        ("workflows' security", Invocation::new(&tool("zizmor"), ["--offline", "--quiet", &facts.argument(GITHUB)])),
    ]
}

/// What compiles, builds and runs.
fn test(project: &Project, family_too: bool) -> Vec<(&'static str, Invocation)> {
    let family = |verb: &str| {
        let run = cargo(&["xtask", verb, "--all"]);
        run.env("ENVIRONMENT", EnvValue::Text("ci".to_owned())).env("IMAGE_TAG", EnvValue::Text(TAG.to_owned()))
    };
    let with_engine = ["test", "--locked", "--workspace", "--", "--ignored", "--test-threads=1"];
    // Those of the whole family.
    let others: &[&str] = if family_too { &[] } else { &["--skip", "engine::family"] };
    let tagged = |reference: &ImageRef| ImageRef { tag: TAG.to_owned(), ..reference.clone() };
    let built: Vec<ImageRef> = project.family().map(|image| tagged(&image.reference)).collect();
    let mut steps = vec![
        ("unit and command-line tests", cargo(&["test", "--locked", "--workspace"])),
        ("locks", cargo(&["xtask", "lock", "--check", "--all"])),
    ];
    if family_too {
        steps.extend([("build the family", family("build")), ("validate the family", family("validate"))]);
    }
    // After the builds, whose layers these find.
    steps.push(("tests with the real engine", cargo(&[&with_engine[..], others].concat())));
    if family_too {
        steps.push(("remove the family", docker::remove_images(&built)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};

    fn with_workflows() -> testing::Family {
        let family = testing::family().file(".github/workflows/ci.yml", "on: push\n");
        family.file(".github/workflows/relock.yml", "on: push\n")
    }

    #[test]
    fn everything_in_one_chain() {
        expect_plan!("ci", with_workflows().outline(&["ci"]));
        let without = with_workflows().outline(&["ci", "--no-setup"]);
        assert!(!without.contains("setup") && without.starts_with("1: format\n"), "{without}");
        let without = with_workflows().outline(&["ci", "--without-family"]);
        assert!(!without.contains("--all\n    ENV") && !without.contains("xtask build"), "{without}");
        assert!(without.contains("--ignored --test-threads=1 --skip engine::family"), "{without}");
    }

    #[test]
    fn the_build_cache_is_pruned_only_where_it_is_asked_for_or_in_ci() {
        const PRUNED: &str = "docker builder prune --force --keep-storage 40GB";
        assert!(!with_workflows().outline(&["ci"]).contains("prune"));
        assert!(with_workflows().outline(&["ci", "--prune-cache"]).contains(PRUNED));
        let mut family = with_workflows();
        for (value, pruned) in [("true", true), ("false", false), ("", false)] {
            family.process.insert("CI".to_owned(), value.to_owned());
            assert_eq!(family.outline(&["ci"]).contains(PRUNED), pruned, "CI={value}");
        }
    }
}
