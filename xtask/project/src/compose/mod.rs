//! Reads a compose file.
//!
//! What it reads is what the xtask plans with; every other key is compose's own business and passes by. `extends` and
//! `include` would move that out of sight, and are refused.
#![expect(clippy::disallowed_methods, reason = "the one module that reads YAML; its tests run the real compose")]

mod definition;
mod key_lines;
mod node;

use crate::{error::Fault, parallel, vars::Vars};
pub use definition::BUILD_VARIABLES;
use definition::definition;
pub use key_lines::{KeyLines, line_of};
use node::Node;
use std::{collections::BTreeMap, path::Path};

/// The services of one compose file, in the order they are written.
#[derive(Debug, Clone)]
pub struct ComposeFile {
    pub services: Vec<Service>,
}

/// One service, its variables replaced.
#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    pub image: Option<String>,
    pub build: Option<Build>,
    pub profiles: Vec<String>,
    /// The published ports, as they are inside the container.
    pub ports: Vec<u16>,
    pub about: Option<About>,
}

/// The part of `build:` that makes edges and stages.
#[derive(Debug, Clone)]
pub struct Build {
    pub context: String,
    pub dockerfile: Option<String>,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    /// All that decides what the image becomes, but the files: each value by the path of its keys.
    pub definition: BTreeMap<String, String>,
}

/// What people are told of an image: ours, so an unknown key is an error.
#[derive(Debug, Clone)]
pub struct About {
    pub description: String,
    pub hardware: String,
}

impl ComposeFile {
    /// Reads `text`, which stands in the file `path`.
    ///
    /// # Errors
    /// The file, and the line where it is known, for YAML that isn't, a variable that is required and missing, and keys
    /// that would take the truth out of this file.
    pub(crate) fn parse(path: &Path, text: &str, vars: &Vars) -> Result<ComposeFile, Fault> {
        let file = path.display();
        let root: Node = serde_yaml::from_str(text).map_err(|e| {
            let place = e.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
            Fault::project(format!("reading {file}{place}: {e}")).help("mend the YAML, then run `cargo xtask check`")
        })?;
        let Node::Map(root) = root else {
            return Err(Fault::project(format!("reading {file}: no mapping with `services:`")));
        };
        let mut services = None;
        for (key, node) in root {
            match key.as_str() {
                "include" => return Err(refused(path, line_of(text, &["include"]), "include")),
                "services" => services = Some(node),
                _ => {}
            }
        }
        let Some(Node::Map(services)) = services else {
            return Err(Fault::project(format!("reading {file}: no mapping `services:`")));
        };
        let lasting = vars.without(&BUILD_VARIABLES);
        let parse = |(name, service): &(String, Node)| parse_service(path, text, name, service, (vars, &lasting));
        let services = parallel::map(&services, parse);
        Ok(ComposeFile { services: services.into_iter().collect::<Result<_, _>>()? })
    }
}

/// `lasting` are the variables without those that vary from run to run.
fn parse_service(
    path: &Path,
    text: &str,
    name: &str,
    service: &Node,
    (vars, lasting): (&Vars, &Vars),
) -> Result<Service, Fault> {
    let line = |key: &str| {
        let keys = ["services", name, key];
        line_of(text, if key.is_empty() { &keys[..2] } else { &keys[..] })
    };
    // Where in the service, and what is wrong there.
    let fault = |key: &str, what: String| {
        let subject = if key.is_empty() { String::new() } else { format!("{key}: ") };
        let help = match what.starts_with("required variable") {
            true => "set the variable in the environment or in .env, then try again",
            false => "mend it, then run `cargo xtask check`",
        };
        let place = at(line(key));
        Fault::project(format!("reading {}{place}: service {name}: {subject}{what}", path.display())).help(help)
    };
    let Node::Map(keys) = service else {
        return Err(fault("", "no mapping".to_owned()));
    };
    let reader = Reader { vars };
    let (mut image, mut build, mut profiles, mut ports, mut about) = (None, None, Vec::new(), Vec::new(), None);
    for (key, node) in keys {
        let read = match key.as_str() {
            "image" => reader.text(node).map(|text| image = Some(text)),
            "build" => reader.build(node).map(|read| build = Some(read)),
            "profiles" => reader.list(node).map(|list| profiles = list),
            "ports" => reader.ports(node).map(|list| ports = list),
            "x-core-images" => read_about(node).map(|read| about = Some(read)),
            "extends" => return Err(refused(path, line("extends"), "extends")),
            _ => Ok(()),
        };
        read.map_err(|what| fault(key, what))?;
    }
    if let Some(build) = &mut build {
        build.definition = definition(keys, &build.args, lasting).map_err(|what| fault("build", what))?;
    }
    Ok(Service { name: name.to_owned(), image, build, profiles, ports, about })
}

fn read_about(node: &Node) -> Result<About, String> {
    let Node::Map(keys) = node else { return Err("a mapping is wanted".to_owned()) };
    let (mut description, mut hardware) = (None, None);
    for (key, node) in keys {
        let Node::Text(text) = node else { return Err(format!("{key}: {PLAIN}")) };
        match key.as_str() {
            "description" => description = Some(text.clone()),
            "hardware" => hardware = Some(text.clone()),
            _ => return Err(format!("unknown field `{key}`, expected `description` or `hardware`")),
        }
    }
    let missing = |name: &str| format!("missing field `{name}`");
    Ok(About {
        description: description.ok_or_else(|| missing("description"))?,
        hardware: hardware.ok_or_else(|| missing("hardware"))?,
    })
}

/// Reads what is planned with, and replaces the variables in just that.
struct Reader<'a> {
    vars: &'a Vars,
}

const PLAIN: &str = "a plain value is wanted";

impl Reader<'_> {
    fn text(&self, node: &Node) -> Result<String, String> {
        let Node::Text(text) = node else { return Err(PLAIN.to_owned()) };
        self.vars.interpolate(text).map_err(|e| e.to_string())
    }

    fn list(&self, node: &Node) -> Result<Vec<String>, String> {
        let Node::List(items) = node else { return Err("a list is wanted".to_owned()) };
        items.iter().map(|item| self.text(item)).collect()
    }

    /// The ports inside the container, from their short form or their long one.
    fn ports(&self, node: &Node) -> Result<Vec<u16>, String> {
        let Node::List(items) = node else { return Err("a list is wanted".to_owned()) };
        let port = |item: &Node| {
            let target = match item {
                Node::Map(keys) => keys.iter().find(|(key, _)| key == "target").map(|(_, target)| target),
                _ => None,
            };
            container_port(&self.text(target.unwrap_or(item))?)
        };
        items.iter().map(port).collect()
    }

    fn build(&self, node: &Node) -> Result<Build, String> {
        let Node::Map(keys) = node else {
            let (args, definition) = (BTreeMap::new(), BTreeMap::new());
            return Ok(Build { context: self.text(node)?, dockerfile: None, target: None, args, definition });
        };
        let (mut context, mut dockerfile, mut target, mut args) = (None, None, None, BTreeMap::new());
        for (key, node) in keys {
            match key.as_str() {
                "context" => context = Some(self.text(node)?),
                "dockerfile" => dockerfile = Some(self.text(node)?),
                "target" => target = Some(self.text(node)?),
                "args" => args = self.args(node)?,
                _ => {}
            }
        }
        Ok(Build { context: context.ok_or("no context:")?, dockerfile, target, args, definition: BTreeMap::new() })
    }

    fn args(&self, node: &Node) -> Result<BTreeMap<String, String>, String> {
        let mut args = BTreeMap::new();
        match node {
            Node::Map(keys) => {
                for (key, node) in keys {
                    args.insert(key.clone(), self.text(node)?);
                }
            }
            list => {
                for arg in self.list(list)? {
                    let (key, value) = arg.split_once('=').unwrap_or((&arg, ""));
                    args.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        Ok(args)
    }
}

/// The last part of `[[ip:]host:]container[/protocol]`.
fn container_port(text: &str) -> Result<u16, String> {
    let port = text.rsplit(':').next().and_then(|text| text.split('/').next());
    port.and_then(|port| port.parse().ok()).ok_or_else(|| format!("'{text}' names no single container port"))
}

fn refused(path: &Path, line: Option<usize>, key: &str) -> Fault {
    Fault::project(format!(
        "reading {}{}: `{key}` isn't supported: the whole truth stands in this file",
        path.display(),
        at(line)
    ))
    .help("write the service out, or share its parts with YAML anchors (`x-…: &name` and `<<: *name`)")
}

/// `:LINE`, or nothing.
pub(crate) fn at(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(":{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ComposeFile, Fault> {
        ComposeFile::parse(Path::new("docker-compose.dev.yaml"), text, &Vars::default())
    }

    #[test]
    fn reads_what_it_plans_with() {
        let file = parse(
            "x-common: &common {image: 'r.io/a:${T:-1}'}\nservices:\n  a:\n    <<: *common\n    \
             build: {context: ./images/a, args: [B=x, N]}\n    ports: ['127.0.0.1:${P:-80}:8000', {target: 9}]\n    \
             unknown: {is: compose's}\n",
        )
        .unwrap();
        let a = &file.services[0];
        assert_eq!((a.name.as_str(), a.image.as_deref()), ("a", Some("r.io/a:1")));
        assert_eq!(a.ports, [8000, 9]);
        let build = a.build.as_ref().unwrap();
        assert_eq!(build.args, [("B", "x"), ("N", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn anchors_merges_and_plain_values_are_what_yaml_says() {
        let file = parse(
            "x-one: &one {image: r.io/one:1, profiles: [p]}\nx-two: &two {<<: *one, image: 'r.io/two:1'}\n\
             x-args: &args {A: 1.10, B: 0x10, C: true}\nservices:\n  a:\n    <<: [*two, *one]\n    healthcheck: !reset null\n    \
             build:\n      context: .\n      args: {<<: *args, C: no, D: , E: 007}\n",
        )
        .unwrap();
        let a = &file.services[0];
        assert_eq!((a.image.as_deref(), a.profiles.as_slice()), (Some("r.io/two:1"), ["p".to_owned()].as_slice()));
        let args = [("A", "1.1"), ("B", "16"), ("C", "no"), ("D", ""), ("E", "007")];
        assert_eq!(a.build.as_ref().unwrap().args, args.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn names_file_and_line() {
        for (text, expected) in [
            ("services:\n  a: {\n", "docker-compose.dev.yaml:"),
            (
                "services:\n  a:\n    image: ${X:?set it}\n",
                "docker-compose.dev.yaml:3: service a: image: required variable X is missing a value: set it",
            ),
            ("services:\n  a:\n    image: b\n    extends: {service: c}\n", "docker-compose.dev.yaml:4: `extends`"),
            (
                "services:\n  a:\n    x-core-images: {descriptoin: b}\n",
                "docker-compose.dev.yaml:3: service a: x-core-images: unknown field `descriptoin`",
            ),
            ("include: [x]\nservices: {}\n", "docker-compose.dev.yaml:1: `include`"),
            ("services:\n  a:\n    image: b\n    image: c\n", "docker-compose.dev.yaml:3:5: services.a: the key image"),
            ("services:\n  a:\n    <<: b\n", "docker-compose.dev.yaml:3:5: services.a: merging `<<`: a mapping"),
            ("services:\n  a:\n    image: !x b\n", "docker-compose.dev.yaml:3: service a: image: a plain value"),
            ("[]", "no mapping"),
            ("services: []", "no mapping `services:`"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// What `docker compose config` makes of a file. (It leaves out inactive profiles, so all are active here.)
    fn config(folder: &Path, file: &str, env: &[(&str, &str)]) -> serde_json::Value {
        let output = std::process::Command::new("docker")
            .args([
                "compose",
                // Whatever this machine has in its own.
                "--env-file",
                "/dev/null",
                "--file",
                file,
                "--project-directory",
                ".",
                "--profile",
                "*",
                "config",
                "--format",
                "json",
            ])
            .current_dir(folder)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"))
            .envs(env.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    #[ignore = "needs docker compose: cargo xtask setup"]
    fn both_files_are_read_as_compose_reads_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let environments: [&[(&str, &str)]; 4] = [
            &[],
            &[("IMAGE_TAG", "7"), ("TARGET_BUILD_STAGE", "production"), ("PORT", "9000")],
            &[("BASE_IMAGE_TAG", "5"), ("AWS_REGION", "eu-west-1"), ("AWS_ACCOUNT_ID", "123456789012"), ("PORT", "")],
            &[
                ("REGISTRY", "localhost:5000"),
                ("IMAGE_TAG", ""),
                ("DEBIAN_IMAGE", "debian:13"),
                ("PLATFORM", "linux/arm64"),
            ],
        ];
        for (file, env) in
            ["docker-compose.dev.yaml", "docker-compose.ci.yaml"].iter().flat_map(|f| environments.map(|e| (f, e)))
        {
            let process = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let vars = Vars { process, ..Vars::default() };
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            let ours = ComposeFile::parse(Path::new(file), &text, &vars).unwrap();
            let theirs = config(&root, file, env);
            let services = theirs["services"].as_object().unwrap();
            assert_eq!(ours.services.len(), services.len());
            for service in &ours.services {
                let theirs = &services[&service.name];
                let at = format!("{file} {env:?} {}", service.name);
                assert_eq!(service.image.as_deref(), theirs["image"].as_str(), "{at}");
                let list = |key: &str| theirs[key].as_array().cloned().unwrap_or_default();
                assert_eq!(service.profiles, list("profiles"), "{at}");
                let ports: Vec<u64> = list("ports").iter().map(|port| port["target"].as_u64().unwrap()).collect();
                assert_eq!(service.ports.iter().copied().map(u64::from).collect::<Vec<_>>(), ports, "{at}");
                let Some(build) = &service.build else {
                    assert!(theirs.get("build").is_none(), "{at}");
                    continue;
                };
                assert_eq!(build.target.as_deref(), theirs["build"]["target"].as_str(), "{at}");
                let context = root.join(build.context.trim_start_matches("./"));
                assert_eq!(theirs["build"]["context"].as_str(), context.to_str(), "{at}");
                let none = serde_json::json!({});
                let args = theirs["build"].get("args").unwrap_or(&none);
                assert_eq!(serde_json::to_value(&build.args).unwrap(), *args, "{at}");
            }
        }
    }

    /// Templates out of the grammar's own pieces, valid and not, in a fixed pseudo-random order.
    fn templates(count: usize) -> Vec<String> {
        let pieces = [
            "${",
            "}",
            "$",
            "$$",
            "SET",
            "EMPTY",
            "UNSET",
            ":-",
            "-",
            ":+",
            "+",
            "a",
            "/",
            "${SET}",
            "${UNSET:-",
            "{",
            ":",
            " ",
        ];
        let mut state: u64 = 20_261_122;
        let mut next = |bound: usize| {
            // Knuth's MMIX generator.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % bound
        };
        (0..count).map(|_| (0..=next(7)).map(|_| pieces[next(pieces.len())]).collect()).collect()
    }

    #[test]
    #[ignore = "needs docker compose: cargo xtask setup"]
    fn templates_are_read_as_compose_reads_them() {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let env = [("SET", "set"), ("EMPTY", "")];
        let process = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let vars = Vars { process, ..Vars::default() };
        let write = |templates: &[&String]| {
            let args: Vec<String> = templates.iter().map(|t| format!("        - 'A={t}|'\n")).collect();
            let services: String = args
                .iter()
                .enumerate()
                .map(|(i, arg)| format!("  s{i}:\n    build:\n      context: .\n      args:\n{arg}"))
                .collect();
            std::fs::write(folder.path().join("c.yaml"), format!("services:\n{services}")).unwrap();
        };
        let (valid, invalid): (Vec<_>, Vec<_>) = templates(600).into_iter().partition(|t| vars.interpolate(t).is_ok());
        assert!(valid.len() > 100 && invalid.len() > 60);
        write(&valid.iter().collect::<Vec<_>>());
        let theirs = config(folder.path(), "c.yaml", &env);
        for (i, template) in valid.iter().enumerate() {
            // Its output is a compose file again, so a dollar sign is doubled.
            let theirs = theirs["services"][format!("s{i}")]["build"]["args"]["A"].as_str().unwrap().replace("$$", "$");
            assert_eq!(format!("{}|", vars.interpolate(template).unwrap()), theirs, "{template}");
        }
        for template in invalid.iter().take(60) {
            write(&[template]);
            let output = std::process::Command::new("docker")
                .args(["compose", "--file", "c.yaml", "config"])
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(!output.status.success(), "compose takes '{template}'");
        }
    }
}
