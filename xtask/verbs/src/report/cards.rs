//! A card for each image: what it is, and its packages.

use super::{
    html::{escape, link},
    images::{Shown, validation},
    matrix::{Mark, Row},
    page::Page,
};

impl Page<'_> {
    pub fn cards(&self) -> String {
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
            ("built on", shown.bases.join(", ")),
            ("base of", shown.dependents.join(", ")),
        ];
        lines.extend(shown.local.as_ref().map(|local| ("id", format!("<code>{}</code>", escape(local.short_id())))));
        let validated = shown.local.as_ref().map(|_| validation(shown));
        lines.extend(validated.map(|text| ("validated", text)));
        let member = self.positions.get(&image.name);
        let packages = member.map(|index| self.dependencies(*index, &mut lines)).unwrap_or_default();
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
