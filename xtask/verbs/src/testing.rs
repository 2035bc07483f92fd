//! A small family and a world, written by hand: a test changes what it is about, and compares the whole plan as text.

use crate::{
    Verb,
    common::identity::fingerprints,
    flags::{Cli, Command},
    validate::{
        Counts,
        record::{Key, Passed},
    },
};
use clap::Parser as _;
use identity::{Hash, Sources, context::Entry, ignore::Ignore};
use plan::{
    Facts, Needs, Plan, facts,
    tools::docker::{FINGERPRINT_LABEL, Inspected, STAGE_LABEL},
};
use project::{Environment, ImageName, Project, error::Fault, files::Files, vars::Vars};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    time::SystemTime,
};

/// Compares with the file `src/plans/NAME.txt`; `UPDATE_EXPECT=1 cargo test -p verbs` writes it.
macro_rules! expect_plan {
    ($name:literal, $outline:expr) => {
        expect_test::expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/src/plans/", $name, ".txt")]
            .assert_eq(&$outline)
    };
}
pub(crate) use expect_plan;

/// Name, base, port, has a suite, has a pyproject.toml.
type Image = (&'static str, Option<&'static str>, Option<u16>, bool, bool);

const IMAGES: [Image; 4] = [
    ("kubeflow-a", Some("python-base"), None, true, true),
    ("python-base", None, None, true, true),
    ("fastapi-serve", Some("python-base"), Some(8000), true, true),
    ("kubeflow-b", None, None, false, false),
];

/// A repository and a world; [`Family::outline`] gives the plan of a command line.
pub struct Family {
    pub facts: Facts,
    /// The environment's variables.
    pub process: BTreeMap<String, String>,
}

pub fn family() -> Family {
    let mut files = Files::of(Vec::<(String, String)>::new());
    files.insert(Environment::Dev.file(), compose("development"));
    files.insert(Environment::Ci.file(), compose("production"));
    files.insert("images/build-tools/Dockerfile", "ARG DEBIAN_IMAGE\nFROM ${DEBIAN_IMAGE}\n");
    for (name, _, _, _, pyproject) in IMAGES {
        let dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS production\nFROM production AS development\n\
                          LABEL core-images.stage=development\n";
        files.insert(format!("images/{name}/Dockerfile"), dockerfile);
        if pyproject {
            let text = format!("[project]\nname = \"{name}\"\nrequires-python = \">=3.13,<3.14\"\n");
            files.insert(format!("images/{name}/pyproject.toml"), text);
            files.insert(format!("images/{name}/poetry.lock"), lock(&[("requests", "1")]));
        }
    }
    let programs = ["docker", "poetry", "aws", "python3.13"].map(|name| (name.to_owned(), name.to_owned()));
    let facts = Facts {
        root: "/r".into(),
        root_from_here: ".".into(),
        process: 7,
        uid: 1000,
        gid: 1000,
        now: SystemTime::UNIX_EPOCH,
        width: None,
        programs: programs.into(),
        ca_bundle: None,
        compose_version: Some("2.26.1".to_owned()),
        files,
        contexts: BTreeMap::new(),
        suites: BTreeMap::new(),
        engine: facts::Engine::default(),
        exports_cache: false,
        registry: BTreeMap::new(),
        git: facts::Git::default(),
        workspace_owner: None,
        difference: None,
        machine: facts::Machine { there: BTreeSet::new(), ..facts::Machine::default() },
    };
    Family { facts, process: BTreeMap::new() }
}

/// By which poetry tells that a lock is of the family's pyproject.toml.
const HASH: &str = "51165f1b7009e6a31c54c611219ad7d047b4e6bb11573d59fa656fc68b8c7da7";

/// A lock that poetry could have written.
pub fn lock(packages: &[(&str, &str)]) -> String {
    lock_of(HASH, packages)
}

/// A lock of a pyproject.toml with this hash.
pub fn lock_of(hash: &str, packages: &[(&str, &str)]) -> String {
    let packages: String = packages
        .iter()
        .map(|(name, version)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ngroups = [\"main\"]\n\n")
        })
        .collect();
    packages + &format!("[metadata]\nlock-version = \"2.1\"\npython-versions = \"*\"\ncontent-hash = \"{hash}\"\n")
}

/// The hash of an image's suite.
fn suite(name: &str) -> Hash {
    identity::hash(name.as_bytes())
}

/// What images are made of: all files of their folders.
pub fn contexts(project: &Project, files: &Files) -> BTreeMap<ImageName, Result<Sources, Fault>> {
    let sources = |image: &project::Image| {
        let text = |path: &Path| files.text(path).ok().flatten();
        let content = |path: &Path| text(path).map(|text| identity::hash(text.as_bytes()));
        let dockerfile = content(&image.dockerfile).ok_or_else(|| Fault::project("no Dockerfile"))?;
        let files = files.below(&image.folder).filter_map(|(path, _)| {
            let entry = Entry::File { executable: false, content: content(path)? };
            Some((path.strip_prefix(&image.folder).ok()?.to_owned(), entry))
        });
        Ok(Sources { dockerfile, context: files.collect(), ignore: Ignore::default(), additional: BTreeMap::new() })
    };
    project.images.iter().map(|image| (image.name.clone(), sources(image))).collect()
}

fn compose(stage: &str) -> String {
    let mut text =
        "name: core-images\nservices:\n  debian:\n    profiles: [external]\n    image: debian:trixie-slim\n\n  \
                    build-tools:\n    profiles: [tools]\n    image: core-images/build-tools:latest\n    build:\n      \
                    context: ./images/build-tools\n      args:\n        DEBIAN_IMAGE: debian:trixie-slim\n"
            .to_owned();
    for (name, base, port, suite, _) in IMAGES {
        let base = base.map_or("debian:trixie-slim".to_owned(), |base| {
            format!("${{REGISTRY:-r.io}}/{base}:${{BASE_IMAGE_TAG:-${{IMAGE_TAG:-latest}}}}")
        });
        let _ = write!(
            text,
            "\n  {name}:\n    x-core-images: {{description: The {name} image, hardware: cpu}}\n    \
             image: ${{REGISTRY:-r.io}}/{name}:${{IMAGE_TAG:-latest}}\n    build:\n      context: ./images/{name}\n      \
             target: ${{TARGET_BUILD_STAGE:-{stage}}}\n      args:\n        BASE_IMAGE: {base}\n        \
             TOOLS_IMAGE: core-images/build-tools:latest\n"
        );
        if let Some(port) = port {
            let _ = writeln!(text, "    ports: [\"127.0.0.1:${{PORT:-{port}}}:{port}\"]");
        }
        if suite {
            let _ = write!(
                text,
                "\n  {name}-tests:\n    profiles: [tests]\n    image: ${{REGISTRY:-r.io}}/{name}:latest\n"
            );
        }
    }
    text
}

impl Family {
    /// Changes the facts.
    pub fn with(mut self, change: impl FnOnce(&mut Facts)) -> Family {
        change(&mut self.facts);
        self
    }

    /// Adds or replaces a file.
    pub fn file(self, path: &str, text: &str) -> Family {
        self.with(|facts| facts.files.insert(path, text))
    }

    /// Removes a file.
    pub fn without(self, path: &str) -> Family {
        self.with(|facts| {
            let all: Vec<_> = facts.files.below(Path::new("")).map(|(path, _)| path.to_owned()).collect();
            let kept = all.iter().filter(|kept| **kept != Path::new(path));
            let texts = kept.filter_map(|path| Some((path.clone(), facts.files.text(path).ok()??.to_owned())));
            facts.files = Files::of(texts.collect::<Vec<_>>());
        })
    }

    /// The engine has these as `build` would make them now for development, each with a layer of its own on its base's.
    pub fn built(mut self, names: &[&str]) -> Family {
        let project = self.facts.project(Environment::Dev, Vars::default()).unwrap_or_else(|fault| panic!("{fault}"));
        self.facts.contexts = contexts(&project, &self.facts.files);
        let external = |reference: &str| Inspected {
            id: format!("sha256:{reference}"),
            config: reference.to_owned(),
            tags: vec![reference.to_owned()],
            layers: vec![reference.to_owned()],
            ..Inspected::default()
        };
        let mut engine = vec![external("debian:trixie-slim")];
        let all: Vec<ImageName> = project.images.iter().map(|image| image.name.clone()).collect();
        let has = facts::Engine::Has(engine.clone());
        let known = fingerprints(&project, &self.facts, &has, &all).unwrap_or_else(|fault| panic!("{fault}"));
        let mut layers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for image in project.with_bases(&all).unwrap_or_default() {
            let name = image.name.to_string();
            let below = project.base(image).and_then(|base| layers.get(base.name.as_str())).cloned();
            let mine = [below.unwrap_or_default(), vec![name.clone()]].concat();
            layers.insert(name.clone(), mine.clone());
            let mut labels = BTreeMap::from([(FINGERPRINT_LABEL.to_owned(), known[&image.name].hash.to_string())]);
            labels.extend(image.stage.clone().map(|stage| (STAGE_LABEL.to_owned(), stage)));
            if names.contains(&name.as_str()) {
                engine.push(Inspected { labels, layers: mine, ..external(&image.reference.to_string()) });
            }
        }
        self.facts.engine = facts::Engine::Has(engine);
        self
    }

    /// The suite of an image that is built has passed, with this hardware demanded.
    pub fn passed(self, name: &str, hardware: &[&str]) -> Family {
        let reference = format!("r.io/{name}:latest").parse().unwrap_or_else(|error| panic!("{error}"));
        let content = self.facts.engine.find(&reference).map(Inspected::content).unwrap_or_default();
        self.passed_for(name, content, Some("development"), &hardware.join(","))
    }

    /// The suite of an image has passed for an image with this content.
    pub fn passed_for(self, name: &str, content: String, stage: Option<&str>, hardware: &str) -> Family {
        let key = Key::new(content, suite(name), stage, hardware);
        let counts = Counts { tests: 1, ..Counts::default() };
        let passed = Passed::new(name.to_owned(), String::new(), key.clone(), SystemTime::UNIX_EPOCH, counts);
        self.with(|facts| facts.files.insert(key.path(), serde_json::to_string(&passed).unwrap_or_default()))
    }

    /// The plan that a command line makes.
    pub fn plan(&self, args: &[&str]) -> Result<Plan, Fault> {
        let (cli, project, facts) = self.known(args)?;
        verb(&cli.command).more_needs(&project, &facts, &cli.globals)?;
        verb(&cli.command).plan(&project, &facts, &cli.globals)
    }

    /// What it needs to know besides what it asks first.
    pub fn needs(&self, args: &[&str]) -> Needs {
        let (cli, project, facts) = self.known(args).unwrap_or_else(|fault| panic!("{fault}"));
        verb(&cli.command).more_needs(&project, &facts, &cli.globals).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn known(&self, args: &[&str]) -> Result<(Cli, Project, Facts), Fault> {
        let cli = Cli::parse_from([&["xtask"], args].concat());
        let environment = match cli.globals.variables.environment.as_deref() {
            Some("ci") => Environment::Ci,
            _ => Environment::Dev,
        };
        let flags = cli.globals.variables.flags(&self.process);
        let vars = Vars { flags, process: self.process.clone(), dotenv: BTreeMap::new() };
        let project = self.facts.project(environment, vars)?;
        verb(&cli.command).needs(&project, &cli.globals)?;
        let suites = project.images.iter().map(|image| (image.name.clone(), Ok(suite(image.name.as_str())))).collect();
        let facts = Facts { contexts: contexts(&project, &self.facts.files), suites, ..self.facts.clone() };
        Ok((cli, project, facts))
    }

    #[track_caller]
    pub fn outline(&self, args: &[&str]) -> String {
        self.plan(args).unwrap_or_else(|fault| panic!("{fault}")).outline()
    }

    #[track_caller]
    pub fn fault(&self, args: &[&str]) -> Fault {
        self.plan(args).err().unwrap_or_else(|| panic!("{args:?} is planned"))
    }
}

/// The plan of a command line for the family as it is.
#[track_caller]
pub fn outline(args: &[&str]) -> String {
    family().outline(args)
}

fn verb(command: &Command) -> &dyn Verb {
    crate::verb(command).unwrap_or_else(|| panic!("{command:?} is not a verb with a plan"))
}
