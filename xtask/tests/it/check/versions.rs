//! Locks, pins, and one version across the family.

use super::{STALE_README, each};
use crate::support::{BASE, NOTEBOOK, Python, SERVE, Versions, clean, cut};

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
