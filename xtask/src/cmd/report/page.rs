//! The page itself: what stands on it, and its HTML.

use super::{
    html::{dash, escape, link, table, tag},
    matrix::{Cell, Mark, Row, matrix},
    picture,
};
use crate::cmd::{
    engine::{self, Answer, Local},
    graph::Graph,
    validate,
};
use anyhow::Result;
use project::{
    Image, Project,
    family::{self, Finding, Member},
    files::Files,
};
use std::time::SystemTime;

const STYLE: &str = include_str!("style.css");

/// An image as the page shows it.
struct Shown<'a> {
    image: &'a Image,
    bases: Vec<String>,
    dependents: Vec<String>,
    local: Option<Local>,
    /// What its suite counted, and how long ago.
    passed: Option<String>,
}

/// All that stands on the page.
pub struct Page<'a> {
    project: &'a Project,
    graph: Graph,
    images: Vec<Shown<'a>>,
    members: Vec<Member<'a>>,
    rows: Vec<Row>,
    faults: Vec<Finding>,
    answered: bool,
    now: SystemTime,
}

impl<'a> Page<'a> {
    pub fn of(project: &'a Project, engine: Option<&Answer>, now: SystemTime) -> Result<Page<'a>> {
        let graph = Graph::of(project)?;
        let (members, mut faults) = family::members(project, &Files::read(&project.root, &family::wanted(project)));
        faults.extend(family::findings(&members));
        let rows = matrix(&members);
        let images = project.family().map(|image| shown(project, &graph, image, engine, now)).collect();
        Ok(Page { project, graph, images, members, rows, faults, answered: engine.is_some(), now })
    }

    pub fn html(&self) -> String {
        let Page { project, now, .. } = self;
        let (environment, written) = (project.environment, engine::date(*now));
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
        let count = |is: fn(&Mark) -> bool| {
            self.rows.iter().flat_map(|row| row.cells.iter().flatten()).filter(|cell| is(&cell.mark)).count()
        };
        let (splits, exceptions) =
            (count(|mark| matches!(mark, Mark::Split(_))), count(|mark| matches!(mark, Mark::Exception(_))));
        let built = self.images.iter().filter(|shown| shown.local.is_some()).count();
        let passed = self.images.iter().filter(|shown| shown.passed.is_some()).count();
        let known = |count: usize| if self.answered { count.to_string() } else { "?".to_owned() };
        let when = |class, count: usize| if count > 0 { class } else { "" };
        let tiles = [
            ("images", self.images.len().to_string(), ""),
            ("built here", known(built), ""),
            ("validated", known(passed), ""),
            // The Python is no package.
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

    /// Once in columns and once, for narrow windows, as a tree; the style shows one of the two.
    fn picture(&self) -> String {
        let (columns, tree) = (picture::columns(&self.graph), picture::tree(&self.graph));
        let draw = |picture, class| picture::svg(&self.graph, picture, class);
        format!(
            "<section id=\"graph\">\n<h2>What stands on what</h2>\n\
             <p class=\"muted\">An arrow leads from a base to what is built on it. A dashed box is used as it is.</p>\n\
             <div class=\"scroll picture\" tabindex=\"0\" role=\"region\" aria-label=\"The graph\">\n{}{}</div>\n</section>\n",
            draw(&columns, "columns"),
            draw(&tree, "tree"),
        )
    }

    fn table(&self) -> String {
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
                engine::size(local.size),
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

    fn packages(&self) -> String {
        let (python, rows) = self.rows.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        let shared: Vec<&Row> =
            python.into_iter().chain(rows.iter().filter(|row| row.cells.iter().flatten().count() > 1)).collect();
        let single: Vec<&Row> = rows.iter().filter(|row| row.cells.iter().flatten().count() == 1).collect();
        let group = |name: &str, open: bool, count: usize, body: String| {
            let open = if open { " open" } else { "" };
            format!("<details{open}>\n<summary>{name} ({count})</summary>\n{body}</details>\n")
        };
        let apart = match self.apart() {
            (0, _) => {
                "<p class=\"good\">No splits, no exceptions: every package has one version in the whole family.</p>\n"
                    .to_owned()
            }
            (count, rows) => group("Splits and exceptions", true, count, rows),
        };
        format!(
            "<section id=\"packages\">\n<h2>Packages</h2>\n\
             <p class=\"muted\"><span class=\"base\">↳ 1.0</span> keeps to the version of the image's base; <b>1.0</b> is \
             the image's own; {} differs without leave; {} differs, and says why.</p>\n{apart}{}{}</section>\n",
            tag("split", "split"),
            tag("exception", "exception"),
            group(
                "In more than one image",
                true,
                shared.len().saturating_sub(1),
                self.versions("Packages in more than one image", &shared)
            ),
            group("In one image only", false, single.len(), self.singles(&single)),
        )
    }

    /// What is apart, each with its reason: in a matrix of many images it would be out of sight.
    fn apart(&self) -> (usize, String) {
        let cells = self.rows.iter().flat_map(|row| {
            let cells = row.cells.iter().zip(&self.members);
            cells.filter_map(move |(cell, member)| Some((row, cell.as_ref()?, member)))
        });
        let rows: Vec<String> = cells
            .filter_map(|(row, cell, member)| {
                let (class, why) = cell.mark.apart()?;
                Some(format!(
                    "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{class}\">{}</td><td>{}</td><td>{}</td></tr>\n",
                    escape(&row.package),
                    link(member.image.name.as_str()),
                    escape(&cell.version),
                    tag(class, class),
                    escape(why)
                ))
            })
            .collect();
        let head = ["Package", "Image", "Version", "Mark", "Why"].map(str::to_owned);
        (rows.len(), table("apart", "Splits and exceptions", &head, &rows.concat()))
    }

    fn versions(&self, name: &str, rows: &[&Row]) -> String {
        let images = self.members.iter().map(|member| link(member.image.name.as_str()));
        let head: Vec<String> = std::iter::once("Package".to_owned()).chain(images).collect();
        let rows = rows.iter().map(|row| {
            let cells: String = row.cells.iter().map(|found| cell(found.as_ref())).collect();
            format!("<tr><th scope=\"row\">{}{}</th>{cells}</tr>\n", escape(&row.package), row.tags())
        });
        table("matrix", name, &head, &rows.collect::<String>())
    }

    /// A matrix of these would be nearly empty.
    fn singles(&self, rows: &[&Row]) -> String {
        let found = |row: &&Row| row.cells.iter().position(Option::is_some);
        let mut rows: Vec<(usize, &&Row)> = rows.iter().filter_map(|row| Some((found(row)?, row))).collect();
        rows.sort_by_key(|(index, _)| *index);
        let rows = rows.into_iter().map(|(index, row)| {
            let version: String = row.cells.iter().flatten().map(|cell| escape(&cell.version)).collect();
            let image = link(self.members[index].image.name.as_str());
            format!("<tr><th scope=\"row\">{}</th><td>{version}</td><td>{image}</td></tr>\n", escape(&row.package))
        });
        let head = ["Package", "Version", "Image"].map(str::to_owned);
        table("matrix", "Packages in one image only", &head, &rows.collect::<String>())
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

    fn cards(&self) -> String {
        let cards: String = self.images.iter().map(|shown| self.card(shown)).collect();
        format!("<section id=\"each\">\n<h2>Each image</h2>\n<div class=\"cards\">\n{cards}</div>\n</section>\n")
    }

    fn card(&self, shown: &Shown) -> String {
        let image = shown.image;
        let (hardware, description) =
            image.about.as_ref().map_or(("", ""), |about| (&about.hardware, &about.description));
        let mut lines = vec![
            ("reference", format!("<code>{}</code>", escape(&image.reference.to_string()))),
            ("hardware", escape(hardware)),
            ("stands on", shown.bases.join(", ")),
            ("under it", shown.dependents.join(", ")),
        ];
        lines.extend(shown.local.as_ref().map(|local| ("id", format!("<code>{}</code>", escape(local.short_id())))));
        let validated = shown.local.as_ref().map(|_| validation(shown));
        lines.extend(validated.map(|text| ("validated", text)));
        let member = self.members.iter().position(|member| member.image.name == image.name);
        let packages = member.map(|index| self.dependencies(index, &mut lines)).unwrap_or_default();
        let line = |(name, value): &(&str, String)| format!("<dt>{name}</dt><dd>{value}</dd>\n");
        let lines: String = lines.iter().filter(|(_, value)| !value.is_empty()).map(line).collect();
        let name = escape(image.name.as_str());
        format!(
            "<article class=\"card\" id=\"image-{name}\">\n<h3>{name}</h3>\n<p>{}</p>\n<dl>\n{lines}</dl>\n{packages}</article>\n",
            escape(description)
        )
    }

    /// What a card says of an image's packages: lines, and a list of its own ones.
    fn dependencies(&self, index: usize, lines: &mut Vec<(&str, String)>) -> String {
        let member = &self.members[index];
        let of = |row: &Row| row.cells[index].clone().map(|cell| (row.package.clone(), cell));
        let mut cells = self.rows.iter().filter_map(of);
        lines.extend(cells.next().map(|(_, cell)| ("Python", escape(&cell.version))));
        let (coupled, own): (Vec<_>, Vec<_>) = cells.partition(|(_, cell)| cell.mark == Mark::Base);
        let base = match &member.base {
            Some(base) => format!("{} as in {}, ", coupled.len(), link(base.as_str())),
            None => String::new(),
        };
        lines.push(("packages", format!("{base}{} its own", own.len())));
        for (package, reason) in &member.exceptions {
            let package = if package.as_str() == "*" { "every package that differs" } else { package.as_str() };
            lines.push(("exception", format!("<code>{}</code>: {}", escape(package), escape(reason))));
        }
        let own: Vec<String> = own
            .iter()
            .map(|(package, cell)| format!("<code>{}</code> {}", escape(package), escape(&cell.version)))
            .collect();
        match own.as_slice() {
            [] => String::new(),
            own => format!("<details><summary>Its own packages</summary>\n<p>{}</p></details>\n", own.join(", ")),
        }
    }
}

/// What the page says of one image.
fn shown<'a>(
    project: &'a Project,
    graph: &Graph,
    image: &'a Image,
    engine: Option<&Answer>,
    now: SystemTime,
) -> Shown<'a> {
    let local = engine.and_then(|answer| answer.of(project, image));
    let passed = local.as_ref().and_then(|local| validate::passed(&project.root, &local.id));
    let names = |nodes: Vec<usize>| {
        let name = |index: usize| match &graph.nodes[index] {
            node if node.external => format!("<code>{}</code>", escape(&node.label)),
            node => link(&node.label),
        };
        nodes.into_iter().map(name).collect()
    };
    let node = graph.nodes.iter().position(|node| node.id == image.name.as_str());
    Shown {
        image,
        bases: names(node.map(|node| graph.bases(node).collect()).unwrap_or_default()),
        dependents: names(node.map(|node| graph.dependents(node).collect()).unwrap_or_default()),
        passed: passed.map(|(passed, time)| format!("{}, {} ago", passed.counts, engine::age(time, now))),
        local,
    }
}

fn validation(shown: &Shown) -> String {
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
fn cell(cell: Option<&Cell>) -> String {
    let Some(Cell { version, mark }) = cell else { return "<td></td>".to_owned() };
    let version = escape(version);
    match (mark, mark.apart()) {
        (_, Some((class, why))) => {
            format!("<td class=\"{class}\" title=\"{}\">{version} {}</td>", escape(why), tag(class, class))
        }
        (Mark::Base, _) => format!("<td class=\"base\">{version}</td>"),
        _ => format!("<td class=\"own\">{version}</td>"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::family, *};

    #[test]
    fn the_page_stands_alone_and_says_things_in_words() {
        let (_folder, project) = family();
        let html = Page::of(&project, None, SystemTime::UNIX_EPOCH).unwrap().html();
        for expected in [
            "<td class=\"split\" title=\"base has 1\">2 <span class=\"tag split\">split</span></td>",
            "<th scope=\"row\">b <span class=\"tag exception\">exception</span> <span class=\"tag split\">split</span></th>",
            "<td class=\"exception\">9</td><td><span class=\"tag exception\">exception</span></td><td>frozen &lt;upstream&gt;</td>",
            "The docker engine didn't answer",
            "a &lt;b&gt; &amp; &quot;c&quot;",
            "<dt>splits</dt><dd>2</dd>",
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
