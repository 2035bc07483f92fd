//! The images: what the page says of each, and their table.

use super::{
    html::{dash, escape, link, table, tag},
    page::Page,
};
use crate::{
    common::{
        graph::Graph,
        identity::known,
        local::{self, Local},
    },
    validate::record::Key,
};
use plan::{Facts, facts::Engine};
use project::{Image, ImageName, Project};
use std::collections::HashMap;

/// An image as the page shows it.
pub struct Shown<'a> {
    pub image: &'a Image,
    pub bases: Vec<String>,
    pub dependents: Vec<String>,
    pub local: Option<Local>,
    /// What its suite counted, and how long ago.
    pub passed: Option<String>,
}

/// What the page says of each image of the family.
pub fn shown<'a>(project: &'a Project, facts: &Facts, graph: &Graph, engine: &Engine) -> Vec<Shown<'a>> {
    let family: Vec<ImageName> = project.family().map(|image| image.name.clone()).collect();
    let known = known(project, facts, engine, &family);
    let nodes: HashMap<&str, usize> = graph.nodes.iter().enumerate().map(|(i, node)| (node.id.as_str(), i)).collect();
    let names = |indices: &[usize]| {
        let name = |index: &usize| match &graph.nodes[*index] {
            node if node.external => format!("<code>{}</code>", escape(&node.label)),
            node => link(&node.label),
        };
        indices.iter().map(name).collect()
    };
    let of_image = |image: &'a Image| {
        let node = nodes.get(image.name.as_str()).map(|index| &graph.nodes[*index]);
        let local = local::local(engine, project, &known, image);
        let key = |local: &Local| {
            let content = engine.find(&image.reference)?.content();
            Key::of(project, facts, image, content, Some(local.stage())).ok()
        };
        let passed = local.as_ref().and_then(key).and_then(|key| key.passed(&facts.files));
        Shown {
            image,
            bases: node.map(|node| names(&node.bases)).unwrap_or_default(),
            dependents: node.map(|node| names(&node.dependents)).unwrap_or_default(),
            passed: passed.map(|(passed, time)| format!("{}, {} ago", passed.counts(), local::age(time, facts.now))),
            local,
        }
    };
    project.family().map(of_image).collect()
}

impl Page<'_> {
    pub fn table(&self) -> String {
        let head = ["Image", "Base", "Hardware", "Stage", "Size", "Age", "Marks", "Validated"];
        let rows: String = self.images.iter().map(|shown| self.image(shown)).collect();
        let silent = match self.answered {
            true => "",
            false => "<p>The docker engine didn't answer: what it has of these isn't known.</p>\n",
        };
        format!(
            "<section id=\"images\">\n<h2>Images</h2>\n{silent}{}</section>\n",
            table("images", "Images", &head.map(escape), &rows)
        )
    }

    fn image(&self, shown: &Shown) -> String {
        let (hardware, description) =
            shown.image.about.as_ref().map_or(("", ""), |about| (&about.hardware, &about.description));
        let missing = if self.answered { "not built here" } else { "unknown" };
        let [stage, size, age, marks, passed] = match &shown.local {
            None => [format!("<span class=\"muted\">{missing}</span>"), dash(), dash(), dash(), dash()],
            Some(local) => [
                escape(local.stage()),
                local::size(local.size),
                escape(&local.age(self.now)),
                marks(local),
                validation(shown),
            ],
        };
        format!(
            "<tr><th scope=\"row\">{}<span class=\"what\">{}</span></th><td>{}</td><td>{}</td><td>{stage}</td>\
             <td>{size}</td><td>{age}</td><td>{marks}</td><td>{passed}</td></tr>\n",
            link(shown.image.name.as_str()),
            escape(description),
            shown.bases.join("<br>"),
            escape(hardware),
        )
    }
}

/// What the suite has said of the image that the engine has.
pub fn validation(shown: &Shown) -> String {
    match (&shown.passed, &shown.image.suite) {
        (Some(passed), _) => format!("<span class=\"good\">✓ {}</span>", escape(passed)),
        (None, Some(_)) => "not as it is built now".to_owned(),
        (None, None) => "no suite".to_owned(),
    }
}

fn marks(local: &Local) -> String {
    let marks: Vec<String> = local.marks().iter().map(|mark| tag("exception", &escape(mark))).collect();
    if marks.is_empty() { dash() } else { marks.join(" ") }
}
