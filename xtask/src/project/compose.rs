//! Reads a compose file: the only module that knows YAML.
//!
//! What it reads is what the xtask plans with; every other key is compose's own business and passes by. `extends` and
//! `include` would move that out of sight, and are refused.

use super::vars::Vars;
use crate::error::Fault;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Deserializer, de};
use serde_yaml::{Mapping, Value};
use std::{collections::BTreeMap, fmt, path::Path};

/// The services of one compose file, in the order they are written.
#[derive(Debug, Clone)]
pub struct ComposeFile {
    pub services: Vec<Service>,
}

/// One service, its variables replaced.
#[derive(Debug, Clone, Deserialize)]
pub struct Service {
    #[serde(skip)]
    pub name: String,
    pub image: Option<String>,
    pub build: Option<Build>,
    #[serde(default)]
    pub profiles: Vec<String>,
    #[serde(default)]
    pub ports: Vec<Port>,
    #[serde(rename = "x-core-images")]
    pub about: Option<About>,
    /// Only to refuse it.
    extends: Option<Value>,
}

/// The part of `build:` that makes edges and stages.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "RawBuild")]
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

/// A published port: the one inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port(pub u16);

#[derive(Deserialize)]
struct RawBuild {
    context: String,
    dockerfile: Option<String>,
    target: Option<String>,
    #[serde(default)]
    args: Args,
}

impl From<RawBuild> for Build {
    fn from(raw: RawBuild) -> Build {
        Build { context: raw.context, dockerfile: raw.dockerfile, target: raw.target, args: raw.args.0 }
    }
}

/// `args:` as a mapping or as a list of `NAME=value`.
#[derive(Default)]
struct Args(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Args, D::Error> {
        let wrong = |what: &dyn fmt::Display| de::Error::custom(format!("build.args: {what}"));
        let args = match Value::deserialize(deserializer)? {
            Value::Mapping(map) => map
                .into_iter()
                .map(|(key, value)| match (key, scalar(&value)) {
                    (Value::String(key), Some(value)) => Ok((key, value)),
                    _ => Err(wrong(&"names and plain values only")),
                })
                .collect::<Result<_, _>>()?,
            Value::Sequence(list) => list
                .iter()
                .map(|item| match item {
                    Value::String(item) => {
                        let (key, value) = item.split_once('=').unwrap_or((item, ""));
                        Ok((key.to_owned(), value.to_owned()))
                    }
                    _ => Err(wrong(&"NAME=value only")),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(wrong(&"a mapping or a list")),
        };
        Ok(Args(args))
    }
}

impl<'de> Deserialize<'de> for Port {
    /// Short syntax `[[ip:]host:]container[/protocol]`, or the long one's `target`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Port, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = match &value {
            Value::Mapping(map) => map.get("target").and_then(scalar),
            other => scalar(other),
        };
        text.as_deref()
            .and_then(|text| text.rsplit(':').next())
            .and_then(|text| text.split('/').next())
            .and_then(|port| port.parse().ok())
            .map(Port)
            .ok_or_else(|| de::Error::custom("ports: one container port an entry, please; no ranges"))
    }
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
    let fault = |keys: &[&str], what: String| {
        let keys: Vec<&str> = ["services", &name].into_iter().chain(keys.iter().copied()).collect();
        Fault::project(format!("reading {}{}: service {name}: {what}", path.display(), at(line_of(text, &keys))))
    };
    let Value::Mapping(service) = service else {
        return Err(fault(&[], "no mapping".to_owned()).into());
    };
    // Only what is planned with is copied and interpolated: a family of thousands stays quick.
    let mut known = Mapping::new();
    for key in ["image", "build", "profiles", "ports", "x-core-images", "extends"] {
        let Some(value) = service.get(key) else { continue };
        let mut value = value.clone();
        interpolate_all(&mut value, vars).map_err(|e| {
            fault(&[key], format!("{key}: {e}")).help("set the variable in the environment or in .env, then try again")
        })?;
        known.insert(key.into(), value);
    }
    // A build may be just its context.
    if let Some(Value::String(context)) = known.get("build").cloned() {
        known.insert("build".into(), Value::Mapping(Mapping::from_iter([("context".into(), context.into())])));
    }
    let mut parsed: Service = serde_yaml::from_value(Value::Mapping(known)).map_err(|e| fault(&[], e.to_string()))?;
    if parsed.extends.is_some() {
        return Err(refused(path, line_of(text, &["services", &name, "extends"]), "extends").into());
    }
    parsed.name = name;
    Ok(parsed)
}

fn refused(path: &Path, line: Option<usize>, key: &str) -> Fault {
    Fault::project(format!(
        "reading {}{}: `{key}` isn't supported: the whole truth stands in this file",
        path.display(),
        at(line)
    ))
    .help("write the service out, or share its parts with YAML anchors (`x-…: &name` and `<<: *name`)")
}

fn interpolate_all(value: &mut Value, vars: &Vars) -> Result<(), super::interpolate::TemplateError> {
    match value {
        Value::String(text) if text.contains('$') => *text = vars.interpolate(text)?,
        Value::Sequence(items) => items.iter_mut().try_for_each(|item| interpolate_all(item, vars))?,
        Value::Mapping(map) => map.values_mut().try_for_each(|item| interpolate_all(item, vars))?,
        _ => {}
    }
    Ok(())
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
        assert_eq!(a.ports, [Port(8000), Port(9)]);
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
            ("services:\n  a:\n    x-core-images: {descriptoin: b}\n", "docker-compose.dev.yaml:2: service a: "),
            ("include: [x]\nservices: {}\n", "docker-compose.dev.yaml:1: `include`"),
            ("[]", "no mapping"),
            ("services: []", "no mapping `services:`"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
