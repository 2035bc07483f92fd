//! Reads one service: what is planned with, its variables replaced as compose replaces them.

use super::{
    OUT_OF_SIGHT,
    definition::{BUILD_VARIABLES, definition, running, templates},
    node::{Node, is_ambiguous, quoted},
};
use crate::vars::Vars;
use serde::{
    Deserialize,
    de::value::{Error as ValueError, MapDeserializer},
};
use std::{
    collections::{BTreeMap, HashSet},
    ops::RangeInclusive,
    sync::OnceLock,
};

/// What the record of a suite that passed names itself: they make no other suite of it.
const RECORDED_APART: [&str; 2] = ["TARGET_BUILD_STAGE", "REQUIRE_HARDWARE"];
/// What `validate` tells a suite of the image.
const INSPECTED: &str = "IMAGE_INSPECT";

/// One service, its variables replaced.
#[derive(Debug, Clone, Default)]
pub struct Service {
    pub name: String,
    pub image: Option<String>,
    pub build: Option<Build>,
    pub profiles: Vec<String>,
    /// The published ports, as they are inside the container.
    pub ports: Vec<u16>,
    pub about: Option<About>,
    /// How compose runs it, where it builds nothing.
    pub running: String,
}

/// The part of `build:` that makes edges and stages.
#[derive(Debug, Clone)]
pub struct Build {
    pub context: String,
    pub dockerfile: Option<String>,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    /// `additional_contexts`: what a Dockerfile may name as it names a stage.
    pub contexts: BTreeMap<String, String>,
    /// All that decides what the image becomes, but the files: each value by the path of its keys.
    pub definition: BTreeMap<String, String>,
    /// The labels and arguments that depend on which run builds it: templates, by the path of their keys.
    pub templates: BTreeMap<String, String>,
}

/// What people are told of an image: ours, so an unknown key is an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub description: String,
    pub hardware: String,
}

/// Why a service can't be read.
pub(super) enum Wrong {
    /// What is wrong with the value of a key: `image`, or `build.args` within it.
    Value(&'static str, String),
    /// A key that compose knows and we don't support, why, and what to write instead.
    Unsupported { key: &'static str, why: &'static str, instead: &'static str },
}

/// Reads what is planned with, and replaces the variables in just that.
pub(super) struct Reader<'a> {
    vars: &'a Vars,
    /// The variables without those that vary from run to run.
    lasting: Vars,
    /// The same for how a suite is run, whatever it is run for.
    of_a_suite: Vars,
    /// The compose file.
    file: &'a str,
    /// The values that it writes in quotes; hardly ever asked for.
    quoted: OnceLock<HashSet<&'a str>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(vars: &'a Vars, file: &'a str) -> Reader<'a> {
        let lasting = vars.without(&BUILD_VARIABLES);
        let mut of_a_suite = lasting.without(&[INSPECTED]);
        of_a_suite.flags.extend(RECORDED_APART.map(|name| (name.to_owned(), "any".to_owned())));
        Reader { vars, lasting, of_a_suite, file, quoted: OnceLock::new() }
    }

    pub(super) fn service(&self, name: &str, keys: &[(String, Node)]) -> Result<Service, Wrong> {
        let mut service = Service { name: name.to_owned(), ..Service::default() };
        for (key, node) in keys {
            let key = key.as_str();
            match key {
                "image" => service.image = self.filled(node).map_err(at("image"))?,
                "build" => service.build = Some(self.build(node)?),
                "profiles" => service.profiles = self.list(node).map_err(at("profiles"))?,
                "ports" => service.ports = self.ports(node).map_err(at("ports"))?,
                "x-core-images" => service.about = Some(about(node).map_err(at("x-core-images"))?),
                "extends" => {
                    let (why, instead) = OUT_OF_SIGHT;
                    return Err(Wrong::Unsupported { key: "extends", why, instead });
                }
                _ => {}
            }
        }
        if let Some(build) = &mut service.build {
            build.definition = definition(keys, &build.args, &self.lasting).map_err(at("build"))?;
        } else {
            service.running = running(keys, &self.of_a_suite);
        }
        Ok(service)
    }

    fn build(&self, node: &Node) -> Result<Build, Wrong> {
        let mut build = Build {
            context: ".".to_owned(),
            dockerfile: None,
            target: None,
            args: BTreeMap::new(),
            contexts: BTreeMap::new(),
            definition: BTreeMap::new(),
            templates: templates(node),
        };
        let Node::Map(keys) = node else {
            build.context = match node {
                Node::Text(_) | Node::Scalar(_) => self.text(node).map_err(at("build"))?,
                _ => return Err(Wrong::Value("build", "a string or a mapping is wanted".to_owned())),
            };
            return Ok(build);
        };
        for (key, node) in keys {
            match key.as_str() {
                "context" => build.context = self.text(node).map_err(at("build.context"))?,
                "dockerfile" => build.dockerfile = self.filled(node).map_err(at("build.dockerfile"))?,
                "target" => build.target = self.filled(node).map_err(at("build.target"))?,
                "args" => build.args = self.args(node).map_err(at("build.args"))?,
                "additional_contexts" => {
                    build.contexts = self.contexts(node).map_err(at("build.additional_contexts"))?;
                }
                "dockerfile_inline" => {
                    let why = "an image's stages and bases are read from a file";
                    let instead = "write a Dockerfile in the image's folder";
                    return Err(Wrong::Unsupported { key: "build.dockerfile_inline", why, instead });
                }
                _ => {}
            }
        }
        Ok(build)
    }

    /// To compose an empty text is as good as none.
    fn filled(&self, node: &Node) -> Result<Option<String>, String> {
        Ok(Some(self.text(node)?).filter(|text| !text.is_empty()))
    }

    fn text(&self, node: &Node) -> Result<String, String> {
        match node {
            Node::Text(text) => {
                self.not_a_number(text)?;
                self.vars.interpolate(text).map_err(|e| e.to_string())
            }
            Node::Scalar(text) => {
                Err(format!("a string is wanted: compose takes {text} for a number or a boolean, so put it in quotes"))
            }
            _ => Err("a string is wanted".to_owned()),
        }
    }

    /// As compose would read the text, or an error where it isn't known.
    fn not_a_number(&self, text: &str) -> Result<(), String> {
        match is_ambiguous(text) && !self.quoted.get_or_init(|| quoted(self.file)).contains(text) {
            true => Err(format!(
                "compose takes {text} for a number or a date, and writes it in another way: put it in quotes"
            )),
            false => Ok(()),
        }
    }

    fn list(&self, node: &Node) -> Result<Vec<String>, String> {
        let Node::List(items) = node else { return Err("a list is wanted".to_owned()) };
        items.iter().map(|item| self.text(item)).collect()
    }

    /// A mapping, or a list of `NAME=value`. A name without a value has the environment's, and is left out where it has
    /// none there.
    fn args(&self, node: &Node) -> Result<BTreeMap<String, String>, String> {
        let inherited = |name: &str| self.vars.get(name).map(str::to_owned);
        let pair = |(name, node): &(String, Node)| {
            let value = match node {
                Node::Null => inherited(name),
                Node::Scalar(text) => Some(text.clone()),
                node => Some(self.text(node).map_err(|why| format!("{name}: {why}"))?),
            };
            Ok((name.clone(), value))
        };
        let item = |item: String| match item.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (item.clone(), inherited(&item)),
        };
        let pairs: Vec<(String, Option<String>)> = match node {
            Node::Map(pairs) => pairs.iter().map(pair).collect::<Result<_, String>>()?,
            list => self.list(list)?.into_iter().map(item).collect(),
        };
        Ok(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// The same, but every name has a value.
    fn contexts(&self, node: &Node) -> Result<BTreeMap<String, String>, String> {
        let pair = |(name, node): &(String, Node)| {
            self.text(node).map(|value| (name.clone(), value)).map_err(|why| format!("{name}: {why}"))
        };
        let item = |item: String| match item.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(format!("{item} has no value: name=value is wanted")),
        };
        match node {
            Node::Map(pairs) => pairs.iter().map(pair).collect(),
            list => self.list(list)?.into_iter().map(item).collect(),
        }
    }

    /// The ports inside the container, from their short form or their long one.
    fn ports(&self, node: &Node) -> Result<Vec<u16>, String> {
        let Node::List(items) = node else { return Err("a list is wanted".to_owned()) };
        let mut ports = Vec::new();
        for item in items {
            match item {
                Node::Map(keys) => ports.push(self.target(keys)?),
                Node::Scalar(number) => ports.extend(container_ports(number)?),
                short => ports.extend(container_ports(&self.text(short)?)?),
            }
        }
        Ok(ports)
    }

    fn target(&self, keys: &[(String, Node)]) -> Result<u16, String> {
        let target = keys.iter().find(|(key, _)| key == "target").map(|(_, target)| target).ok_or("no target:")?;
        let text = match target {
            Node::Scalar(number) => number.clone(),
            node => self.text(node)?,
        };
        text.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("'{text}' does not name a container port"))
    }
}

/// Says which key a value is of.
fn at(key: &'static str) -> impl Fn(String) -> Wrong {
    move |what| Wrong::Value(key, what)
}

/// The last part of `[[ip:]host:]container[/protocol]`, which may be a range; then the host's is one of the same length.
fn container_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?).filter(|range| !range.is_empty())
    };
    let mut parts = text.split('/').next().unwrap_or_default().rsplit(':');
    let container = parts.next().and_then(range).filter(|range| *range.start() > 0);
    let container = container.ok_or_else(|| format!("'{text}' does not name a container port, or a range of them"))?;
    match parts.next().filter(|host| !host.is_empty()).map(range) {
        Some(host) if container.len() > 1 && host.as_ref().is_none_or(|host| host.len() != container.len()) => {
            Err(format!("'{text}' names ranges of ports that differ in length"))
        }
        _ => Ok(container),
    }
}

fn about(node: &Node) -> Result<About, String> {
    let Node::Map(keys) = node else { return Err("a mapping is wanted".to_owned()) };
    let texts = keys.iter().map(|(key, node)| match node {
        Node::Text(text) | Node::Scalar(text) => Ok((key.as_str(), text.as_str())),
        _ => Err(format!("{key}: a plain value is wanted")),
    });
    let texts: Vec<(&str, &str)> = texts.collect::<Result<_, _>>()?;
    // They are printed on terminals, and in tables.
    if let Some((key, text)) = texts.iter().find(|(_, text)| text.contains(char::is_control)) {
        return Err(format!("{key}: one line without control characters is wanted, not \"{}\"", text.escape_debug()));
    }
    let map: MapDeserializer<_, ValueError> = MapDeserializer::new(texts.into_iter());
    About::deserialize(map).map_err(|e| e.to_string())
}
