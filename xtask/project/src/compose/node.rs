//! Reads YAML: the only module that knows it.

use serde::de::{Deserialize, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess as _, Visitor};
use std::fmt;

/// A value of the file, with its aliases and `<<` resolved; a scalar as its text. Unlike serde_yaml's own `Value` it
/// neither hashes keys nor clones what it merges: a family of thousands stays quick.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A value with a tag, which is compose's own business.
    Tagged,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Text(String::new()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(serde_yaml::Number::from(value).to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut map: Vec<(String, Node)> = Vec::new();
        let mut bases = Vec::new();
        while let Some(key) = items.next_key::<String>()? {
            match key.as_str() {
                "<<" => bases.push(items.next_value()?),
                _ => map.push((key, items.next_value()?)),
            }
        }
        if let Some(key) = repeated(&map) {
            return Err(A::Error::custom(format!("the key {key} stands here twice")));
        }
        for base in bases {
            merge(&mut map, base).map_err(A::Error::custom)?;
        }
        Ok(Node::Map(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, value: A) -> Result<Node, A::Error> {
        let (_, value) = value.variant::<String>()?;
        value.newtype_variant::<Node>().map(|_| Node::Tagged)
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
        Node::Text(_) | Node::Tagged => Err("merging `<<`: a mapping is wanted"),
    }
}
