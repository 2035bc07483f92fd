//! Reads a compose file: the only module that knows YAML.
//!
//! What it reads is what the xtask plans with; every other key is compose's own business and passes by. `extends` and
//! `include` would move that out of sight, and are refused.

use super::vars::Vars;
use crate::error::Fault;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
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
}

/// What people are told of an image: ours, so an unknown key is an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub description: String,
    pub hardware: String,
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        _ => None,
    }
}

impl ComposeFile {
    /// Reads `text`, which stands in the file `path`.
    ///
    /// # Errors
    /// The file, and the line where it is known, for YAML that isn't, a variable that is required and missing, and keys
    /// that would take the truth out of this file.
    pub fn parse(path: &Path, text: &str, vars: &Vars) -> Result<ComposeFile> {
        let file = path.display();
        let mut root: Value = serde_yaml::from_str(text).map_err(|e| {
            let place = e.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
            Fault::project(format!("reading {file}{place}: {e}")).help("mend the YAML, then run `cargo xtask check`")
        })?;
        root.apply_merge().with_context(|| format!("reading {file}: merging `<<`"))?;
        let Value::Mapping(root) = root else {
            return Err(Fault::project(format!("reading {file}: no mapping with `services:`")).into());
        };
        if root.contains_key("include") {
            let at = line_of(text, &["include"]);
            return Err(refused(path, at, "include").into());
        }
        let Some(Value::Mapping(services)) = root.get("services") else {
            return Err(Fault::project(format!("reading {file}: no mapping `services:`")).into());
        };
        let services = services.iter().map(|(name, service)| parse_service(path, text, name, service, vars));
        Ok(ComposeFile { services: services.collect::<Result<_>>()? })
    }
}

fn parse_service(path: &Path, text: &str, name: &Value, service: &Value, vars: &Vars) -> Result<Service> {
    let name = scalar(name).unwrap_or_default();
    let line = |key: &str| {
        let keys = ["services", name.as_str(), key];
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
    let Value::Mapping(service) = service else {
        return Err(fault("", "no mapping".to_owned()).into());
    };
    if service.contains_key("extends") {
        return Err(refused(path, line("extends"), "extends").into());
    }
    let reader = Reader { vars };
    let read = |key: &'static str| reader.text(service, key).map_err(|what| fault(key, what));
    let ports = reader.list(service, "ports").and_then(|ports| ports.iter().map(container_port).collect());
    let about = service.get("x-core-images").map(|about| {
        let about = serde_yaml::from_value(about.clone());
        about.map_err(|e| fault("x-core-images", e.to_string()))
    });
    Ok(Service {
        image: read("image")?,
        build: service
            .get("build")
            .map(|build| reader.build(build))
            .transpose()
            .map_err(|what| fault("build", what))?,
        profiles: reader.list(service, "profiles").map_err(|what| fault("profiles", what))?,
        ports: ports.map_err(|what| fault("ports", what))?,
        about: about.transpose()?,
        name,
    })
}

/// Reads what is planned with, and replaces the variables in just that: a family of thousands stays quick.
struct Reader<'a> {
    vars: &'a Vars,
}

impl Reader<'_> {
    fn replaced(&self, value: &Value) -> Result<String, String> {
        let text = scalar(value).ok_or("a plain value is wanted")?;
        if text.contains('$') { self.vars.interpolate(&text).map_err(|e| e.to_string()) } else { Ok(text) }
    }

    fn text(&self, map: &Mapping, key: &str) -> Result<Option<String>, String> {
        map.get(key).map(|value| self.replaced(value)).transpose()
    }

    /// A list of plain values; of a mapping in it, a port's long form, its `target`.
    fn list(&self, map: &Mapping, key: &str) -> Result<Vec<String>, String> {
        let items = match map.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Sequence(items)) => items,
            Some(_) => return Err("a list is wanted".to_owned()),
        };
        items
            .iter()
            .map(|item| self.replaced(item.as_mapping().and_then(|item| item.get("target")).unwrap_or(item)))
            .collect()
    }

    fn build(&self, build: &Value) -> Result<Build, String> {
        let Value::Mapping(build) = build else {
            return Ok(Build { context: self.replaced(build)?, dockerfile: None, target: None, args: BTreeMap::new() });
        };
        let args = match build.get("args") {
            None => BTreeMap::new(),
            Some(Value::Mapping(args)) => {
                let arg = |(key, value): (&Value, &Value)| Ok((scalar(key).unwrap_or_default(), self.replaced(value)?));
                args.iter().map(arg).collect::<Result<_, String>>()?
            }
            Some(_) => {
                let split = |arg: String| {
                    arg.split_once('=').map_or((arg.clone(), String::new()), |(k, v)| (k.to_owned(), v.to_owned()))
                };
                self.list(build, "args")?.into_iter().map(split).collect()
            }
        };
        Ok(Build {
            context: self.text(build, "context")?.ok_or("no context:")?,
            dockerfile: self.text(build, "dockerfile")?,
            target: self.text(build, "target")?,
            args,
        })
    }
}

/// The last part of `[[ip:]host:]container[/protocol]`.
fn container_port(text: &String) -> Result<u16, String> {
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
pub fn at(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(":{line}"))
}

/// The line (from 1) where the block mapping entry `keys` begins; a best effort, for messages, since the values that
/// serde_yaml hands out no longer know where they stood.
pub fn line_of(text: &str, keys: &[&str]) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new(); // the indentation of each key found so far
    for (index, line) in text.lines().enumerate() {
        let body = line.trim_start();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let indent = line.len() - body.len();
        while open.last().is_some_and(|&outer| indent <= outer) {
            open.pop();
        }
        let key = keys[open.len()];
        if body.strip_prefix(key).is_some_and(|tail| tail.starts_with(':')) {
            open.push(indent);
            if open.len() == keys.len() {
                return Some(index + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ComposeFile> {
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
            ("[]", "no mapping"),
            ("services: []", "no mapping `services:`"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    /// What `docker compose config` makes of a file. (It leaves out inactive profiles, so all are active here.)
    fn config(folder: &Path, file: &str, env: &[(&str, &str)]) -> serde_json::Value {
        let output = std::process::Command::new("docker")
            .args([
                "compose",
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
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
            let theirs = config(root, file, env);
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
