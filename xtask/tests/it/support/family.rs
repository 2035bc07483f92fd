//! A family that keeps every rule of `check`, with its locks.

use super::{COMPOSE_FILES, FASTAPI_SERVE, KUBEFLOW_A, PYTHON_BASE, Repo};
use std::{fmt::Write as _, fs};

pub const WORKFLOW: &str = ".github/workflows/ci.yml";

pub type Versions = &'static [(&'static str, &'static str)];

/// An image's pyproject.toml, and a poetry.lock that is up to date with it.
#[derive(Clone, Copy)]
pub struct Python {
    pub image: &'static str,
    pub requires: &'static str,
    pub pins: Versions,
    pub exceptions: Versions,
    pub packages: Versions,
}

pub const BASE: Python = Python {
    image: "python-base",
    requires: ">=3.13,<3.14",
    pins: &[],
    exceptions: &[],
    packages: &[("idna", "3"), ("requests", "2")],
};

pub const SERVE: Python = Python {
    image: "fastapi-serve",
    pins: BASE.packages,
    packages: &[("fastapi", "1"), ("idna", "3"), ("requests", "2")],
    ..BASE
};

pub const NOTEBOOK: Python = Python {
    image: "kubeflow-a",
    packages: &[("fastapi", "1"), ("idna", "3"), ("numpy", "1"), ("requests", "2")],
    ..SERVE
};

impl Python {
    pub fn pyproject(&self) -> String {
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
    pub fn content_hash(&self) -> String {
        let pins: Vec<String> = self.pins.iter().map(|(k, v)| format!("{k:?}: {v:?}")).collect();
        let group = format!(r#""group": {{"coupled": {{"dependencies": {{{}}}, "optional": true}}}}"#, pins.join(", "));
        let group = if pins.is_empty() { "" } else { &group };
        let json =
            format!(r#"{{"project": {{"requires-python": {:?}}}, "tool": {{"poetry": {{{group}}}}}}}"#, self.requires);
        hmac_sha256::Hash::hash(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn lock(&self) -> String {
        let mut text = "# @generated\n\n".to_owned();
        for (name, version) in self.packages {
            let _ = writeln!(text, "[[package]]\nname = {name:?}\nversion = {version:?}\ngroups = [\"main\"]\n");
        }
        let (python, hash) = (self.requires, self.content_hash());
        text + &format!("[metadata]\nlock-version = \"2.1\"\npython-versions = {python:?}\ncontent-hash = {hash:?}\n")
    }

    pub fn write(&self, repo: &Repo) {
        repo.write(&format!("images/{}/pyproject.toml", self.image), &self.pyproject());
        repo.write(&format!("images/{}/poetry.lock", self.image), &self.lock());
    }
}

/// A page with places for what is generated.
pub fn with_marks(title: &str, names: &[&str]) -> String {
    let blocks: Vec<_> = names.iter().map(|name| format!("<!-- begin {name} -->\n<!-- end {name} -->\n")).collect();
    format!("# {title}\n\n{}\nThe end.\n", blocks.join("\nBetween.\n\n"))
}

/// A family that keeps every rule.
pub fn clean() -> Repo {
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
    let uses = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
    repo.write(WORKFLOW, &format!("jobs:\n  ci:\n    steps:\n      - uses: {uses}\n      - run: cargo xtask ci\n"));
    repo.run(&["check", "--write"]).succeeds();
    repo
}

pub fn append(repo: &Repo, path: &str, text: &str) {
    repo.write(path, &(repo.read(path) + text));
}

pub fn remove(repo: &Repo, path: &str) {
    let path = repo.root.join(path);
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}
