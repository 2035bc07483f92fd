//! What is built on what, as a value: the model that `graph` prints, the README shows and the report draws.

use project::{Base, ImageName, Origin, Project, error::Fault};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

/// An image of the family, or one that the family is built on.
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
    /// What it is built on, and what is built on it.
    pub bases: Vec<usize>,
    pub dependents: Vec<usize>,
}

/// The family less its helpers. Bases come before what is built on them, otherwise in the order of the compose file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// From a base to what is built on it.
    pub edges: Vec<(usize, usize)>,
}

impl Graph {
    /// # Errors
    /// Bases that go round in a circle.
    pub fn of(project: &Project) -> Result<Graph, Fault> {
        let names: Vec<ImageName> = project.family().map(|image| image.name.clone()).collect();
        let mut graph = Graph::default();
        let mut known: HashMap<String, usize> = HashMap::new();
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
                // A helper is not a node.
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
                bases: bases.clone(),
                dependents: Vec::new(),
            });
            known.insert(image.name.to_string(), node);
            for base in bases {
                graph.nodes[base].dependents.push(node);
                graph.edges.push((base, node));
            }
        }
        Ok(graph)
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The base that is drawn right before an image: the first of those that lie just below it.
    pub fn foundation(&self, node: usize) -> Option<usize> {
        let node = &self.nodes[node];
        node.bases.iter().copied().find(|base| self.nodes[*base].depth + 1 == node.depth)
    }

    /// Every node with its level, each followed by what `below` says comes under it at this visit of the node; on a
    /// stack of our own, whatever the depth.
    pub fn walk<I>(&self, below: impl Fn(&Graph, usize, usize) -> I) -> Vec<(usize, usize)>
    where
        I: DoubleEndedIterator<Item = usize>,
    {
        let roots = (0..self.nodes.len()).filter(|node| self.nodes[*node].bases.is_empty());
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

    /// Nodes go by their images' names, so that one more image adds its own lines and moves no other.
    pub fn mermaid(&self) -> String {
        let ids = self.mermaid_ids();
        let mut out = "flowchart LR\n".to_owned();
        for (id, node) in ids.iter().zip(&self.nodes) {
            let label = mermaid_text(&node.label);
            let _ = match (node.external, node.hardware.as_str()) {
                (true, _) => writeln!(out, "  {id}([\"{label}\"]):::external"),
                (false, "") => writeln!(out, "  {id}[\"{label}\"]"),
                (false, hardware) => writeln!(out, "  {id}[\"{label}<br/>{}\"]", mermaid_text(hardware)),
            };
        }
        for (from, to) in &self.edges {
            let _ = writeln!(out, "  {} --> {}", ids[*from], ids[*to]);
        }
        out + "  classDef external stroke-dasharray: 5 4\n"
    }

    /// Each begins with a word of ours, since a name may be one of Mermaid's keywords, such as `end`. Two names that
    /// differ only in what an id can't hold are told apart by a number.
    fn mermaid_ids(&self) -> Vec<String> {
        let mut taken = HashSet::new();
        let id = |node: &Node| {
            let kind = if node.external { "external" } else { "image" };
            let name: String = node.label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let first = format!("{kind}_{name}");
            let others = (2..).map(|number| format!("{first}_{number}"));
            let free = std::iter::once(first.clone()).chain(others).find(|id| taken.insert(id.clone()));
            free.unwrap_or(first)
        };
        self.nodes.iter().map(id).collect()
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
    Node {
        id: reference.to_string(),
        label,
        external: true,
        hardware: String::new(),
        description: String::new(),
        depth: 0,
        bases: Vec::new(),
        dependents: Vec::new(),
    }
}

/// Mermaid's own escapes; a line break would end the node.
fn mermaid_text(text: &str) -> String {
    let escapes = [('#', "#35;"), ('"', "#quot;"), ('<', "#lt;"), ('>', "#gt;"), ('&', "#amp;"), ('`', "#96;")];
    let escape = |c: char| escapes.iter().find(|(special, _)| *special == c).map(|(_, escape)| (*escape).to_owned());
    text.chars().map(|c| escape(c).unwrap_or_else(|| if c.is_control() { ' ' } else { c }.to_string())).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use project::{Environment, vars::Vars};

    /// The project of a compose file with `images`: a name, what it is built on, and its hardware.
    pub(crate) fn project_of(images: &[(&str, &[&str], &str)]) -> Project {
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
        Project::parse("/r".as_ref(), Environment::Dev, Vars::default(), &text, String::new()).unwrap()
    }

    pub(crate) fn graph_of(images: &[(&str, &[&str], &str)]) -> Graph {
        Graph::of(&project_of(images)).unwrap()
    }

    pub(crate) fn small() -> Graph {
        graph_of(&[
            ("end", &["r.io/base:1", "r.io/cuda:1"], "gpu"),
            ("base", &["debian:12"], "cpu"),
            ("cuda", &["nvcr.io/x/cuda:13@sha256:aa", "r.io/base:0.9"], "gpu \"A\" <B>"),
        ])
    }

    #[test]
    fn mermaid() {
        let expected = "\
flowchart LR
  external_debian_12([\"debian:12\"]):::external
  image_base[\"base<br/>cpu\"]
  external_nvcr_io_x_cuda_13([\"nvcr.io/x/cuda:13\"]):::external
  external_base_0_9([\"base:0.9\"]):::external
  image_cuda[\"cuda<br/>gpu #quot;A#quot; #lt;B#gt;\"]
  image_end[\"end<br/>gpu\"]
  external_debian_12 --> image_base
  external_nvcr_io_x_cuda_13 --> image_cuda
  external_base_0_9 --> image_cuda
  image_base --> image_end
  image_cuda --> image_end
  classDef external stroke-dasharray: 5 4
";
        assert_eq!(small().mermaid(), expected);
    }

    #[test]
    fn one_more_image_adds_its_own_lines_only() {
        let images: [(&str, &[&str], &str); 3] =
            [("a", &["debian:12"], ""), ("c", &["r.io/a:1"], ""), ("b", &["debian:13", "r.io/a:1"], "")];
        let (all, fewer) = (graph_of(&images).mermaid(), graph_of(&[images[0], images[1]]).mermaid());
        let new: Vec<&str> = all.lines().filter(|line| !fewer.contains(&format!("{line}\n"))).collect();
        assert_eq!(
            new,
            [
                "  external_debian_13([\"debian:13\"]):::external",
                "  image_b[\"b\"]",
                "  external_debian_13 --> image_b",
                "  image_a --> image_b",
            ]
        );
        assert!(fewer.lines().all(|line| all.contains(&format!("{line}\n"))), "{all}");
    }

    #[test]
    fn names_that_look_alike_stay_two() {
        let mermaid = graph_of(&[("a-b", &[], ""), ("a.b", &["r.io/a-b:1"], "")]).mermaid();
        assert!(mermaid.contains("  image_a_b --> image_a_b_2\n"), "{mermaid}");
    }
}
