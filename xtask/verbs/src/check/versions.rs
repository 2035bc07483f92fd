//! Tests of the rules for versions, which are in the crate `project` (`family`): locks that are fresh, pins that are the
//! base's, and one version of a package across the family.

use super::testing::Rules;
use crate::testing;
use project::pyproject::Pyproject;
use std::{fmt::Write as _, path::Path};

type Versions<'a> = &'a [(&'a str, &'a str)];

/// An image's pyproject.toml, and a poetry.lock that is fresh for it.
#[derive(Clone, Copy)]
struct Python<'a> {
    image: &'a str,
    requires: &'a str,
    pins: Versions<'a>,
    exceptions: Versions<'a>,
    packages: Versions<'a>,
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
const SERVES: &str = "images/fastapi-serve/pyproject.toml";
const SERVES_LOCK: &str = "images/fastapi-serve/poetry.lock";
const NOTEBOOKS: &str = "images/kubeflow-a/pyproject.toml";
const NOTEBOOKS_LOCK: &str = "images/kubeflow-a/poetry.lock";

impl Python<'_> {
    fn pyproject(&self) -> String {
        let lines = |entries: Versions| -> String { entries.iter().map(|(k, v)| format!("{k} = {v:?}\n")).collect() };
        let mut text = format!("[project]\nrequires-python = {:?}\n", self.requires);
        let _ = write!(text, "\n[tool.core-images.exceptions]\n{}", lines(self.exceptions));
        let group = "[tool.poetry.group.coupled";
        let _ = write!(text, "\n{group}]\noptional = true\n\n{group}.dependencies]\n{}", lines(self.pins));
        text
    }

    fn write(&self, rules: Rules) -> Rules {
        let (text, folder) = (self.pyproject(), format!("images/{}", self.image));
        let hash = Pyproject::parse(Path::new("pyproject.toml"), &text).unwrap().content_hash();
        let lock = testing::lock_of(&hash, self.packages);
        rules.file(&format!("{folder}/pyproject.toml"), &text).file(&format!("{folder}/poetry.lock"), &lock)
    }
}

/// The family with locks that fit together, one of them replaced.
fn family(changed: Python) -> Rules {
    let rules = [BASE, SERVE, NOTEBOOK].iter().fold(Rules::kept(), |rules, python| python.write(rules));
    let rules = rules.written();
    assert_eq!(rules.findings(), [""; 0]);
    changed.write(rules)
}

#[track_caller]
fn finds(rules: &Rules, path: &str, line: &str, what: &str) {
    let place = if line.is_empty() { path.to_owned() } else { rules.line(path, line) };
    let found = rules.findings();
    let locks: Vec<&String> = found.iter().filter(|found| !found.contains("generated parts")).collect();
    assert_eq!(locks, [&format!("{place}: {what}")]);
}

#[test]
fn a_lock_fits_its_pyproject() {
    let rules = family(SERVE).edit(SERVES, "requires-python", "dependencies = [\"x\"]\nrequires-python");
    let what = "stale: its pyproject.toml has changed since: cargo xtask lock fastapi-serve";
    finds(&rules, &format!("{SERVES_LOCK}:1"), "", what);
    let rules = family(SERVE);
    let (head, _) = rules.read(SERVES_LOCK).split_once("[metadata]").map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    let found = rules.file(SERVES_LOCK, &head).findings();
    let what = "images/fastapi-serve: reading images/fastapi-serve/poetry.lock: no [metadata] with lock-version";
    assert!(found.iter().any(|found| found.starts_with(what) && found.contains("lock fastapi-serve")), "{found:?}");
}

#[test]
fn pins_are_the_bases_lock() {
    let what =
        |why: &str| format!("coupled pins are not those of python-base's lock ({why}): cargo xtask lock fastapi-serve");
    let rules = family(Python { pins: &[("idna", "3"), ("requests", "9")], ..SERVE });
    finds(&rules, SERVES, "requests = ", &what("requests 9, python-base has 2"));
    let rules = family(Python { pins: &[("a", "1"), ("b", "1"), ("idna", "4")], ..SERVE });
    let why = "a 1, python-base has nothing; b 1, python-base has nothing; idna 4, python-base has 3; and 1 more";
    finds(&rules, SERVES, "a = ", &what(why));
}

#[test]
fn a_package_has_one_version_or_a_reason() {
    let split = |package: &str, here: &str, there: &str, other: &str| {
        format!(
            "{package} {here} here, {there} in {other}: cargo xtask lock {other} kubeflow-a --update={package}, or say \
                 why: [tool.core-images.exceptions] {package} = \"<reason>\" in {NOTEBOOKS}"
        )
    };
    let other = [("idna", "3"), ("requests", "1")];
    let from_base = Python { packages: &other, ..NOTEBOOK };
    let rules = family(from_base);
    let lines = rules.read(NOTEBOOKS_LOCK);
    let line = lines.lines().position(|line| line == "name = \"requests\"").unwrap();
    finds(&rules, &format!("{NOTEBOOKS_LOCK}:{line}"), "", &split("requests", "1", "2", "python-base"));
    let from_sibling = family(Python { packages: &[("fastapi", "2")], ..NOTEBOOK });
    finds(&from_sibling, NOTEBOOKS_LOCK, "[[package]]", &split("fastapi", "2", "1", "fastapi-serve"));
    let wheels = "images/kubeflow-a/vendor-wheels/pytorch-cpu.txt";
    let rules = family(NOTEBOOK).file(wheels, "# PyTorch\nfastapi==2+cpu\n");
    finds(&rules, wheels, "fastapi", &split("fastapi", "2", "1", "fastapi-serve"));
    for (exceptions, pins) in [(&[("requests", "frozen")], &[("idna", "3")][..]), (&[("\"*\"", "older")], &[])] {
        let rules = family(Python { pins, exceptions, ..from_base });
        assert_eq!(rules.written().findings(), [""; 0]);
    }
}

#[test]
fn an_exception_is_needed_and_has_a_reason() {
    for (exception, line, pins) in [("requests", "requests = ", &[("idna", "3")][..]), ("\"*\"", "\"*\" = ", &[])] {
        let rules = family(Python { exceptions: &[(exception, "frozen")], pins, ..NOTEBOOK });
        let name = exception.trim_matches('"');
        let what = format!("the exception {name} is no longer needed: remove it, then cargo xtask lock kubeflow-a");
        finds(&rules, NOTEBOOKS, line, &what);
    }
    let rules = family(Python { exceptions: &[("requests", " ")], pins: &[("idna", "3")], ..NOTEBOOK });
    let what = format!(
        "reading {}: the exception requests has no reason: say why: requests = \"<reason>\"",
        rules.line(NOTEBOOKS, "requests = ")
    );
    finds(&rules, "images/kubeflow-a", "", &what);
}

#[test]
fn an_image_has_its_bases_python_or_a_reason() {
    let older = Python { requires: ">=3.12,<3.13", ..NOTEBOOK };
    let what = "Python >=3.12,<3.13, but python-base has >=3.13,<3.14: make them one, or say why not: \
                    [tool.core-images.exceptions] python = \"<reason>\"";
    finds(&family(older), NOTEBOOKS, "requires-python", what);
    let exceptions = &[("python", "no wheel for 3.13")];
    assert_eq!(family(Python { exceptions, ..older }).findings(), [""; 0]);
    let needless = family(Python { exceptions, ..NOTEBOOK });
    finds(&needless, NOTEBOOKS, "requires-python", "the exception python is no longer needed: remove it");
}

/// The notebook, which promises what these images have.
fn promises(notebook: Python, images: &str) -> Rules {
    let table = "[tool.core-images.exceptions]";
    family(notebook).edit(NOTEBOOKS, table, &format!("[tool.core-images]\nincludes = {images}\n\n{table}"))
}

#[test]
fn a_notebook_has_what_the_image_has_that_it_includes() {
    const SERVE: &str = "[\"fastapi-serve\"]";
    let finds = |notebook: Python, why: &str| {
        let what = format!(
            "it promises all packages of fastapi-serve (includes), but {why}; then cargo xtask lock fastapi-serve kubeflow-a"
        );
        finds(&promises(notebook, SERVE), NOTEBOOKS, "includes = ", &what);
    };
    // Those of its base count.
    for packages in [NOTEBOOK.packages, &[("fastapi", "1")]] {
        assert_eq!(promises(Python { packages, ..NOTEBOOK }, SERVE).written().findings(), [""; 0]);
    }
    let lacks =
        |packages: &str| format!("lacks {packages}: add to dependencies those that fastapi-serve asks for itself");
    finds(Python { packages: &[("numpy", "1")], ..NOTEBOOK }, &lacks("fastapi"));
    // Allowed to differ from the family, though not from what it promises.
    let frozen = Python { exceptions: &[("fastapi", "frozen")], packages: &[("fastapi", "2")], ..NOTEBOOK };
    finds(frozen, "has other versions: fastapi 2 here, 1 there");
    // Another Python than its base's can't import what that has.
    let exceptions = &[("python", "frozen"), ("\"*\"", "older")];
    let apart = Python { requires: ">=3.9,<3.10", exceptions, pins: &[], packages: &[("idna", "2")], ..NOTEBOOK };
    finds(apart, &format!("{}; and has other versions: idna 2 here, 3 there", lacks("fastapi, requests")));
}

#[test]
fn what_a_notebook_includes_are_images() {
    let what = "includes names nobody, which is no image with a pyproject.toml and a poetry.lock";
    finds(&promises(NOTEBOOK, "[\"nobody\"]"), NOTEBOOKS, "includes = ", what);
    for wrong in ["\"fastapi-serve\"", "[1]"] {
        let rules = promises(NOTEBOOK, wrong);
        let place = rules.line(NOTEBOOKS, "includes = ");
        let what =
            format!("reading {place}: includes is not a list of images: name them so: includes = [\"gpu-train\"]");
        finds(&rules, "images/kubeflow-a", "", &what);
    }
}
