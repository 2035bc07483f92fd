//! `graph`: what is built on what, to read (`text`), for Markdown (`mermaid`), for Graphviz (`dot`) and for scripts
//! (`json`).

use crate::{
    Verb,
    common::{
        graph::{Graph, Node},
        table::table,
    },
    flags::{self, Globals, GraphFormat},
};
use clap::ValueEnum as _;
use plan::{Action, Compute, Facts, Needs, Plan, Report, Step};
use project::{Project, error::Fault};
use serde_json::json;
use std::fmt::Write as _;

impl Verb for flags::Graph {
    fn needs(&self, _project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs::default())
    }

    fn plan(&self, project: &Project, _facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let graph = Graph::of(project)?;
        let format = if globals.json { GraphFormat::Json } else { self.format };
        let name = format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let shown = format!("cargo xtask graph --format {name}");
        let print = Compute::new(shown, [], move |_| Report::default().data(printed(&graph, format)));
        let mut plan = Plan::default();
        plan.push(Step::new("draw the graph", Action::Compute(print)));
        Ok(plan)
    }
}

fn printed(graph: &Graph, format: GraphFormat) -> String {
    match format {
        GraphFormat::Text => text(graph),
        GraphFormat::Mermaid => graph.mermaid(),
        GraphFormat::Dot => dot(graph),
        GraphFormat::Json => json(graph),
    }
}

/// A tree; what is built on several is under each, with its own dependents under the first.
fn text(graph: &Graph) -> String {
    let below = |graph: &Graph, node: usize, visit: usize| {
        let dependents = if visit == 0 { graph.nodes[node].dependents.clone() } else { Vec::new() };
        dependents.into_iter()
    };
    let mut seen = vec![false; graph.nodes.len()];
    let rows = graph.walk(below).into_iter().map(|(index, level)| {
        let node = &graph.nodes[index];
        let again = std::mem::replace(&mut seen[index], true) && !node.dependents.is_empty();
        let hardware = if node.external { "external".to_owned() } else { node.hardware.clone() };
        let description = if again { "(as above)".to_owned() } else { node.description.clone() };
        vec![format!("{:1$}{2}", "", level * 2, node.label), hardware, description]
    });
    table(&rows.collect::<Vec<_>>())
}

fn dot(graph: &Graph) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let id = |node: &Node| format!("\"{}\"", escape(&node.id));
    let mut out = "digraph images {\n  rankdir=LR\n  node [shape=box]\n".to_owned();
    for node in &graph.nodes {
        let hardware = if node.hardware.is_empty() { String::new() } else { format!("\\n{}", escape(&node.hardware)) };
        let style = if node.external { ", style=\"rounded,dashed\"" } else { "" };
        let _ = writeln!(out, "  {} [label=\"{}{hardware}\"{style}]", id(node), escape(&node.label));
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(out, "  {} -> {}", id(&graph.nodes[*from]), id(&graph.nodes[*to]));
    }
    out + "}\n"
}

fn json(graph: &Graph) -> String {
    let nodes = graph.nodes.iter().map(|node| {
        json!({"id": node.id, "external": node.external, "depth": node.depth,
               "hardware": node.hardware, "description": node.description})
    });
    let id = |index: &usize| &graph.nodes[*index].id;
    let edges = graph.edges.iter().map(|(from, to)| json!({"from": id(from), "to": id(to)}));
    format!("{:#}\n", json!({"images": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        common::graph::tests::{graph_of, small},
        testing::{self, expect_plan},
    };
    use plan::Inputs;

    #[test]
    fn plans() {
        expect_plan!("graph", testing::outline(&["graph"]));
    }

    #[test]
    fn the_flag_for_scripts_wins() {
        let plan = testing::family().plan(&["graph", "--format", "dot", "--json"]).unwrap();
        let [Step { action: Action::Compute(graph), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        let report = graph.report(&Inputs::default());
        let json: serde_json::Value = serde_json::from_str(&report.data).unwrap();
        assert_eq!(json["edges"][0], json!({"from": "debian:trixie-slim", "to": "python-base"}));
    }

    #[test]
    fn text_is_a_tree() {
        let expected = "\
debian:12          external
  base             cpu          The base
    end            gpu          The end
nvcr.io/x/cuda:13  external
  cuda             gpu \"A\" <B>  The cuda
    end            gpu          The end
base:0.9           external
  cuda             gpu \"A\" <B>  (as above)
";
        assert_eq!(printed(&small(), GraphFormat::Text), expected);
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
        assert_eq!(printed(&small(), GraphFormat::Dot), expected);
    }

    #[test]
    fn json_names_both_ends() {
        let json: serde_json::Value = serde_json::from_str(&printed(&small(), GraphFormat::Json)).unwrap();
        assert_eq!(json["images"].as_array().unwrap().len(), 6);
        assert_eq!(json["images"][5]["depth"], 2);
        assert_eq!(json["edges"][4], json!({"from": "cuda", "to": "end"}));
    }

    /// A family of this size, each image built on the one that `base` gives, the first on none.
    fn family(size: usize, base: fn(usize) -> usize) -> Graph {
        let names: Vec<String> = (0..size).map(|i| format!("i{i}")).collect();
        let references: Vec<String> = (0..size).map(|i| format!("r.io/i{}:1", base(i))).collect();
        let bases: Vec<[&str; 1]> = references.iter().map(|base| [base.as_str()]).collect();
        let bases = bases.iter().enumerate().map(|(i, base)| if i == 0 { &[][..] } else { &base[..] });
        let images: Vec<(&str, &[&str], &str)> =
            names.iter().zip(bases).map(|(name, bases)| (name.as_str(), bases, "")).collect();
        graph_of(&images)
    }

    /// Wide and deep: a search through all edges for each image would take minutes.
    #[test]
    fn any_family_is_drawn() {
        let graph = family(5000, |i| if i % 2 == 0 { i / 4 } else { i - 1 });
        assert_eq!((graph.nodes.len(), graph.edges.len()), (5000, 4999));
        assert_eq!(printed(&graph, GraphFormat::Text).lines().count(), 5000);
        let chain = family(2000, |i| i.saturating_sub(1));
        assert_eq!(chain.nodes[1999].depth, 1999);
        assert_eq!(printed(&chain, GraphFormat::Text).lines().count(), 2000);
    }
}
