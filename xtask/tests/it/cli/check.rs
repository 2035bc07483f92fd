//! `check` through the binary; each of its rules has its tests in `xtask/verbs/src/check/`.

use crate::support::{COMPOSE_FILES, Python, SERVE, WORKFLOW, append, clean, remove};

const DEV: &str = COMPOSE_FILES[0];
const CI: &str = COMPOSE_FILES[1];

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
fn all_faults_are_listed_at_once_and_what_can_be_written_is() {
    let repo = clean();
    repo.edit(CI, "The kubeflow-a image", "Another");
    repo.edit("README.md", "flowchart LR", "flowchart TD");
    remove(&repo, "images/python-base/tests");
    append(&repo, WORKFLOW, "      - run: make\n");
    Python { packages: &[("requests", "1")], requires: ">=3.12,<3.13", ..SERVE }.write(&repo);
    let before = repo.snapshot(".");
    let found = [
        (DEV, "kubeflow-a: x-core-images differs between the two compose files"),
        ("images/python-base/tests", "is missing"),
        ("images/fastapi-serve/pyproject.toml", "Python >=3.12,<3.13, but python-base has >=3.13,<3.14"),
        ("images/fastapi-serve/poetry.lock", "requests 1 here, 2 in python-base: cargo xtask lock"),
        (WORKFLOW, "runs something other than one plain `cargo xtask …` or `git …`: make it a verb"),
        ("README.md", "its generated parts are stale: cargo xtask check --write"),
    ];
    let ran = repo.run(&["check"]).fails(65, &["check: 6 faults found, listed above"]);
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains(": error: ")).collect();
    assert_eq!(lines.len(), found.len(), "{lines:#?}");
    for (line, (path, what)) in lines.iter().zip(found) {
        assert!(line.starts_with(path) && line.contains(&format!(": error: {what}")), "not {path}, {what}: {line}");
    }
    let dry = repo.run(&["check", "--write", "--dry-run"]).succeeds();
    assert!(dry.stdout.contains(" >README.md\n# docker-compose.dev.yaml:"), "{}", dry.stdout);
    assert_eq!((ran.stdout.as_str(), repo.snapshot(".")), ("", before), "neither writes anything");
    let ran = repo.run(&["check", "--write"]).fails(65, &["check: 5 faults found"]);
    assert!(ran.stderr.starts_with("README.md: generated parts written again\n"), "{}", ran.stderr);
    repo.run(&["check"]).fails(65, &["check: 5 faults found"]);
    assert_eq!(repo.all_calls().len(), 0, "check runs nothing");
}

#[test]
fn writing_again_changes_nothing() {
    let repo = clean();
    for file in COMPOSE_FILES {
        repo.edit(file, "image: debian:trixie-slim", "image: debian:trixie-20261117-slim");
    }
    let said = repo.run(&["check", "--write"]).succeeds().stderr;
    for written in
        ["docker-compose.dev.yaml: external images' tags", "docker-compose.ci.yaml: ", "README.md: generated"]
    {
        assert!(said.contains(written), "no {written} in {said}");
    }
    for file in COMPOSE_FILES {
        assert!(!repo.read(file).contains("debian:trixie-slim"), "{}", repo.read(file));
    }
    let before = repo.snapshot(".");
    assert_eq!(repo.run(&["check", "--write"]).succeeds().stderr, "");
    assert_eq!(repo.snapshot("."), before);
}

/// What is in the URL would be published with the image.
#[test]
fn an_indexs_url_has_no_credentials() {
    let repo = clean();
    let context = "context: ./images/kubeflow-a\n      target: ${TARGET_BUILD_STAGE:-development}\n      args:\n";
    let index = "        ACME_WHEELS_INDEX: https://user:pw@acme.example/simple\n";
    repo.edit(DEV, context, &format!("{context}{index}"));
    let ran = repo.run(&["check"]).fails(65, &["kubeflow-a", "ACME_WHEELS_INDEX: its URL has credentials"]);
    assert!(!ran.stderr.contains("pw"), "{}", ran.stderr);
}
