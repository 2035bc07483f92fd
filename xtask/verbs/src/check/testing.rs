//! A family that keeps every rule, written by hand: a test breaks one, and sees what is found.

use crate::testing::{self, Family};
use plan::{Action, Inputs, Plan, Report, Step};
use project::files::Files;
use std::{fmt::Write as _, sync::OnceLock};

pub const DEV: &str = "docker-compose.dev.yaml";
pub const CI: &str = "docker-compose.ci.yaml";

/// Name and base.
const IMAGES: [(&str, Option<&str>); 3] =
    [("python-base", None), ("fastapi-serve", Some("python-base")), ("kubeflow-a", Some("python-base"))];
const PYPROJECT: &str = "[project]\nrequires-python = \">=3.13,<3.14\"\n";
/// Poetry's hash of that.
const HASH: &str = "51165f1b7009e6a31c54c611219ad7d047b4e6bb11573d59fa656fc68b8c7da7";

/// The files of a family that keeps the rules, made once.
static KEPT: OnceLock<Files> = OnceLock::new();

pub struct Rules {
    pub family: Family,
}

fn compose(stage: &str) -> String {
    let mut text = "name: core-images\nservices:\n  debian:\n    profiles: [external]\n    image: debian:13\n\n  \
                    build-tools:\n    profiles: [tools]\n    image: core-images/build-tools:latest\n    build:\n      \
                    context: ./images/build-tools\n      args:\n        DEBIAN_IMAGE: debian:13\n"
        .to_owned();
    for (name, base) in IMAGES {
        let reference = base.map_or("debian:13".to_owned(), |base| format!("r.io/{base}:latest"));
        let tests: String = base.iter().map(|base| format!("/images/{base}/tests, ")).collect();
        let _ = write!(
            text,
            "\n  {name}:\n    x-core-images: {{description: The {name} image, hardware: cpu}}\n    \
             image: r.io/{name}:latest\n    build:\n      context: ./images/{name}\n      target: {stage}\n      \
             args:\n        BASE_IMAGE: {reference}\n        TOOLS_IMAGE: core-images/build-tools:latest\n\n  \
             {name}-tests:\n    profiles: [tests]\n    image: r.io/{name}:latest\n    \
             command: [pytest, {tests}/images/{name}/tests]\n"
        );
    }
    text
}

/// A page with places for what is generated.
fn page(title: &str, names: &[&str]) -> String {
    let blocks: Vec<_> = names.iter().map(|name| format!("<!-- begin {name} -->\n<!-- end {name} -->\n")).collect();
    format!("# {title}\n\n{}\nThe end.\n", blocks.join("\nBetween.\n\n"))
}

impl Rules {
    pub fn kept() -> Rules {
        Rules::of(KEPT.get_or_init(|| Rules::made().family.facts.files).clone())
    }

    fn of(files: Files) -> Rules {
        Rules { family: testing::family().with(|facts| facts.files = files) }
    }

    fn made() -> Rules {
        let mut rules = Rules::of(Files::of(Vec::<(String, String)>::new()));
        let lock = testing::lock_of(HASH, &[]);
        let dockerfile = "ARG BASE_IMAGE\nARG TOOLS_IMAGE\nFROM ${TOOLS_IMAGE} AS tools\nFROM ${BASE_IMAGE} AS production\n\
                          FROM production AS development\nLABEL core-images.stage=development\n";
        for (path, text) in [
            (DEV, compose("development")),
            (CI, compose("production")),
            ("README.md", page("A family", &["graph", "images", "variables"])),
            ("images/build-tools/Dockerfile", "ARG DEBIAN_IMAGE\nFROM ${DEBIAN_IMAGE}\n".to_owned()),
            (".github/workflows/ci.yml", "jobs:\n  ci:\n    steps:\n      - run: cargo xtask ci\n".to_owned()),
            ("xtask/tools/requirements.in", "poetry\n".to_owned()),
        ] {
            rules = rules.file(path, &text);
        }
        for (name, _) in IMAGES {
            for (file, text) in [
                ("Dockerfile", dockerfile),
                (".dockerignore", ""),
                ("tests/test_it.py", ""),
                ("pyproject.toml", PYPROJECT),
                ("poetry.lock", &lock),
                ("README.md", &page(name, &["versions", "example"])),
                ("example/Dockerfile", &format!("FROM r.io/{name}:latest\n")),
            ] {
                rules = rules.file(&format!("images/{name}/{file}"), text);
            }
        }
        rules.written()
    }

    /// Adds or replaces a file.
    pub fn file(mut self, path: &str, text: &str) -> Rules {
        self.family.facts.files.insert(path, text);
        self
    }

    /// Removes a file, and the folder where it is the last.
    pub fn without(self, path: &str) -> Rules {
        Rules { family: self.family.without(path) }
    }

    /// Replaces text that must be there.
    #[track_caller]
    pub fn edit(self, path: &str, from: &str, to: &str) -> Rules {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.file(path, &text.replace(from, to))
    }

    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let text = self.family.facts.files.text(path).unwrap();
        text.unwrap_or_else(|| panic!("no {path}")).to_owned()
    }

    #[track_caller]
    pub fn plan(&self, args: &[&str]) -> Plan {
        self.family.plan(args).unwrap_or_else(|fault| panic!("{fault}"))
    }

    #[track_caller]
    pub fn outline(&self, args: &[&str]) -> String {
        self.plan(args).outline()
    }

    /// What a run says and writes.
    #[track_caller]
    fn report(&self, args: &[&str]) -> Report {
        let plan = self.plan(args);
        match &plan.steps[..] {
            [] => Report::default(),
            [Step { action: Action::Compute(check), .. }] => check.report(&Inputs::default()),
            _ => panic!("{}", plan.outline()),
        }
    }

    /// What `check` finds: the place and what is wrong there.
    #[track_caller]
    pub fn findings(&self) -> Vec<String> {
        let report = self.report(&["check"]);
        let count = report.notes.len();
        let expected = format!("check: {count} fault{} found, listed above", if count == 1 { "" } else { "s" });
        let fault = report.fault.map(|fault| (fault.cause.exit_code(), fault.what));
        assert_eq!((fault, report.writes), ((count > 0).then_some((65, expected)), Vec::new()));
        report.notes.iter().map(|note| note.text.replacen(" error:", "", 1)).collect()
    }

    /// What `check --write` writes.
    #[track_caller]
    pub fn writes(&self) -> Vec<(String, String)> {
        let writes = self.report(&["check", "--write"]).writes;
        writes.into_iter().map(|(path, text)| (path.display().to_string(), text)).collect()
    }

    /// After `check --write`.
    #[track_caller]
    pub fn written(self) -> Rules {
        let writes = self.writes();
        writes.iter().fold(self, |rules, (path, text)| rules.file(path, text))
    }

    /// The line that begins with this, as a finding names it.
    #[track_caller]
    pub fn line(&self, path: &str, start: &str) -> String {
        let text = self.read(path);
        let line = text.lines().position(|line| line.starts_with(start));
        format!("{path}:{}", line.unwrap_or_else(|| panic!("{path} has no line {start:?}")) + 1)
    }
}
