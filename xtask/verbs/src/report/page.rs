//! The page itself: what is on it, and the frame of its HTML.

use super::{
    html::escape,
    images::{Shown, shown},
    matrix::{Mark, Row, matrix},
    picture,
};
use crate::common::{graph::Graph, local};
use plan::{Facts, facts::Engine};
use project::{
    ImageName, Project,
    error::Fault,
    family::{self, Finding, Member},
};
use std::{
    collections::{BTreeSet, HashMap},
    time::SystemTime,
};

pub const STYLE: &str = include_str!("style.css");

/// All that is on the page.
pub struct Page<'a> {
    project: &'a Project,
    graph: Graph,
    pub images: Vec<Shown<'a>>,
    pub members: Vec<Member<'a>>,
    /// Where an image is among the members, if it has packages.
    pub positions: HashMap<&'a ImageName, usize>,
    pub rows: Vec<Row>,
    faults: Vec<Finding>,
    /// Whether the engine has answered.
    pub answered: bool,
    pub now: SystemTime,
}

impl<'a> Page<'a> {
    /// # Errors
    /// Bases that go round in a circle.
    pub fn of(project: &'a Project, facts: &Facts, engine: &Engine) -> Result<Page<'a>, Fault> {
        let graph = Graph::of(project)?;
        let (members, mut faults) = family::members(project, &facts.files);
        faults.extend(family::findings(&members));
        let rows = matrix(&members);
        let images = shown(project, facts, &graph, engine);
        let positions = members.iter().enumerate().map(|(index, member)| (&member.image.name, index)).collect();
        let answered = matches!(engine, Engine::Has(_));
        Ok(Page { project, graph, images, members, positions, rows, faults, answered, now: facts.now })
    }

    pub fn html(&self) -> String {
        let Page { project, now, .. } = self;
        let (environment, written) = (project.environment, local::date(*now));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>core-images ({environment})</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>core-images</h1>\n\
             <p class=\"muted\">The images of <code>{}</code>, as they were at {written}</p>\n\
             <nav aria-label=\"On this page\"><a href=\"#graph\">Graph</a> <a href=\"#images\">Images</a> \
             <a href=\"#packages\">Packages</a> <a href=\"#faults\">Faults</a> <a href=\"#each\">Each image</a></nav>\n\
             {}</header>\n<main>\n{}{}{}{}{}</main>\n\
             <footer>Written by <code>cargo xtask report</code>.</footer>\n</body>\n</html>\n",
            project.file(),
            self.tiles(),
            self.picture(),
            self.table(),
            self.packages(),
            self.faults(),
            self.cards(),
        )
    }

    fn tiles(&self) -> String {
        let (splits, exceptions) = self.counts();
        let built = self.images.iter().filter(|shown| shown.local.is_some()).count();
        let passed = self.images.iter().filter(|shown| shown.passed.is_some()).count();
        let known = |count: usize| if self.answered { count.to_string() } else { "?".to_owned() };
        let when = |class, count: usize| if count > 0 { class } else { "" };
        let tiles = [
            ("images", self.images.len().to_string(), ""),
            ("built here", known(built), ""),
            ("validated", known(passed), ""),
            // The Python is not a package.
            ("packages", self.rows.len().saturating_sub(1).to_string(), ""),
            ("splits", splits.to_string(), when("split", splits)),
            ("exceptions", exceptions.to_string(), when("exception", exceptions)),
            ("faults", self.faults.len().to_string(), when("split", self.faults.len())),
        ];
        let tiles = tiles.map(|(name, value, class)| {
            let name = if value == "1" { name.trim_end_matches('s') } else { name };
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            format!("<div{class}><dt>{name}</dt><dd>{value}</dd></div>\n")
        });
        format!("<dl class=\"tiles\">\n{}</dl>\n", tiles.concat())
    }

    /// Splits, and exceptions: an entry counts once, however many packages it is for.
    fn counts(&self) -> (usize, usize) {
        let (mut splits, mut exceptions) = (0, BTreeSet::new());
        for (cell, index) in self.rows.iter().flat_map(|row| row.cells.iter().zip(0..)) {
            match cell.as_ref().map(|cell| &cell.mark) {
                Some(Mark::Split(_)) => splits += 1,
                Some(Mark::Exception(exception)) => drop(exceptions.insert((index, &exception.entry))),
                _ => {}
            }
        }
        (splits, exceptions.len())
    }

    /// Once in columns and once, for narrow windows, as a tree; the style shows one of the two.
    fn picture(&self) -> String {
        let (columns, tree) = (picture::columns(&self.graph), picture::tree(&self.graph));
        let draw = |picture, class| picture::svg(&self.graph, picture, class);
        format!(
            "<section id=\"graph\">\n<h2>What is built on what</h2>\n\
             <p class=\"muted\">An arrow leads from a base to what is built on it. A dashed box is used as it is.</p>\n\
             <div class=\"scroll picture\" tabindex=\"0\" role=\"region\" aria-label=\"The graph\">\n{}{}</div>\n</section>\n",
            draw(&columns, "columns"),
            draw(&tree, "tree"),
        )
    }

    fn faults(&self) -> String {
        let faults = self
            .faults
            .iter()
            .map(|fault| format!("<li><code>{}</code>: {}</li>\n", escape(&fault.place), escape(&fault.what)));
        let body = match self.faults.as_slice() {
            [] => "<p class=\"good\">None: the locks are fresh and fit together.</p>\n".to_owned(),
            _ => format!("<ul class=\"faults\">\n{}</ul>\n", faults.collect::<String>()),
        };
        format!(
            "<section id=\"faults\">\n<h2>Faults in the locks</h2>\n{body}\
             <p class=\"muted\"><code>cargo xtask check</code> looks at more than these.</p>\n</section>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::family, *};
    use crate::testing;

    #[test]
    fn the_page_stands_alone_and_says_things_in_words() {
        let (project, files) = family();
        let facts = Facts { files, ..testing::family().facts };
        let engine = Engine::Silent("gone".to_owned());
        let html = Page::of(&project, &facts, &engine).unwrap().html();
        for expected in [
            "<td class=\"split\" title=\"base has 1\">2 <span class=\"tag split\">split</span></td>",
            "<th scope=\"row\">b <span class=\"tag exception\">exception</span> <span class=\"tag split\">split</span></th>",
            "<td class=\"exception\">9</td><td><span class=\"tag exception\">exception</span></td><td>frozen &lt;upstream&gt;</td>",
            "The docker engine didn't answer",
            "a &lt;b&gt; &amp; &quot;c&quot;",
            "<dt>splits</dt><dd>2</dd>",
            // b of odd is one decision, all of apart's is another.
            "<dt>exceptions</dt><dd>2</dd>",
            "Splits and exceptions (4)",
            "<summary>2 packages</summary>a 7<br>b 8</details></th><td><a href=\"#image-apart\">apart</a></td>",
            "In one image only (1)",
            "id=\"image-child\"",
            "href=\"#image-child\"",
            "width=device-width",
        ] {
            assert!(html.contains(expected), "no {expected} in {html}");
        }
        for forbidden in ["<script", "http:", "https:", "@import", "url(", "<upstream>", "<b> &"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        // Every link leads somewhere on the page.
        for target in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(html.contains(&format!("id=\"{target}\"")), "{target}");
        }
    }

    /// As WCAG 2 counts it.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let part = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            let linear = |c: f64| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
            0.2126 * linear(part(1)) + 0.7152 * linear(part(3)) + 0.0722 * linear(part(5))
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_can_be_told_from_what_is_behind_it() {
        let themes: Vec<&str> = STYLE.split(":root {").skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(themes.len(), 3, "light, dark, print");
        for theme in themes {
            let colour = |name: &str| theme.split(&format!("--{name}: ")).nth(1).unwrap().get(..7).unwrap();
            for (text, behind) in [
                ("ink", "page"),
                ("ink", "card"),
                ("muted", "page"),
                ("muted", "card"),
                ("accent", "page"),
                ("accent", "card"),
                ("good", "page"),
                ("good", "card"),
                ("split", "split-back"),
                ("exception", "exception-back"),
            ] {
                let ratio = contrast(colour(text), colour(behind));
                assert!(ratio >= 4.5, "{text} on {behind}: {ratio:.2}");
            }
        }
    }
}
