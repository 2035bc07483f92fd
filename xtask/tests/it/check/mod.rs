//! `check`'s rules, each against a planted fault: a rule that is taken away fails a test here.

mod compose_files;
mod folders;
mod generated;
mod versions;

use crate::support::{COMPOSE_FILES, Python, Ran, Repo, SERVE, WORKFLOW, append, clean, remove};

const DEV: &str = COMPOSE_FILES[0];

const CI: &str = COMPOSE_FILES[1];

const STALE_README: (&str, &str, &str) = ("README.md", "", "its generated parts are stale: cargo xtask check --write");

/// The faults that were reported, sorted.
fn faults_in(repo: &Repo, ran: &Ran) -> Vec<String> {
    let root = format!("{}/", repo.root.display());
    let lines = ran.stderr.lines().filter(|line| line.contains(": error: "));
    let mut lines: Vec<String> = lines.map(|line| line.replace(&root, "")).collect();
    lines.sort();
    lines
}

/// A file, what the line in question begins with (or nothing), and what is said of it.
type Faults<'a> = &'a [(&'a str, &'a str, &'a str)];

/// What it is, how it is planted, and what is said of it.
type Case<'a> = (&'a str, fn(&Repo), Faults<'a>);

/// Runs `check`, which must find these faults, no others, and change nothing.
#[track_caller]
fn finds(repo: &Repo, name: &str, faults: Faults) {
    let before = repo.snapshot(".");
    let ran = repo.run(&["check"]);
    let mut expected = Vec::new();
    for (file, start, what) in faults {
        let line = if start.is_empty() {
            String::new()
        } else {
            let text = repo.read(file);
            let at = format!("\n{text}").find(&format!("\n{start}"));
            let at = at.unwrap_or_else(|| panic!("{name}: {file} has no line {start:?}"));
            format!(":{}", text[..at].matches('\n').count() + 1)
        };
        expected.push(format!("{file}{line}: error: {what}"));
    }
    expected.sort();
    assert_eq!(faults_in(repo, &ran), expected, "{name}");
    let count = faults.len();
    let sum = format!("check: {count} fault{} found, listed above", if count == 1 { "" } else { "s" });
    assert_eq!(ran.fails(65, &[&sum]).stdout, "", "{name}");
    assert_eq!(repo.snapshot("."), before, "{name}: check writes nothing");
    assert_eq!(repo.all_calls().len(), 0, "{name}: check runs nothing");
}

/// Each in a repository of its own.
fn each(cases: &[Case]) {
    for (name, plant, faults) in cases {
        let repo = clean();
        plant(&repo);
        finds(&repo, name, faults);
    }
}

#[test]
fn a_family_that_keeps_the_rules_passes_whatever_the_shell_has() {
    let repo = clean();
    let before = repo.snapshot(".");
    let variables =
        [("IMAGE_TAG", "1.4.0"), ("BASE_IMAGE_TAG", "2"), ("REGISTRY", "localhost:5000"), ("ENVIRONMENT", "ci")];
    let run = variables.into_iter().fold(repo.xtask(&["check"]), |run, (name, value)| run.env(name, value));
    for ran in [repo.run(&["check"]), run.run()] {
        let ran = ran.succeeds();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    }
    assert_eq!(repo.snapshot("."), before);
}

#[test]
fn all_faults_are_listed_at_once() {
    let repo = clean();
    repo.edit(CI, "The kubeflow-a image", "Another");
    repo.edit("README.md", "flowchart LR", "flowchart TD");
    remove(&repo, "images/python-base/tests");
    append(&repo, WORKFLOW, "      - run: make\n");
    Python { packages: &[("requests", "1")], requires: ">=3.12,<3.13", ..SERVE }.write(&repo);
    let others: Faults = &[
        (DEV, "  kubeflow-a:", "kubeflow-a: x-core-images differs between the two compose files"),
        ("images/python-base/tests", "", "is missing"),
        (
            WORKFLOW,
            "      - run: make",
            "runs something other than one plain `cargo xtask …` or `git …`: make it a verb",
        ),
        (
            "images/fastapi-serve/poetry.lock",
            "[[package]]",
            "requests 1 here, 2 in python-base: cargo xtask lock python-base fastapi-serve --update=requests, or say why: \
             [tool.core-images.exceptions] requests = \"<reason>\" in images/fastapi-serve/pyproject.toml",
        ),
        (
            "images/fastapi-serve/pyproject.toml",
            "requires-python",
            "Python >=3.12,<3.13, but python-base has >=3.13,<3.14: make them one, or say why not: \
             [tool.core-images.exceptions] python = \"<reason>\"",
        ),
    ];
    finds(&repo, "all", &[others, &[STALE_README]].concat());
    // What can be written is written, and the rest is still reported.
    repo.run(&["check", "--write"]).fails(65, &["check: 5 faults found"]);
    finds(&repo, "the rest", others);
}
