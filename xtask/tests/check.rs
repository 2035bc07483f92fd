//! `check`'s rules and `lock`'s flags, each against a planted fault: a rule or a flag that is taken away fails a test here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper fails the test")]

mod support;

use std::{fmt::Write as _, fs};
use support::{COMPOSE_FILES, FASTAPI_SERVE, KUBEFLOW_A, PYTHON_BASE, Ran, Reply, Repo};

const DEV: &str = COMPOSE_FILES[0];
const CI: &str = COMPOSE_FILES[1];
const WORKFLOW: &str = ".github/workflows/ci.yml";
const STALE_README: (&str, &str, &str) = ("README.md", "", "its generated parts are stale: cargo xtask check --write");

type Versions = &'static [(&'static str, &'static str)];

/// An image's pyproject.toml, and a poetry.lock that is fresh for it.
#[derive(Clone, Copy)]
struct Python {
    image: &'static str,
    requires: &'static str,
    pins: Versions,
    exceptions: Versions,
    packages: Versions,
}

const BASE: Python = Python {
    image: "python-base",
    requires: ">=3.13,<3.14",
    pins: &[],
    exceptions: &[],
    packages: &[("idna", "3"), ("requests", "2")],
};
const SERVE: Python = Python {
    image: "fastapi-serve",
    pins: BASE.packages,
    packages: &[("fastapi", "1"), ("idna", "3"), ("requests", "2")],
    ..BASE
};
const NOTEBOOK: Python = Python {
    image: "kubeflow-a",
    packages: &[("fastapi", "1"), ("idna", "3"), ("numpy", "1"), ("requests", "2")],
    ..SERVE
};

impl Python {
    fn pyproject(&self) -> String {
        let lines = |entries: Versions| -> String { entries.iter().map(|(k, v)| format!("{k} = {v:?}\n")).collect() };
        let mut text = format!("[project]\nname = {:?}\nrequires-python = {:?}\n", self.image, self.requires);
        if !self.exceptions.is_empty() {
            let _ = write!(text, "\n[tool.core-images.exceptions]\n{}", lines(self.exceptions));
        }
        if !self.pins.is_empty() {
            let group = "[tool.poetry.group.coupled";
            let _ = write!(text, "\n{group}]\noptional = true\n\n{group}.dependencies]\n{}", lines(self.pins));
        }
        text
    }

    /// As poetry makes it: SHA-256 of the JSON that Python dumps of what dependencies are made of.
    fn content_hash(&self) -> String {
        let pins: Vec<String> = self.pins.iter().map(|(k, v)| format!("{k:?}: {v:?}")).collect();
        let group = format!(r#""group": {{"coupled": {{"dependencies": {{{}}}, "optional": true}}}}"#, pins.join(", "));
        let group = if pins.is_empty() { "" } else { &group };
        let json =
            format!(r#"{{"project": {{"requires-python": {:?}}}, "tool": {{"poetry": {{{group}}}}}}}"#, self.requires);
        hmac_sha256::Hash::hash(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn lock(&self) -> String {
        let mut text = "# @generated\n\n".to_owned();
        for (name, version) in self.packages {
            let _ = writeln!(text, "[[package]]\nname = {name:?}\nversion = {version:?}\ngroups = [\"main\"]\n");
        }
        let (python, hash) = (self.requires, self.content_hash());
        text + &format!("[metadata]\nlock-version = \"2.1\"\npython-versions = {python:?}\ncontent-hash = {hash:?}\n")
    }

    fn write(&self, repo: &Repo) {
        repo.write(&format!("images/{}/pyproject.toml", self.image), &self.pyproject());
        repo.write(&format!("images/{}/poetry.lock", self.image), &self.lock());
    }
}

/// A page with places for what is generated.
fn with_marks(title: &str, names: &[&str]) -> String {
    let blocks: Vec<_> = names.iter().map(|name| format!("<!-- begin {name} -->\n<!-- end {name} -->\n")).collect();
    format!("# {title}\n\n{}\nThe end.\n", blocks.join("\nBetween.\n\n"))
}

/// A family that keeps every rule.
fn clean() -> Repo {
    let repo = Repo::with(&[PYTHON_BASE, FASTAPI_SERVE, KUBEFLOW_A]);
    for python in [BASE, SERVE, NOTEBOOK] {
        let image = python.image;
        python.write(&repo);
        let base = if image == BASE.image { "" } else { "/images/python-base/tests, " };
        let suite = format!("/{image}:latest\n");
        for file in COMPOSE_FILES {
            repo.edit(file, &suite, &format!("{suite}    command: [pytest, {base}/images/{image}/tests]\n"));
        }
        let dockerfile = "ARG BASE_IMAGE\nARG TOOLS_IMAGE\nFROM ${TOOLS_IMAGE} AS tools\nFROM ${BASE_IMAGE} AS production\n\
                          FROM production AS development\nLABEL core-images.stage=development\n";
        repo.write(&format!("images/{image}/Dockerfile"), dockerfile);
        for file in [".dockerignore", "tests/test_it.py"] {
            repo.write(&format!("images/{image}/{file}"), "");
        }
        repo.write(&format!("images/{image}/README.md"), &with_marks(image, &["versions", "example"]));
        repo.write(&format!("images/{image}/example/Dockerfile"), &format!("FROM r.io/{image}:latest\n"));
    }
    repo.write("README.md", &with_marks("A family", &["graph", "images", "variables"]));
    repo.write(WORKFLOW, "jobs:\n  ci:\n    steps:\n      - uses: actions/checkout@v5\n      - run: cargo xtask ci\n");
    repo.run(&["check", "--write"]).succeeds();
    repo
}

/// Cuts a file off where this begins.
fn cut(repo: &Repo, path: &str, from: &str) {
    let text = repo.read(path);
    repo.write(path, text.split_once(from).unwrap_or_else(|| panic!("{path} has no {from:?}")).0);
}

fn append(repo: &Repo, path: &str, text: &str) {
    repo.write(path, &(repo.read(path) + text));
}

fn remove(repo: &Repo, path: &str) {
    let path = repo.root.join(path);
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

/// The faults as they were told, in the order of the alphabet.
fn told(repo: &Repo, ran: &Ran) -> Vec<String> {
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
    assert_eq!(told(repo, &ran), expected, "{name}");
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

// check

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
fn the_two_compose_files_name_the_same_images_alike() {
    each(&[
        (
            "an image in dev only",
            |repo| cut(repo, CI, "\n  kubeflow-a:"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a isn't in docker-compose.ci.yaml")],
        ),
        (
            "an image in ci only",
            |repo| {
                cut(repo, DEV, "\n  kubeflow-a:");
                remove(repo, "images/kubeflow-a");
            },
            &[
                (CI, "  kubeflow-a:", "kubeflow-a isn't in docker-compose.dev.yaml"),
                STALE_README,
                (".github/dependabot.yml", "", STALE_README.2),
            ],
        ),
        (
            "another base",
            |repo| repo.edit(CI, "BASE_IMAGE: debian:trixie-slim", "BASE_IMAGE: debian:bookworm-slim"),
            &[
                (DEV, "  python-base:", "python-base: the images in build.args differs between the two compose files"),
                (
                    CI,
                    "",
                    "python-base: BASE_IMAGE is debian:bookworm-slim, which no service with the profile external has",
                ),
            ],
        ),
        (
            "another base's tag",
            |repo| repo.edit(CI, "/python-base:${BASE_IMAGE_TAG:-${IMAGE_TAG:-latest}}", "/python-base:1.4.0"),
            &[
                (
                    DEV,
                    "  fastapi-serve:",
                    "fastapi-serve: the images in build.args differs between the two compose files",
                ),
                (DEV, "  kubeflow-a:", "kubeflow-a: the images in build.args differs between the two compose files"),
            ],
        ),
        (
            "another reference",
            |repo| repo.edit(CI, "/kubeflow-a:${IMAGE_TAG:-latest}", "/kubeflow-a:${IMAGE_TAG:-1}"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a: image: differs between the two compose files")],
        ),
        (
            "another folder",
            |repo| repo.edit(CI, "context: ./images/kubeflow-a\n", "context: ./images/fastapi-serve\n"),
            &[
                (DEV, "  kubeflow-a:", "kubeflow-a: build.context differs between the two compose files"),
                (CI, "  kubeflow-a:", "kubeflow-a-tests doesn't run images/fastapi-serve/tests"),
            ],
        ),
        (
            "another Dockerfile",
            |repo| {
                repo.edit(
                    CI,
                    "context: ./images/kubeflow-a\n",
                    "context: ./images/kubeflow-a\n      dockerfile: Other\n",
                );
            },
            &[(DEV, "  kubeflow-a:", "kubeflow-a: build.context differs between the two compose files")],
        ),
        (
            "a suite in dev only",
            |repo| cut(repo, CI, "\n  kubeflow-a-tests:"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a: its suite differs between the two compose files")],
        ),
        (
            "another description",
            |repo| repo.edit(CI, "The kubeflow-a image", "Another"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a: x-core-images differs between the two compose files")],
        ),
        (
            "no description",
            |repo| {
                let about = "    x-core-images: {description: The kubeflow-a image, hardware: cpu}\n";
                repo.edit(DEV, about, "");
                repo.edit(CI, about, "");
            },
            &[
                (DEV, "  kubeflow-a:", "kubeflow-a has no x-core-images: with description and hardware"),
                (CI, "  kubeflow-a:", "kubeflow-a has no x-core-images: with description and hardware"),
                STALE_README,
            ],
        ),
    ]);
}

#[test]
fn a_suite_runs_its_own_tests_and_those_of_every_ancestor() {
    each(&[
        (
            "the base's, in ci",
            |repo| repo.edit(CI, "/images/python-base/tests, /images/fastapi-serve", "/images/fastapi-serve"),
            &[(CI, "  fastapi-serve:", "fastapi-serve-tests doesn't run images/python-base/tests")],
        ),
        (
            "its own, in dev",
            |repo| repo.edit(DEV, ", /images/fastapi-serve/tests", ""),
            &[(DEV, "  fastapi-serve:", "fastapi-serve-tests doesn't run images/fastapi-serve/tests")],
        ),
        (
            "both, though the next suite has them",
            |repo| repo.edit(DEV, "[pytest, /images/python-base/tests, /images/fastapi-serve/tests]", "[pytest]"),
            &[(
                DEV,
                "  fastapi-serve:",
                "fastapi-serve-tests doesn't run images/python-base/tests, images/fastapi-serve/tests",
            )],
        ),
    ]);
}

#[test]
fn a_dockerfile_takes_the_images_that_the_compose_files_name() {
    const FILE: &str = "images/fastapi-serve/Dockerfile";
    each(&[
        (
            "FROM an image",
            |repo| append(repo, FILE, "FROM debian:trixie AS last\n"),
            &[(
                FILE,
                "FROM debian",
                "debian:trixie is no build argument *_IMAGE of fastapi-serve in the compose files",
            )],
        ),
        (
            "FROM another argument",
            |repo| append(repo, FILE, "FROM $PORT AS last\n"),
            &[(FILE, "FROM $PORT", "$PORT is no build argument *_IMAGE of fastapi-serve in the compose files")],
        ),
        (
            "COPY from an image",
            |repo| append(repo, FILE, "COPY --from=r.io/uv:1 /uv /uv\n"),
            &[(FILE, "COPY", "r.io/uv:1 is no build argument *_IMAGE of fastapi-serve in the compose files")],
        ),
        (
            "RUN with an image",
            |repo| append(repo, FILE, "RUN --mount=type=bind,from=alpine,target=/x true\n"),
            &[(FILE, "RUN", "alpine is no build argument *_IMAGE of fastapi-serve in the compose files")],
        ),
        (
            "a helper's FROM",
            |repo| append(repo, "images/build-tools/Dockerfile", "FROM alpine\n"),
            &[(
                "images/build-tools/Dockerfile",
                "FROM alpine",
                "alpine is no build argument *_IMAGE of build-tools in the compose files",
            )],
        ),
        (
            "an argument for nothing",
            |repo| repo.edit(FILE, "FROM ${TOOLS_IMAGE} AS tools\n", ""),
            &[(FILE, "", "TOOLS_IMAGE of the compose files is used in no FROM, COPY --from or RUN --mount")],
        ),
        (
            "no label",
            |repo| repo.edit(FILE, "LABEL core-images.stage=development\n", ""),
            &[(FILE, "", "the development stage has no LABEL core-images.stage=development, which deploy goes by")],
        ),
        (
            "no such stage",
            |repo| repo.edit(FILE, "AS development\n", "AS dev\n"),
            &[(
                FILE,
                "",
                "images/fastapi-serve/Dockerfile has no stage 'development'; its stages are: tools, production, dev",
            )],
        ),
        (
            "no Dockerfile",
            |repo| remove(repo, FILE),
            &[(FILE, "", "reading the Dockerfile of fastapi-serve: images/fastapi-serve/Dockerfile: no such file")],
        ),
    ]);
}

#[test]
fn an_images_folder_is_whole_and_a_folder_is_an_image() {
    each(&[
        (
            "no .dockerignore",
            |repo| remove(repo, "images/kubeflow-a/.dockerignore"),
            &[("images/kubeflow-a/.dockerignore", "", "is missing")],
        ),
        (
            "no README.md",
            |repo| remove(repo, "images/kubeflow-a/README.md"),
            &[("images/kubeflow-a/README.md", "", "is missing")],
        ),
        ("no tests", |repo| remove(repo, "images/kubeflow-a/tests"), &[("images/kubeflow-a/tests", "", "is missing")]),
        (
            "no lock",
            |repo| remove(repo, "images/kubeflow-a/poetry.lock"),
            &[("images/kubeflow-a/poetry.lock", "", "is missing: cargo xtask lock kubeflow-a")],
        ),
        (
            "a stray folder",
            |repo| repo.write("images/forgotten/Dockerfile", "FROM scratch\n"),
            &[("images/forgotten", "", "has a Dockerfile, but is no service in the compose files")],
        ),
    ]);
    // A folder that is no image's, and an image that has no Python of its own.
    let repo = clean();
    repo.write("images/common/conftest.py", "");
    remove(&repo, "images/kubeflow-a/pyproject.toml");
    remove(&repo, "images/kubeflow-a/poetry.lock");
    repo.run(&["check", "--write"]).succeeds();
}

#[test]
fn a_lock_fits_its_pyproject_and_the_pins_fit_the_bases_lock() {
    const PYPROJECT: &str = "images/fastapi-serve/pyproject.toml";
    const LOCK: &str = "images/fastapi-serve/poetry.lock";
    each(&[
        (
            "stale",
            |repo| repo.edit(PYPROJECT, "requires-python", "dependencies = [\"x\"]\nrequires-python"),
            &[(LOCK, "# @generated", "stale: its pyproject.toml has changed since: cargo xtask lock fastapi-serve")],
        ),
        (
            "a pin edited by hand",
            |repo| Python { pins: &[("idna", "3"), ("requests", "9")], ..SERVE }.write(repo),
            &[(
                PYPROJECT,
                "requests = ",
                "coupled pins are not those of python-base's lock (requests 9, python-base has 2): cargo xtask lock fastapi-serve",
            )],
        ),
        (
            "too few pins and too many, more than three",
            |repo| {
                let pins = &[("a", "1"), ("b", "1"), ("idna", "4")];
                Python { pins, ..SERVE }.write(repo);
            },
            &[
                (
                    PYPROJECT,
                    "a = ",
                    "coupled pins are not those of python-base's lock (a 1, python-base has nothing; b 1, python-base has \
                     nothing; idna 4, python-base has 3; and 1 more): cargo xtask lock fastapi-serve",
                ),
                (".github/dependabot.yml", "", STALE_README.2),
            ],
        ),
        (
            "a lock cut off",
            |repo| cut(repo, LOCK, "[metadata]"),
            &[(
                "images/fastapi-serve",
                "",
                "reading images/fastapi-serve/poetry.lock: no [metadata] with lock-version and content-hash: cut off, or no \
             poetry.lock: make it anew: `cargo xtask lock fastapi-serve`",
            )],
        ),
    ]);
}

#[test]
fn a_package_has_one_version_or_a_reason() {
    const PYPROJECT: &str = "images/kubeflow-a/pyproject.toml";
    const LOCK: &str = "images/kubeflow-a/poetry.lock";
    const FROZEN: Versions = &[("requests", "frozen upstream")];
    const OTHER: Versions = &[("idna", "3"), ("requests", "1")];
    each(&[
        (
            "from the base",
            |repo| Python { packages: OTHER, ..NOTEBOOK }.write(repo),
            &[(
                LOCK,
                "[[package]]\nname = \"requests\"",
                "requests 1 here, 2 in python-base: cargo xtask lock python-base kubeflow-a --update=requests, or say why: \
             [tool.core-images.exceptions] requests = \"<reason>\" in images/kubeflow-a/pyproject.toml",
            )],
        ),
        (
            "from another child",
            |repo| Python { packages: &[("fastapi", "2")], ..NOTEBOOK }.write(repo),
            &[(
                LOCK,
                "[[package]]\nname = \"fastapi\"",
                "fastapi 2 here, 1 in fastapi-serve: cargo xtask lock fastapi-serve kubeflow-a --update=fastapi, or say why: \
             [tool.core-images.exceptions] fastapi = \"<reason>\" in images/kubeflow-a/pyproject.toml",
            )],
        ),
        (
            "a vendor's wheel",
            |repo| repo.write("images/kubeflow-a/vendor-wheels/pytorch-cpu.txt", "# PyTorch\nfastapi==2+cpu\n"),
            &[
                (
                    "images/kubeflow-a/vendor-wheels/pytorch-cpu.txt",
                    "fastapi",
                    "fastapi 2 here, 1 in fastapi-serve: cargo xtask lock fastapi-serve kubeflow-a --update=fastapi, or say \
                     why: [tool.core-images.exceptions] fastapi = \"<reason>\" in images/kubeflow-a/pyproject.toml",
                ),
                ("images/kubeflow-a/README.md", "", STALE_README.2),
            ],
        ),
        (
            "an exception without need",
            |repo| Python { exceptions: FROZEN, pins: &[("idna", "3")], ..NOTEBOOK }.write(repo),
            &[(
                PYPROJECT,
                "requests = ",
                "the exception requests is no longer needed: remove it, then cargo xtask lock kubeflow-a",
            )],
        ),
        (
            "an exception for all without need",
            |repo| {
                Python { exceptions: &[("\"*\"", "another Python")], pins: &[], ..NOTEBOOK }.write(repo);
            },
            &[(PYPROJECT, "\"*\"", "the exception * is no longer needed: remove it, then cargo xtask lock kubeflow-a")],
        ),
        (
            "an exception without a reason",
            |repo| Python { exceptions: &[("requests", " ")], pins: &[("idna", "3")], ..NOTEBOOK }.write(repo),
            &[(
                "images/kubeflow-a",
                "",
                "reading images/kubeflow-a/pyproject.toml:6: the exception requests has no reason: say why: requests = \
                 \"<reason>\"",
            )],
        ),
    ]);
    for (exceptions, pins) in [(FROZEN, &BASE.packages[..1]), (&[("\"*\"", "another Python")], &[][..])] {
        let repo = clean();
        Python { exceptions, pins, packages: OTHER, ..NOTEBOOK }.write(&repo);
        repo.run(&["check"]).succeeds();
    }
}

#[test]
fn an_image_has_its_bases_python_or_a_reason() {
    const FILE: &str = "images/kubeflow-a/pyproject.toml";
    const OLDER: Python = Python { requires: ">=3.12,<3.13", ..NOTEBOOK };
    const REASON: Versions = &[("python", "its vendor has no wheel for 3.13")];
    each(&[
        (
            "another",
            |repo| OLDER.write(repo),
            &[(
                FILE,
                "requires-python",
                "Python >=3.12,<3.13, but python-base has >=3.13,<3.14: make them one, or say why not: \
             [tool.core-images.exceptions] python = \"<reason>\"",
            )],
        ),
        (
            "an exception without need",
            |repo| Python { exceptions: REASON, ..NOTEBOOK }.write(repo),
            &[(FILE, "requires-python", "the exception python is no longer needed: remove it")],
        ),
    ]);
    let repo = clean();
    Python { exceptions: REASON, ..OLDER }.write(&repo);
    repo.run(&["check"]).succeeds();
}

#[test]
fn a_workflow_runs_cargo_xtask_alone() {
    const WHAT: &str = "runs something else than `cargo xtask …`: make it a verb";
    each(&[
        (
            "another tool",
            |repo| append(repo, WORKFLOW, "      - run: pip install x\n"),
            &[(WORKFLOW, "      - run: pip", WHAT)],
        ),
        (
            "another verb of cargo, under a name",
            |repo| append(repo, WORKFLOW, "      - name: x\n        run: cargo test\n"),
            &[(WORKFLOW, "        run: cargo test", WHAT)],
        ),
        (
            "a script",
            |repo| append(repo, WORKFLOW, "      - run: |\n          cargo xtask ci\n"),
            &[(WORKFLOW, "      - run: |", WHAT)],
        ),
        (
            "a second workflow",
            |repo| repo.write(".github/workflows/a.yml", "steps:\n  - run: make\n"),
            &[(".github/workflows/a.yml", "  - run: make", WHAT)],
        ),
    ]);
}

#[test]
fn the_readmes_generated_parts_are_fresh() {
    each(&[
        ("graph", |repo| repo.edit("README.md", "flowchart LR", "flowchart TD"), &[STALE_README]),
        ("images", |repo| repo.edit("README.md", "| The kubeflow-a image |", "| Mine |"), &[STALE_README]),
        ("variables", |repo| repo.edit("README.md", "`IMAGE_TAG`", "`TAG`"), &[STALE_README]),
        (
            "no begin",
            |repo| repo.edit("README.md", "<!-- begin images -->", ""),
            &[("README.md", "", "no mark '<!-- begin images -->'")],
        ),
        (
            "no end",
            |repo| repo.edit("README.md", "<!-- end variables -->", ""),
            &[("README.md", "", "no mark '<!-- end variables -->'")],
        ),
    ]);
    // Between the marks alone, and once.
    let repo = clean();
    let fresh = repo.read("README.md");
    repo.edit("README.md", "The kubeflow-a image", "Mine");
    repo.edit("README.md", "`IMAGE_TAG`", "`TAG`");
    for said in ["README.md: generated parts written anew\n", ""] {
        assert_eq!(repo.run(&["check", "--write"]).succeeds().stderr, said);
        assert_eq!(repo.read("README.md"), fresh);
    }
    repo.edit("README.md", "Between.", "My own words.");
    let before = repo.snapshot(".");
    repo.run(&["check", "--write"]).succeeds();
    assert_eq!(repo.snapshot("."), before);
    assert!(fresh.starts_with("# A family\n") && fresh.ends_with("\nThe end.\n"), "{fresh}");
}

#[test]
fn what_else_is_generated_is_fresh() {
    const README: &str = "images/fastapi-serve/README.md";
    const BOT: &str = ".github/dependabot.yml";
    each(&[
        ("versions", |repo| repo.edit(README, "| package | version |", "| mine |"), &[(README, "", STALE_README.2)]),
        (
            "an example that moved on",
            |repo| append(repo, "images/fastapi-serve/example/Dockerfile", "USER 1000\n"),
            &[(README, "", STALE_README.2)],
        ),
        (
            "no example",
            |repo| remove(repo, "images/fastapi-serve/example"),
            &[(README, "", "images/fastapi-serve/example/Dockerfile: No such file or directory (os error 2)")],
        ),
        (
            "no mark",
            |repo| repo.edit(README, "<!-- begin versions -->", ""),
            &[(README, "", "no mark '<!-- begin versions -->'")],
        ),
        ("a bot's own words", |repo| repo.edit(BOT, "monthly", "daily"), &[(BOT, "", STALE_README.2)]),
        (
            "a folder with requirements",
            |repo| repo.write("xtask/more/requirements.in", "x\n"),
            &[(BOT, "", STALE_README.2)],
        ),
    ]);
    let repo = clean();
    remove(&repo, BOT);
    repo.run(&["check", "--write"]).succeeds();
    let bot = repo.read(BOT);
    for folder in ["/images/python-base", "/images/fastapi-serve", "/"] {
        assert!(bot.contains(&format!("      - {folder}\n")), "{bot}");
    }
    // A direct dependency with its version, and the example, between the marks.
    Python { pins: BASE.packages, ..SERVE }.write(&repo);
    repo.edit(
        "images/fastapi-serve/pyproject.toml",
        "requires-python",
        "dependencies = [\"FastAPI >=1\"]\nrequires-python",
    );
    repo.run(&["check", "--write"]);
    let readme = repo.read(README);
    assert!(readme.contains("| fastapi | 1 |") && !readme.contains("| idna |"), "{readme}");
    assert!(readme.contains("```dockerfile\nFROM r.io/fastapi-serve:latest\n```\n<!-- end example -->"), "{readme}");
}

/// A vendor's index stands in both files alike, and in a label, for deploy goes by that.
#[test]
fn an_index_is_named_in_both_files_and_in_the_image() {
    const FILE: &str = "images/kubeflow-a/Dockerfile";
    let named = |repo: &Repo, files: &[&str], url: &str| {
        for file in files {
            let (head, tail) = {
                let text = repo.read(file);
                let at = text.find("context: ./images/kubeflow-a").unwrap();
                let at = at + text[at..].find("      args:\n").unwrap() + "      args:\n".len();
                (text[..at].to_owned(), text[at..].to_owned())
            };
            repo.write(file, &format!("{head}        ACME_WHEELS_INDEX: {url}\n{tail}"));
        }
    };
    let label = "ARG ACME_WHEELS_INDEX\nLABEL core-images.index.acme-wheels=${ACME_WHEELS_INDEX}\n";
    let repo = clean();
    named(&repo, &COMPOSE_FILES, "https://acme.example");
    let unlabelled = "ACME_WHEELS_INDEX of the compose files has no LABEL core-images.index.acme-wheels=${ACME_WHEELS_INDEX}, \
                      which deploy goes by";
    finds(&repo, "no label", &[(FILE, "", unlabelled)]);
    append(&repo, FILE, label);
    repo.run(&["check"]).succeeds();
    let repo = clean();
    append(&repo, FILE, label);
    named(&repo, &[DEV], "https://acme.example");
    let differs = "kubeflow-a: the indexes in build.args differs between the two compose files";
    finds(&repo, "in one file", &[(DEV, "  kubeflow-a:", differs)]);
    // What is in the URL would be published with the image.
    let repo = clean();
    named(&repo, &COMPOSE_FILES, "https://user:pw@acme.example/simple");
    let ran = repo.run(&["check"]).fails(65, &["kubeflow-a", "ACME_WHEELS_INDEX: its URL has credentials"]);
    assert!(!ran.stderr.contains("pw"), "{}", ran.stderr);
}

#[test]
fn a_bot_moves_an_external_image_where_it_looks_and_check_carries_it_on() {
    let repo = clean();
    for file in COMPOSE_FILES {
        repo.edit(file, "image: debian:trixie-slim", "image: debian:trixie-20261117-slim");
    }
    let stale = "is debian:trixie-slim, the service debian has debian:trixie-20261117-slim: cargo xtask check --write";
    let ran = repo.run(&["check"]).fails(65, &["check: "]);
    assert!(ran.stderr.contains(&format!("{CI}: error: python-base: BASE_IMAGE {stale}")), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("{DEV}: error: build-tools: DEBIAN_IMAGE {stale}")), "{}", ran.stderr);
    repo.run(&["check", "--write"]).succeeds();
    for file in COMPOSE_FILES {
        assert!(!repo.read(file).contains("debian:trixie-slim"), "{}", repo.read(file));
    }
    repo.run(&["check"]).succeeds();
    // Another version of one image, named by a service of its own, is nobody's mistake.
    for file in COMPOSE_FILES {
        repo.edit(
            file,
            "services:\n",
            "services:\n  old:\n    profiles: [external]\n    image: debian:bullseye-slim\n\n",
        );
        repo.edit(file, "BASE_IMAGE: debian:trixie-20261117-slim", "BASE_IMAGE: debian:bullseye-slim");
    }
    repo.run(&["check", "--write"]).succeeds();
    assert!(repo.read(DEV).contains("BASE_IMAGE: debian:bullseye-slim"));
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
        (WORKFLOW, "      - run: make", "runs something else than `cargo xtask …`: make it a verb"),
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
    // What can be written is, and the rest is still told.
    repo.run(&["check", "--write"]).fails(65, &["check: 5 faults found"]);
    finds(&repo, "the rest", others);
}

// lock's flags

/// What the base's lock becomes: one package moved, one gone, one new.
const NEW_BASE: Python = Python { packages: &[("certifi", "1"), ("requests", "3")], ..BASE };
const NEW_SERVE: Python =
    Python { pins: NEW_BASE.packages, packages: &[("certifi", "1"), ("fastapi", "1"), ("requests", "3")], ..SERVE };
const NEW_NOTEBOOK: Python = Python {
    pins: NEW_BASE.packages,
    packages: &[("certifi", "1"), ("fastapi", "1"), ("numpy", "1"), ("requests", "3")],
    ..NOTEBOOK
};

/// The clean family, and a poetry that makes these locks, and keeps what it was given as `target/seen-<image>.toml`.
fn poetry_makes(locks: &[Python]) -> Repo {
    let repo = clean();
    for python in locks {
        repo.write(&format!("target/new-{}.lock", python.image), &python.lock());
    }
    let script = "image=${call#*images/}; image=${image%%/.lock*}\n\
                  /bin/cp \"images/$image/.lock/pyproject.toml\" \"target/seen-$image.toml\"\n\
                  [ ! -e \"target/new-$image.lock\" ] || /bin/cp \"target/new-$image.lock\" \"images/$image/.lock/poetry.lock\"\n\
                  exit 0";
    repo.on("poetry *", Reply::does(script));
    repo
}

/// What poetry was called with, one after the other.
fn poetry_calls(repo: &Repo) -> Vec<String> {
    repo.calls().into_iter().filter(|call| call.starts_with("poetry ")).collect()
}

fn poetry(verb: &str, image: &str, packages: &str) -> String {
    format!("poetry {verb} --no-interaction --no-ansi --directory images/{image}/.lock{packages}")
}

#[test]
fn a_package_that_is_nowhere_is_not_updated_in_silence() {
    let repo = poetry_makes(&[]);
    let ran = repo.run(&["lock", "python-base", "fastapi-serve", "--update=reqests"]);
    ran.fails(2, &["lock --update=reqests: no such package in python-base, fastapi-serve"]);
}

#[test]
fn update_is_poetrys_to_do_where_a_package_is_the_images_own() {
    let (base, serve) = ("python-base", "fastapi-serve");
    let (lock, anew, update) = ("lock", "lock --regenerate", "update --lock");
    let cases: [(&[&str], [String; 2]); 7] = [
        (&[base, serve], [poetry(lock, base, ""), poetry(lock, serve, "")]),
        (&["--update", base, serve], [poetry(anew, base, ""), poetry(anew, serve, "")]),
        // The dependents that come along are kept, but for what is the base's.
        (&["--update=requests", base, serve], [poetry(update, base, " requests"), poetry(lock, serve, "")]),
        (&["--update=requests,idna", base, serve], [poetry(update, base, " requests idna"), poetry(lock, serve, "")]),
        (
            &["--update=Requests,FastAPI", base, serve],
            [poetry(update, base, " requests"), poetry(update, serve, " fastapi")],
        ),
        (&["--update=fastapi", base, serve], [poetry(lock, base, ""), poetry(update, serve, " fastapi")]),
        (&["--update=fastapi", serve, base], [poetry(lock, base, ""), poetry(update, serve, " fastapi")]),
    ];
    let repo = poetry_makes(&[]);
    for (args, expected) in cases {
        repo.forget();
        repo.run(&[&["lock", "--jobs", "1"], args].concat()).succeeds();
        assert_eq!(poetry_calls(&repo), expected, "{args:?}");
    }
}

#[test]
fn an_update_of_everything_reaches_every_chosen_image_and_one_of_a_package_those_named() {
    for (update, serve, notebook) in
        [("--update", "lock --regenerate", "lock --regenerate"), ("--update=fastapi", "lock", "lock")]
    {
        let repo = poetry_makes(&[]);
        repo.run(&["lock", update, "--with-dependents", "--jobs", "1", "python-base"]).succeeds();
        let base = if update == "--update" { "lock --regenerate" } else { "lock" };
        let expected =
            [poetry(base, "python-base", ""), poetry(serve, "fastapi-serve", ""), poetry(notebook, "kubeflow-a", "")];
        assert_eq!(poetry_calls(&repo), expected, "{update}");
    }
}

#[test]
fn with_dependents_a_change_flows_through_the_family_and_check_passes() {
    for jobs in ["1", "3"] {
        let repo = poetry_makes(&[NEW_BASE, NEW_SERVE, NEW_NOTEBOOK]);
        let ran = repo.run(&["lock", "--with-dependents", "--jobs", jobs, "python-base"]).succeeds();
        let mut calls = poetry_calls(&repo);
        assert_eq!(calls[0], poetry("lock", "python-base", ""), "the base first");
        calls.sort();
        assert_eq!(calls, ["fastapi-serve", "kubeflow-a", "python-base"].map(|image| poetry("lock", image, "")));
        for image in ["fastapi-serve", "kubeflow-a"] {
            let seen = repo.read(&format!("target/seen-{image}.toml"));
            let pins = seen.split_once("[tool.poetry.group.coupled.dependencies]\n").unwrap().1;
            assert_eq!(pins, "certifi = \"1\"\nrequests = \"3\"\n", "poetry saw the new lock's pins");
            assert_eq!(repo.read(&format!("images/{image}/pyproject.toml")), seen);
            assert!(!repo.has(&format!("images/{image}/.lock")));
        }
        for (image, new) in [("python-base", NEW_BASE), ("fastapi-serve", NEW_SERVE), ("kubeflow-a", NEW_NOTEBOOK)] {
            assert_eq!(repo.read(&format!("images/{image}/poetry.lock")), new.lock());
            let said = format!("{image}: certifi 1 (new), idna 3 (gone), requests 2 → 3\n");
            assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        }
        assert!(!ran.stderr.contains("stale now"), "{}", ran.stderr);
        repo.run(&["check"]).succeeds();
    }
}

#[test]
fn without_dependents_those_that_are_stale_now_are_named_and_left_alone() {
    const SAID: &str = "coupled to what changed, and stale now: ";
    let repo = poetry_makes(&[NEW_BASE, NEW_SERVE]);
    let before = ["fastapi-serve", "kubeflow-a"].map(|image| repo.snapshot(&format!("images/{image}")));
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    assert_eq!(poetry_calls(&repo), [poetry("lock", "python-base", "")]);
    let said = format!("{SAID}fastapi-serve, kubeflow-a (--with-dependents locks them too)\n");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    assert_eq!(before, ["fastapi-serve", "kubeflow-a"].map(|image| repo.snapshot(&format!("images/{image}"))));
    // Only those that were left out, and only after a change.
    BASE.write(&repo);
    let ran = repo.run(&["lock", "python-base", "fastapi-serve"]).succeeds();
    assert!(ran.stderr.contains(&format!("{SAID}kubeflow-a (")), "{}", ran.stderr);
    let ran = repo.run(&["lock", "python-base", "fastapi-serve"]).succeeds();
    assert!(ran.stderr.contains("python-base: no version moved") && !ran.stderr.contains(SAID), "{}", ran.stderr);
}

#[test]
fn with_dependents_goes_no_further_than_what_stands_on_the_named() {
    let repo = poetry_makes(&[]);
    repo.run(&["lock", "--with-dependents", "fastapi-serve"]).succeeds();
    assert_eq!(poetry_calls(&repo), [poetry("lock", "fastapi-serve", "")]);
    // Nor to what goes its own way.
    let repo = poetry_makes(&[]);
    repo.edit(
        "images/kubeflow-a/pyproject.toml",
        "[project]",
        "[tool.core-images.exceptions]\n\"*\" = \"frozen\"\n\n[project]",
    );
    repo.run(&["lock", "--with-dependents", "python-base"]).succeeds();
    assert_eq!(poetry_calls(&repo), ["python-base", "fastapi-serve"].map(|image| poetry("lock", image, "")));
}

#[test]
fn markdown_is_a_table_on_standard_output() {
    let repo = poetry_makes(&[NEW_BASE, NEW_SERVE]);
    let ran = repo.run(&["lock", "--markdown", "python-base", "fastapi-serve", "kubeflow-a"]);
    // A dependent whose lock didn't move has no row.
    let rows = |image: &str| {
        format!(
            "| `{image}` | `certifi` | – | 1 |\n| `{image}` | `idna` | 3 | – |\n| `{image}` | `requests` | 2 | 3 |\n"
        )
    };
    let head = "| image | package | before | after |\n|---|---|---|---|\n";
    assert_eq!(ran.succeeds().stdout, [head, &rows("python-base"), &rows("fastapi-serve")].concat());
    let again = repo.run(&["lock", "--markdown", "python-base"]).succeeds();
    assert_eq!(again.stdout, head);
    // A table of what, or for whom?
    for other in ["--json", "--check"] {
        let ran = repo.run(&["lock", "--markdown", other, "python-base"]);
        assert!(ran.code == 2 && ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    }
}

#[test]
fn json_is_an_array_on_standard_output() {
    let repo = poetry_makes(&[NEW_BASE]);
    let ran = repo.run(&["lock", "--json", "python-base", "fastapi-serve"]).succeeds();
    let expected = r#"[
  {
    "image": "python-base",
    "moves": [
      {
        "after": "1",
        "before": null,
        "package": "certifi"
      },
      {
        "after": null,
        "before": "3",
        "package": "idna"
      },
      {
        "after": "3",
        "before": "2",
        "package": "requests"
      }
    ]
  },
  {
    "image": "fastapi-serve",
    "moves": []
  }
]
"#;
    assert_eq!(ran.stdout, expected);
    assert!(!ran.stderr.contains("requests 2 → 3"), "said once: {}", ran.stderr);
}

#[test]
fn under_a_base_that_fails_nothing_is_run_or_touched() {
    for jobs in ["1", "3"] {
        let repo = poetry_makes(&[NEW_BASE, NEW_SERVE, NEW_NOTEBOOK]);
        repo.on("poetry * images/python-base/.lock", Reply::fails(1, "version solving failed"));
        let before = repo.snapshot("images");
        repo.run(&["lock", "--with-dependents", "--jobs", jobs, "python-base"]).fails(1, &["python-base"]);
        assert_eq!(poetry_calls(&repo), [poetry("lock", "python-base", "")]);
        assert_eq!(repo.snapshot("images"), before);
    }
    // A child that fails takes neither its base nor its sibling with it.
    let repo = poetry_makes(&[NEW_BASE, NEW_SERVE, NEW_NOTEBOOK]);
    repo.on("poetry * images/fastapi-serve/.lock", Reply::fails(1, "version solving failed"));
    let before = repo.snapshot("images/fastapi-serve");
    repo.run(&["lock", "--with-dependents", "python-base"]).fails(1, &["fastapi-serve"]);
    assert_eq!(repo.snapshot("images/fastapi-serve"), before);
    assert_eq!(repo.read("images/python-base/poetry.lock"), NEW_BASE.lock());
    assert_eq!(repo.read("images/kubeflow-a/poetry.lock"), NEW_NOTEBOOK.lock());
}
