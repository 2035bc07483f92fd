//! `doctor`: everything that matters, as it is found, each problem with the command that solves it.

use super::{
    Context, preflight,
    setup::{indexes, reaches},
};
use crate::{
    plan::{Action, Invocation, Plan, Step},
    tools::docker::{self, STAND_IN},
    ui::{Style, table},
};
use anyhow::{Context as _, Result};
use project::{
    Environment, ImageRef, Origin,
    error::{Cause, Fault},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

/// Builds of images with deep-learning wheels need about this much, in GB.
const DISK: u64 = 20;
/// How long a registry or an index may take to answer, in seconds.
const PATIENCE: &str = "20";

#[derive(Debug)]
struct Finding {
    what: String,
    found: Option<String>,
    needed: String,
    ok: bool,
    /// The command that helps, where something is wrong.
    help: Option<String>,
}

impl Finding {
    fn new(what: &str, found: Option<String>, needed: &str, ok: bool, help: &str) -> Finding {
        let help = (!ok).then(|| help.to_owned());
        Finding { what: what.to_owned(), found, needed: needed.to_owned(), ok, help }
    }

    fn json(&self) -> Value {
        json!({"what": self.what, "found": self.found, "needed": self.needed, "ok": self.ok, "help": self.help})
    }
}

/// The first thing that looks like a version in what a tool says of itself.
fn version_in(text: &str) -> Option<String> {
    let starts =
        |word: &&str| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    text.split([' ', '\n', '/', ',']).find(starts).map(|word| word.trim_matches(|c| c == ')' || c == ',').to_owned())
}

/// A tool that tells its version; `minimum` is (major, minor).
fn tool(context: &Context, name: &str, run: &Invocation, minimum: (u32, u32)) -> Finding {
    let version = context.exec.capture(run).ok().filter(|output| output.success);
    let version = version.and_then(|output| version_in(&output.stdout).or_else(|| version_in(&output.stderr)));
    let ok = version.as_deref().and_then(preflight::major_minor).is_some_and(|version| version >= minimum);
    let needed = format!("{}.{} or newer", minimum.0, minimum.1);
    Finding::new(name, version, &needed, ok, "cargo xtask setup")
}

fn engine(context: &Context) -> Finding {
    let output = context.exec.capture(&docker::engine_version());
    let (found, ok) = match output {
        Ok(output) if output.success => (Some(output.stdout), true),
        Ok(output) => (output.stderr.lines().last().map(str::to_owned), false),
        Err(_) => (None, false),
    };
    Finding::new("docker engine", found, "answers", ok, "cargo xtask setup")
}

fn engine_folder() -> Invocation {
    Invocation::new("docker", ["info", "--format", "{{.DockerRootDir}}"])
}

fn free_in(folder: &str) -> Invocation {
    Invocation::new("df", ["--output=avail", "--block-size=1G", folder])
}

fn disk(context: &Context) -> Finding {
    let root = context.exec.capture(&engine_folder());
    let folder = root.ok().filter(|output| output.success && !output.stdout.is_empty()).map(|output| output.stdout);
    let folder = folder.unwrap_or_else(|| ".".to_owned());
    let df = Invocation::new("df", ["--output=avail", "--block-size=1G", &folder]);
    let free =
        context.exec.capture(&df).ok().and_then(|output| output.stdout.lines().last()?.trim().parse::<u64>().ok());
    let found = free.map(|free| format!("{free} GB in {folder}"));
    let needed = format!("{DISK} GB or more");
    Finding::new("disk free", found, &needed, free.is_some_and(|free| free >= DISK), "docker system prune")
}

fn with_patience(run: &Invocation) -> Invocation {
    let words = [PATIENCE, run.program.as_str()].into_iter().chain(run.args.iter().map(String::as_str));
    Invocation::new("timeout", words)
}

fn external_references(context: &Context) -> Result<BTreeSet<ImageRef>> {
    let project = context.project_of(Environment::Dev)?;
    let bases = project.images.iter().flat_map(|image| &image.bases).filter(|base| base.origin == Origin::External);
    Ok(bases.map(|base| base.reference.clone()).collect())
}

fn external_images(context: &Context, references: &BTreeSet<ImageRef>) -> Vec<Finding> {
    let stand_ins = context.exec.capture(&docker::list_stand_ins()).map(|output| output.stdout).unwrap_or_default();
    let finding = |reference: &ImageRef| {
        let id = context.exec.capture(&docker::image_id(reference)).ok().filter(|output| output.success);
        let registry = with_patience(&docker::registry_descriptor(reference));
        let reachable = context.exec.capture(&registry).is_ok_and(|output| output.success);
        let here = match &id {
            Some(id) if stand_ins.contains(&id.stdout) => "here, a stand-in",
            Some(_) => "here",
            None => "not here",
        };
        let reach = if reachable { "its registry answers" } else { "its registry can't be reached" };
        let (what, found) = (format!("image {reference}"), Some(format!("{here}; {reach}")));
        Finding::new(&what, found, "here, or can be pulled", id.is_some() || reachable, "cargo xtask setup")
    };
    references.iter().map(finding).collect()
}

fn ask_index(context: &Context) -> Invocation {
    let python = "target/tools/poetry/bin/python";
    let python = if context.has(python) { context.shown(python).display().to_string() } else { "python3".to_owned() };
    with_patience(&Invocation::new(&python, ["-m", "pip", "--disable-pip-version-check", "index", "versions", "pip"]))
}

fn index(context: &Context) -> Finding {
    let answers = context.exec.capture(&ask_index(context)).is_ok_and(|output| output.success);
    let found = if answers { "answers" } else { "doesn't answer" };
    Finding::new(
        "Python package index",
        Some(found.to_owned()),
        "answers",
        answers,
        "set PIP_INDEX_URL to an index that can be reached",
    )
}

fn vendor_indexes(context: &Context, indexes: &BTreeMap<String, String>) -> Vec<Finding> {
    let finding = |(name, url): (&String, &String)| {
        let reachable =
            url == STAND_IN || context.exec.capture(&reaches(context, url)).is_ok_and(|output| output.success);
        let found = match (url == STAND_IN, reachable) {
            (true, _) => format!("a stand-in (from the {})", context.vars.origin(name)),
            (_, true) => format!("{url} answers"),
            (_, false) => format!("{url} doesn't answer"),
        };
        Finding::new(name, Some(found), "answers, or a stand-in", reachable, "cargo xtask setup")
    };
    indexes.iter().map(finding).collect()
}

/// The tools that tell their version: their names, how they are asked, and the oldest that will do.
fn tools(context: &Context) -> [(&'static str, Invocation, (u32, u32)); 6] {
    let version = |name: &str| Invocation::new(&context.program(name), ["--version"]);
    [
        ("docker", Invocation::new("docker", ["--version"]), (20, 10)),
        ("docker compose", docker::Compose::version(), preflight::COMPOSE),
        ("docker buildx", Invocation::new("docker", ["buildx", "version"]), (0, 10)),
        ("poetry", version("poetry"), (2, 3)),
        ("aws", version("aws"), (1, 32)),
        ("hadolint", version("hadolint"), (2, 12)),
    ]
}

/// Everything that is asked.
fn plan(context: &Context, references: &BTreeSet<ImageRef>, indexes: &BTreeMap<String, String>) -> Plan {
    let asked = tools(context).map(|(_, run, _)| run).into_iter();
    let asked = asked.chain([
        docker::engine_version(),
        engine_folder(),
        free_in("."),
        ask_index(context),
        docker::list_stand_ins(),
    ]);
    let images = references
        .iter()
        .flat_map(|image| [docker::image_id(image), with_patience(&docker::registry_descriptor(image))]);
    let indexes = indexes.values().filter(|url| *url != STAND_IN).map(|url| reaches(context, url));
    let steps =
        asked.chain(images).chain(indexes).map(|run| Step::new(format!("ask {}", run.program), Action::Run(run)));
    Plan { steps: steps.collect(), ..Plan::default() }
}

pub fn run(context: &Context) -> Result<()> {
    let (references, indexes) = (external_references(context)?, indexes(context)?);
    if context.shows(&plan(context, &references, &indexes))? {
        return Ok(());
    }
    // Each waits mostly for others.
    let findings = thread::scope(|scope| {
        let images = scope.spawn(|| external_images(context, &references));
        let index = scope.spawn(|| index(context));
        let vendors = scope.spawn(|| vendor_indexes(context, &indexes));
        let others = scope.spawn(|| [engine(context), disk(context)]);
        let tools = tools(context).map(|(name, run, minimum)| tool(context, name, &run, minimum));
        let mut findings: Vec<Finding> = tools.into_iter().chain(others.join().into_iter().flatten()).collect();
        findings.extend(index.join());
        findings.extend(vendors.join().into_iter().flatten());
        findings.extend(images.join().into_iter().flatten());
        findings
    });
    if context.globals.json {
        let findings: Vec<Value> = findings.iter().map(Finding::json).collect();
        data_line!("{}", serde_json::to_string_pretty(&findings).context("writing the findings as JSON")?);
    } else {
        data!("{}", render(context, &findings));
    }
    let problems: Vec<&str> =
        findings.iter().filter(|finding| !finding.ok).map(|finding| finding.what.as_str()).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let help: BTreeSet<&str> = findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
    let help: Vec<&str> = help.into_iter().collect();
    Err(Fault::new(Cause::Unavailable, format!("doctor: not as needed: {}", problems.join(", ")))
        .help(help.join("; "))
        .into())
}

fn render(context: &Context, findings: &[Finding]) -> String {
    let head = ["", "WHAT", "FOUND", "NEEDED", "WHAT HELPS"].map(str::to_owned).to_vec();
    let rows = findings.iter().map(|finding| {
        vec![
            if finding.ok { "✓" } else { "✗" }.to_owned(),
            finding.what.clone(),
            finding.found.clone().unwrap_or_else(|| "nothing".to_owned()),
            finding.needed.clone(),
            finding.help.clone().unwrap_or_default(),
        ]
    });
    let text = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    // Coloured after the columns are laid out, so that escapes don't count as width.
    text.replace('✗', &context.ui().paint(Style::Bad, "✗"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_tools_print_them() {
        for (text, expected) in [
            ("Docker version 26.1.5+dfsg1, build a72d7cd", "26.1.5+dfsg1"),
            ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3", "0.13.1+ds1"),
            ("Poetry (version 2.5.1)", "2.5.1"),
            ("aws-cli/1.42.3 Python/3.11.2", "1.42.3"),
            ("Haskell Dockerfile Linter 2.14.0", "2.14.0"),
            ("2.26.1-4", "2.26.1-4"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(expected), "{text}");
        }
    }
}
