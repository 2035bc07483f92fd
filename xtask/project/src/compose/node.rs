//! Reads YAML: the only module that knows it.
#![expect(clippy::disallowed_methods, reason = "this is the module that reads YAML")]

use crate::error::Fault;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess as _,
    Visitor,
};
use std::{collections::HashSet, fmt, path::Path};

/// A value of the file, with its aliases and `<<` resolved, as compose resolves them. Unlike serde_yaml's own `Value` it
/// neither hashes keys nor clones what it merges: a family of thousands stays quick.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Text(String),
    /// A number or a boolean, as compose writes it.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// `!reset`: as if the entry were not there, so that what is merged in stays.
    Reset,
}

impl Node {
    /// Reads `text`, the content of `path`.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Node, Fault> {
        serde_yaml::from_str(text).map_err(|e| {
            let place = e.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
            Fault::project(format!("reading {}{place}: {e}", path.display()))
                .help("correct the YAML, then run `cargo xtask check`")
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        NodeVisitor { resets: true }.deserialize(deserializer)
    }
}

#[derive(Clone, Copy)]
struct NodeVisitor {
    /// Does `!reset` mean something? Not within an `!override`.
    resets: bool,
}

impl<'de> DeserializeSeed<'de> for NodeVisitor {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        match value.is_finite() {
            true => Ok(Node::Scalar(float(value))),
            false => Err(E::custom("compose takes no infinite number, and no NaN")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            if !matches!(item, Node::Reset) {
                list.push(item);
            }
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut map: Vec<(String, Node)> = Vec::new();
        let mut merged = None;
        while let Some(key) = items.next_key::<String>()? {
            let value = items.next_value_seed(self)?;
            if key != "<<" {
                map.push((key, value));
            } else if merged.replace(value).is_some() {
                return Err(A::Error::custom("`<<` stands here twice: write `<<: [*one, *other]`"));
            }
        }
        if let Some(key) = repeated(&map) {
            return Err(A::Error::custom(format!("the key {key} stands here twice")));
        }
        map.retain(|(_, value)| !matches!(value, Node::Reset));
        if let Some(merged) = merged {
            merge(&mut map, merged).map_err(A::Error::custom)?;
        }
        Ok(Node::Map(map))
    }

    /// A value with a tag of its own. With a single file, `!override` has nothing to replace; other tags mean nothing to
    /// compose.
    fn visit_enum<A: EnumAccess<'de>>(self, value: A) -> Result<Node, A::Error> {
        let (tag, value) = value.variant::<String>()?;
        let tag = tag.trim_start_matches('!');
        let value = value.newtype_variant_seed(NodeVisitor { resets: self.resets && tag != "override" })?;
        Ok(if self.resets && tag == "reset" { Node::Reset } else { value })
    }
}

fn repeated(map: &[(String, Node)]) -> Option<&str> {
    if map.len() < 2 {
        return None;
    }
    let mut keys: Vec<&str> = map.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Adds what `<<` names, a mapping or a list of them, where `map` doesn't say it itself.
fn merge(map: &mut Vec<(String, Node)>, base: Node) -> Result<(), &'static str> {
    match base {
        Node::Map(base) => {
            for (key, value) in base {
                if !map.iter().any(|(known, _)| *known == key) {
                    map.push((key, value));
                }
            }
            Ok(())
        }
        Node::List(bases) => bases.into_iter().try_for_each(|base| match base {
            Node::Map(_) => merge(map, base),
            _ => Err("merging `<<`: a list of mappings is wanted"),
        }),
        _ => Err("merging `<<`: a mapping is wanted"),
    }
}

/// A number as Go prints it by default: the fewest digits, with an exponent from a million on.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => value.to_string(),
    }
}

/// Plain values that YAML 1.1, and so compose, takes for numbers or dates, and YAML 1.2, and so serde_yaml, for text: a
/// leading zero, an underscore, a date.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let bytes = text.trim_start_matches(['-', '+']).as_bytes();
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'_'));
    let date = || bytes.len() >= 8 && digits(&bytes[..4]) && bytes[4] == b'-' && bytes[5..].contains(&b'-');
    bytes.first().is_some_and(u8::is_ascii_digit)
        && (digits(bytes) && (bytes[0] == b'0' && bytes.len() > 1 || bytes.contains(&b'_'))
            || date()
            || bytes.contains(&b'_')
                && bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'_' | b'.' | b'x' | b'a'..=b'f' | b'A'..=b'F')))
}

/// The values of the file that are written in quotes.
pub(super) fn quoted(text: &str) -> HashSet<&str> {
    let mut found = HashSet::new();
    for quote in ['"', '\''] {
        for line in text.lines().filter(|line| line.contains(quote)) {
            found.extend(line.split(quote).skip(1).step_by(2));
        }
    }
    found
}
