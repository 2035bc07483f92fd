//! `graph`: what stands on what, to read (`text`), for Markdown (`mermaid`), for Graphviz (`dot`) and for scripts (`json`).

use super::Context;
use crate::{
    flags::{self, GraphFormat},
    ui::table,
};
use anyhow::{Context as _, Result};
use project::{Base, ImageName, Origin, Project, error::Fault};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write as _};

/// An image of the family, or one that the family stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The family's name, or the whole reference.
    pub id: String,
    pub label: String,
    /// Somebody else's, or one of the family at another tag, which is used as it is.
    pub external: bool,
    pub hardware: String,
    pub description: String,
    /// The most images between it and the ground.
    pub depth: usize,
}

/// The family less its helpers. Bases come before what stands on them, otherwise in the order of the compose file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// From a base to what stands on it.
    pub edges: Vec<(usize, usize)>,
}

impl Graph {
    /// # Errors
    /// Bases that go round in a circle.
    pub fn of(project: &Project) -> Result<Graph, Fault> {
        let names: Vec<ImageName> = project.family().map(|image| image.name.clone()).collect();
        let mut graph = Graph::default();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for image in project.with_bases(&names)?.into_iter().filter(|image| !image.helper) {
            let mut bases = Vec::new();
            for base in &image.bases {
                let index = match &base.origin {
                    Origin::Family(name) => known.get(name.as_str()).copied(),
                    Origin::Pinned(_) | Origin::External => {
                        let add = || graph.add(external(base));
                        Some(*known.entry(base.reference.to_string()).or_insert_with(add))
                    }
                };
                // A helper is no node.
                bases.extend(index.filter(|index| !bases.contains(index)));
            }
            let about = image.about.as_ref();
            let node = graph.add(Node {
                id: image.name.to_string(),
                label: image.name.to_string(),
                external: false,
                hardware: about.map_or(String::new(), |about| about.hardware.clone()),
                description: about.map_or(String::new(), |about| about.description.clone()),
                depth: bases.iter().map(|base| graph.nodes[*base].depth + 1).max().unwrap_or(0),
            });
            known.insert(image.name.to_string(), node);
            graph.edges.extend(bases.into_iter().map(|base| (base, node)));
        }
        Ok(graph)
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub fn bases(&self, node: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.edges.iter().filter(move |(_, to)| *to == node).map(|(from, _)| *from)
    }

    pub fn dependents(&self, node: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.edges.iter().filter(move |(from, _)| *from == node).map(|(_, to)| *to)
    }

    /// The base that is drawn right before an image: the first of those that lie just below it.
    pub fn foundation(&self, node: usize) -> Option<usize> {
        self.bases(node).find(|base| self.nodes[*base].depth + 1 == self.nodes[node].depth)
    }

    /// Every node, each followed by what `below` says comes under it; on a stack of our own, whatever the depth.
    pub fn walk<I>(&self, below: impl Fn(&Graph, usize, usize) -> I) -> Vec<(usize, usize)>
    where
        I: DoubleEndedIterator<Item = usize>,
    {
        let roots = (0..self.nodes.len()).filter(|node| self.bases(*node).next().is_none());
        let mut stack: Vec<(usize, usize)> = roots.rev().map(|node| (node, 0)).collect();
        let mut order = Vec::new();
        let mut visits = vec![0; self.nodes.len()];
        while let Some((node, level)) = stack.pop() {
            order.push((node, level));
            stack.extend(below(self, node, visits[node]).rev().map(|next| (next, level + 1)));
            visits[node] += 1;
        }
        order
    }

    pub fn print(&self, format: GraphFormat) -> String {
        match format {
            GraphFormat::Text => self.text(),
            GraphFormat::Mermaid => self.mermaid(),
            GraphFormat::Dot => self.dot(),
            GraphFormat::Json => self.json(),
        }
    }

    /// A tree; what stands on several stands under each, with its own dependents under the first.
    fn text(&self) -> String {
        let below = |graph: &Graph, node: usize, visit: usize| {
            let dependents: Vec<usize> = if visit == 0 { graph.dependents(node).collect() } else { Vec::new() };
            dependents.into_iter()
        };
        let mut seen = vec![false; self.nodes.len()];
        let rows = self.walk(below).into_iter().map(|(index, level)| {
            let node = &self.nodes[index];
            let again = std::mem::replace(&mut seen[index], true) && self.dependents(index).next().is_some();
            let hardware = if node.external { "external".to_owned() } else { node.hardware.clone() };
            let description = if again { "(as above)".to_owned() } else { node.description.clone() };
            vec![format!("{:1$}{2}", "", level * 2, node.label), hardware, description]
        });
        table(&rows.collect::<Vec<_>>())
    }

    /// Nodes are numbered: a name such as `end` would be a keyword.
    pub fn mermaid(&self) -> String {
        let mut out = "flowchart LR\n".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            let label = mermaid_text(&node.label);
            let _ = match (node.external, node.hardware.as_str()) {
                (true, _) => writeln!(out, "  n{index}([\"{label}\"]):::external"),
                (false, "") => writeln!(out, "  n{index}[\"{label}\"]"),
                (false, hardware) => writeln!(out, "  n{index}[\"{label}<br/>{}\"]", mermaid_text(hardware)),
            };
        }
        for (from, to) in &self.edges {
            let _ = writeln!(out, "  n{from} --> n{to}");
        }
        out + "  classDef external stroke-dasharray: 5 4\n"
    }

    fn dot(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "));
        let mut out = "digraph images {\n  rankdir=LR\n  node [shape=box]\n".to_owned();
        for node in &self.nodes {
            let label = quote(format!("{}\n{}", node.label, node.hardware).trim_end());
            // The only line break is ours.
            let label = label.replacen(' ', "\\n", usize::from(!node.hardware.is_empty()));
            let style = if node.external { ", style=\"rounded,dashed\"" } else { "" };
            let _ = writeln!(out, "  {} [label={label}{style}]", quote(&node.id));
        }
        for (from, to) in &self.edges {
            let _ = writeln!(out, "  {} -> {}", quote(&self.nodes[*from].id), quote(&self.nodes[*to].id));
        }
        out + "}\n"
    }

    fn json(&self) -> String {
        let nodes = self.nodes.iter().map(|node| {
            json!({"id": node.id, "external": node.external, "depth": node.depth,
                   "hardware": node.hardware, "description": node.description})
        });
        let id = |index: &usize| &self.nodes[*index].id;
        let edges = self.edges.iter().map(|(from, to)| json!({"from": id(from), "to": id(to)}));
        format!("{:#}\n", json!({"images": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>()}))
    }
}

/// One of the family at another tag goes by its name, as in README's table; a digest is of no use to a reader.
fn external(base: &Base) -> Node {
    let reference = &base.reference;
    let short = format!("{}:{}", reference.repository, reference.tag);
    let label = match (&base.origin, reference.registry.as_str()) {
        (Origin::External, registry) if !registry.is_empty() => format!("{registry}/{short}"),
        _ => short,
    };
    let (hardware, description) = (String::new(), String::new());
    Node { id: reference.to_string(), label, external: true, hardware, description, depth: 0 }
}

/// Mermaid's own escapes; a line break would end the node.
fn mermaid_text(text: &str) -> String {
    let escapes = [('#', "#35;"), ('"', "#quot;"), ('<', "#lt;"), ('>', "#gt;"), ('&', "#amp;"), ('`', "#96;")];
    let escape = |c: char| escapes.iter().find(|(special, _)| *special == c).map(|(_, escape)| (*escape).to_owned());
    text.chars().map(|c| escape(c).unwrap_or_else(|| if c.is_control() { ' ' } else { c }.to_string())).collect()
}

pub fn run(context: &Context, flags: &flags::Graph) -> Result<()> {
    let graph = Graph::of(&context.project()?).context("drawing the graph")?;
    let format = if context.globals.json { GraphFormat::Json } else { flags.format };
    data!("{}", graph.print(format));
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use project::{Environment, vars::Vars};

    /// The graph of a compose file with `images`: a name, what it stands on, and its hardware.
    pub fn graph_of(images: &[(&str, &[&str], &str)]) -> Graph {
        let mut text = "services:\n  tools:\n    profiles: [tools]\n    image: r.io/tools:1\n    \
                        build: {context: ./images/tools, args: {X_IMAGE: 'debian:12'}}\n"
            .to_owned();
        for (name, bases, hardware) in images {
            let args = bases.iter().enumerate().map(|(i, base)| format!("B{i}_IMAGE: '{base}', "));
            let args: String = args.collect();
            let _ = write!(
                text,
                "  {name}:\n    image: r.io/{name}:1\n    x-core-images: {{description: 'The {name}', hardware: '{hardware}'}}\n    \
                 build: {{context: ./images/{name}, args: {{{args}TOOLS_IMAGE: 'r.io/tools:1'}}}}\n"
            );
        }
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        std::fs::write(folder.path().join(Environment::Dev.file()), text).unwrap();
        Graph::of(&Project::load(folder.path(), Environment::Dev, Vars::default()).unwrap()).unwrap()
    }

    fn small() -> Graph {
        graph_of(&[
            ("end", &["r.io/base:1", "r.io/cuda:1"], "gpu"),
            ("base", &["debian:12"], "cpu"),
            ("cuda", &["nvcr.io/x/cuda:13@sha256:aa", "r.io/base:0.9"], "gpu \"A\" <B>"),
        ])
    }

    #[test]
    fn text_is_a_tree() {
        let expected = "\
debian:12                external
  base                   cpu          The base
    end                  gpu          The end
nvcr.io/x/cuda:13        external
  cuda                   gpu \"A\" <B>  The cuda
    end                  gpu          The end
base:0.9                 external
  cuda                   gpu \"A\" <B>  (as above)
";
        // Alignment is the table's business.
        let words = |text: &str| -> Vec<(usize, String)> {
            let indent = |line: &str| line.len() - line.trim_start().len();
            text.lines().map(|l| (indent(l), l.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
        };
        assert_eq!(words(&small().print(GraphFormat::Text)), words(expected));
    }

    #[test]
    fn mermaid() {
        let expected = "\
flowchart LR
  n0([\"debian:12\"]):::external
  n1[\"base<br/>cpu\"]
  n2([\"nvcr.io/x/cuda:13\"]):::external
  n3([\"base:0.9\"]):::external
  n4[\"cuda<br/>gpu #quot;A#quot; #lt;B#gt;\"]
  n5[\"end<br/>gpu\"]
  n0 --> n1
  n2 --> n4
  n3 --> n4
  n1 --> n5
  n4 --> n5
  classDef external stroke-dasharray: 5 4
";
        assert_eq!(small().print(GraphFormat::Mermaid), expected);
    }

    #[test]
    fn dot() {
        let expected = r#"digraph images {
  rankdir=LR
  node [shape=box]
  "debian:12" [label="debian:12", style="rounded,dashed"]
  "base" [label="base\ncpu"]
  "nvcr.io/x/cuda:13@sha256:aa" [label="nvcr.io/x/cuda:13", style="rounded,dashed"]
  "r.io/base:0.9" [label="base:0.9", style="rounded,dashed"]
  "cuda" [label="cuda\ngpu \"A\" <B>"]
  "end" [label="end\ngpu"]
  "debian:12" -> "base"
  "nvcr.io/x/cuda:13@sha256:aa" -> "cuda"
  "r.io/base:0.9" -> "cuda"
  "base" -> "end"
  "cuda" -> "end"
}
"#;
        assert_eq!(small().print(GraphFormat::Dot), expected);
    }

    #[test]
    fn json_names_both_ends() {
        let json: serde_json::Value = serde_json::from_str(&small().print(GraphFormat::Json)).unwrap();
        assert_eq!(json["images"].as_array().unwrap().len(), 6);
        assert_eq!(json["images"][5]["depth"], 2);
        assert_eq!(json["edges"][4], json!({"from": "cuda", "to": "end"}));
    }

    /// Wide and deep.
    #[test]
    fn any_family_is_drawn() {
        let names: Vec<String> = (0..200).map(|i| format!("i{i}")).collect();
        let bases: Vec<String> = (0..200).map(|i| format!("r.io/i{}:1", i - i32::from(i > 0))).collect();
        let images: Vec<(&str, Vec<&str>)> =
            names.iter().zip(&bases).map(|(name, base)| (name.as_str(), vec![base.as_str()])).collect();
        let images: Vec<(&str, &[&str], &str)> = images
            .iter()
            .enumerate()
            .map(|(i, (name, base))| (*name, if i == 0 { &[][..] } else { base }, ""))
            .collect();
        let graph = graph_of(&images);
        assert_eq!((graph.nodes.len(), graph.edges.len(), graph.nodes[199].depth), (200, 199, 199));
        assert_eq!(graph.print(GraphFormat::Text).lines().count(), 200);
    }
}
