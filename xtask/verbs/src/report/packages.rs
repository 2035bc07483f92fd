//! The packages: what is apart, and what each image has.

use super::{
    html::{dash, escape, link, table, tag},
    matrix::{Cell, Exception, Mark, Row},
    page::Page,
};
use std::collections::BTreeMap;

/// A package with its version in one image.
type Version<'a> = (&'a str, &'a str);

impl Page<'_> {
    pub fn packages(&self) -> String {
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

    /// What is apart, each with its reason: in a matrix of many images it would be out of sight. An exception for all
    /// that differs is one decision, and one row.
    fn apart(&self) -> (usize, String) {
        let mut rows = Vec::new();
        let mut exceptions: BTreeMap<(usize, &Exception), Vec<Version>> = BTreeMap::new();
        for row in &self.rows {
            for (index, cell) in row.cells.iter().enumerate() {
                let Some(Cell { version, mark }) = cell else { continue };
                match mark {
                    Mark::Base | Mark::Own => {}
                    Mark::Split(why) => rows.push(self.apart_row(index, &[(&row.package, version)], "split", why)),
                    Mark::Exception(exception) => {
                        exceptions.entry((index, exception)).or_default().push((&row.package, version));
                    }
                }
            }
        }
        let of_entry = |((index, exception), packages): (&(usize, &Exception), &Vec<Version>)| {
            self.apart_row(*index, packages, "exception", &exception.why)
        };
        rows.extend(exceptions.iter().map(of_entry));
        let head = ["Package", "Image", "Version", "Mark", "Why"].map(str::to_owned);
        (rows.len(), table("apart", "Splits and exceptions", &head, &rows.concat()))
    }

    fn apart_row(&self, index: usize, packages: &[Version], class: &str, why: &str) -> String {
        let (names, version) = match packages {
            [(package, version)] => (escape(package), escape(version)),
            _ => {
                let each = packages.iter().map(|(name, version)| format!("{} {}", escape(name), escape(version)));
                let (count, each) = (packages.len(), each.collect::<Vec<_>>().join("<br>"));
                (format!("<details><summary>{count} packages</summary>{each}</details>"), dash())
            }
        };
        let image = link(self.members[index].image.name.as_str());
        format!(
            "<tr><th scope=\"row\">{names}</th><td>{image}</td><td class=\"{class}\">{version}</td><td>{}</td><td>{}</td></tr>\n",
            tag(class, class),
            escape(why)
        )
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
