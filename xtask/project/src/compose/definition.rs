//! All that a service says of how its image is built, as text that is the same on every machine.

use super::node::Node;
use crate::vars::Vars;
use std::collections::BTreeMap;

/// The variables that `build` gives to compose for the image's labels. They say which run built it, so they are no part
/// of its definition.
pub const BUILD_VARIABLES: [&str; 6] =
    ["IMAGE_FINGERPRINT", "OCI_BASE_DIGEST", "OCI_BASE_NAME", "OCI_CREATED", "OCI_REVISION", "OCI_SOURCE"];

/// What decides where the image is found, or how it is built, but not what it becomes; and the context, whose files count
/// instead of its path.
const PASSED_OVER: [&str; 8] =
    ["cache_from", "cache_to", "context", "dockerfile", "no_cache", "pull", "tags", "provenance"];

/// Each value by the path of its keys, such as `labels.a` or `secrets.0`; variables are replaced by those of `vars`.
///
/// # Errors
/// A variable that is required and missing.
pub(super) fn definition(
    service: &[(String, Node)],
    args: &BTreeMap<String, String>,
    vars: &Vars,
) -> Result<BTreeMap<String, String>, String> {
    let mut leaves = Leaves { vars, found: BTreeMap::new() };
    for (key, node) in service {
        match (key.as_str(), node) {
            ("platform", node) => leaves.add("platform", node)?,
            ("build", Node::Map(build)) => {
                for (key, node) in build.iter().filter(|(key, _)| key != "args" && !PASSED_OVER.contains(&key.as_str()))
                {
                    leaves.add(key, node)?;
                }
            }
            _ => {}
        }
    }
    leaves.found.extend(args.iter().map(|(name, value)| (format!("args.{name}"), value.clone())));
    Ok(leaves.found)
}

/// The labels and arguments of a service's build that `build`'s own variables decide, as the file writes them, by the path
/// of their keys.
pub(super) fn templates(build: &Node) -> BTreeMap<String, String> {
    let is_decided = |text: &str| text.contains('$') && BUILD_VARIABLES.iter().any(|name| text.contains(name));
    let Node::Map(keys) = build else { return BTreeMap::new() };
    let of_key = |(key, node): &(String, Node)| {
        let entry = |name: &str, text: &str| is_decided(text).then(|| (format!("{key}.{name}"), text.to_owned()));
        match node {
            _ if key != "labels" && key != "args" => Vec::new(),
            Node::Map(entries) => {
                let texts = entries
                    .iter()
                    .map(|(name, node)| if let Node::Text(text) = node { (name, &**text) } else { (name, "") });
                texts.filter_map(|(name, text)| entry(name, text)).collect()
            }
            Node::List(items) => {
                let pairs = items
                    .iter()
                    .filter_map(|item| if let Node::Text(text) = item { text.split_once('=') } else { None });
                pairs.filter_map(|(name, text)| entry(name, text)).collect()
            }
            _ => Vec::new(),
        }
    };
    keys.iter().flat_map(of_key).collect()
}

/// How a service is run: all that it says but the image, in one text.
pub(super) fn running(service: &[(String, Node)], vars: &Vars) -> String {
    let keys = service.iter().filter(|(key, _)| key != "image").map(|(key, node)| {
        // A variable without a value has that of the environment.
        let inherited = |name: &str| format!("{:?}", vars.get(name));
        let value = match node {
            Node::Map(variables) if key == "environment" => sorted(variables.iter().map(|(name, node)| match node {
                Node::Null => (name, inherited(name)),
                node => (name, text_of(node, vars)),
            })),
            node => text_of(node, vars),
        };
        (key, value)
    });
    sorted(keys)
}

fn text_of(node: &Node, vars: &Vars) -> String {
    match node {
        // What compose refuses it refuses when the suite is run.
        Node::Text(text) => format!("{:?}", vars.interpolate(text).unwrap_or_else(|_| text.clone())),
        Node::Scalar(text) => text.clone(),
        Node::Null | Node::Reset => "null".to_owned(),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(|item| text_of(item, vars)).collect();
            format!("[{}]", items.join(","))
        }
        Node::Map(keys) => sorted(keys.iter().map(|(key, node)| (key, text_of(node, vars)))),
    }
}

/// A mapping, whose order says nothing.
fn sorted<'a>(keys: impl Iterator<Item = (&'a String, String)>) -> String {
    let mut lines: Vec<String> = keys.map(|(key, value)| format!("{key:?}:{value}")).collect();
    lines.sort();
    format!("{{{}}}", lines.join(","))
}

struct Leaves<'a> {
    vars: &'a Vars,
    found: BTreeMap<String, String>,
}

impl Leaves<'_> {
    fn add(&mut self, path: &str, node: &Node) -> Result<(), String> {
        match node {
            Node::Map(keys) => keys.iter().try_for_each(|(key, node)| self.add(&format!("{path}.{key}"), node)),
            Node::List(items) => {
                items.iter().enumerate().try_for_each(|(index, item)| match (self.pair(path, item)?, item) {
                    (Some((name, value)), _) => {
                        self.found.insert(format!("{path}.{name}"), value);
                        Ok(())
                    }
                    (None, item) => self.add(&format!("{path}.{index}"), item),
                })
            }
            Node::Text(text) => {
                let text = self.vars.interpolate(text).map_err(|e| format!("{path}: {e}"))?;
                self.found.insert(path.to_owned(), text);
                Ok(())
            }
            Node::Scalar(text) => {
                self.found.insert(path.to_owned(), text.clone());
                Ok(())
            }
            Node::Null => {
                self.found.insert(path.to_owned(), String::new());
                Ok(())
            }
            // Nothing holds one.
            Node::Reset => Ok(()),
        }
    }

    /// A list of `name=value` is a mapping written in another way.
    fn pair(&self, path: &str, item: &Node) -> Result<Option<(String, String)>, String> {
        let Node::Text(text) = item else { return Ok(None) };
        let text = self.vars.interpolate(text).map_err(|e| format!("{path}: {e}"))?;
        Ok(text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ComposeFile;
    use crate::vars::Vars;
    use std::path::Path;

    /// The definition of a service that consists of these lines.
    fn definition(service: &str, process: &[(&str, &str)]) -> Vec<String> {
        let process = process.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = format!("x-l: &l {{b: \"${{OCI_REVISION:-}}\"}}\nservices:\n  a:\n    image: r.io/a:1\n{service}");
        let file = ComposeFile::parse(Path::new("f"), &text, &Vars { process, ..Vars::default() }).unwrap();
        let build = file.services[0].build.clone().unwrap();
        build.definition.into_iter().map(|(path, value)| format!("{path}={value}")).collect()
    }

    #[test]
    fn every_value_counts_but_where_the_image_is_found_and_which_run_built_it() {
        let service = "    platform: linux/${ARCH:-amd64}\n    ports: ['80']\n    build:\n      context: ./a\n      \
                       dockerfile: D\n      target: t\n      tags: [x:1]\n      cache_from: [y]\n      args: {A: '1'}\n      \
                       labels: {<<: *l, c: d}\n      secrets: [s, {source: t, mode: 288}]\n      network: none\n";
        let expected = [
            "args.A=1",
            "labels.b=",
            "labels.c=d",
            "network=none",
            "platform=linux/amd64",
            "secrets.0=s",
            "secrets.1.mode=288",
            "secrets.1.source=t",
            "target=t",
        ];
        assert_eq!(definition(service, &[]), expected);
        assert_eq!(definition(service, &[("OCI_REVISION", "1"), ("IMAGE_TAG", "2")]), expected);
        assert!(definition(service, &[("ARCH", "arm64")]).contains(&"platform=linux/arm64".to_owned()));
    }

    #[test]
    fn the_two_ways_to_write_a_mapping_are_one() {
        let list = "    build: {context: a, labels: ['x=y=z', 'b='], args: ['A=1']}\n";
        let map = "    build: {context: b, labels: {b: '', x: y=z}, args: {A: '1'}}\n";
        assert_eq!(definition(list, &[]), definition(map, &[]));
        assert!(definition("    build: a\n", &[]).is_empty());
    }

    #[test]
    fn what_depends_on_the_run_is_kept_as_it_is_written() {
        let templates = |build: &str| {
            let text = format!("services:\n  a:\n    image: r.io/a:1\n    build:\n      context: a\n{build}");
            let file = ComposeFile::parse(Path::new("f"), &text, &Vars::default()).unwrap();
            file.services[0].build.clone().unwrap().templates.into_iter().collect::<Vec<_>>()
        };
        let expected = [("args.A", "x$OCI_SOURCE"), ("labels.b", "${IMAGE_FINGERPRINT:-}")];
        let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let map = "      args: {A: x$OCI_SOURCE, B: '1'}\n      labels: {b: '${IMAGE_FINGERPRINT:-}', c: $OTHER}\n";
        let list = "      args: [A=x$OCI_SOURCE, B=1]\n      labels: ['b=${IMAGE_FINGERPRINT:-}', c=$OTHER]\n";
        assert_eq!(templates(map), expected);
        assert_eq!(templates(list), expected);
        assert!(templates("").is_empty());
    }
}
