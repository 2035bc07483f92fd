//! What images ask for, and in which line.

use super::PYPROJECT;
use plan::Facts;
use project::{Image, ImageName, PackageName, Project, pyproject::Pyproject};
use std::{collections::BTreeSet, path::PathBuf};

/// A pyproject.toml: what it asks for, and where.
pub struct Requirements {
    pub path: PathBuf,
    text: String,
}

/// An image whose pins come down to the one that was tried.
pub struct Ancestor {
    pub name: ImageName,
    pub pyproject: Requirements,
    /// What it doesn't decide by itself.
    pub pins: BTreeSet<PackageName>,
}

/// The image `first`, the one that it keeps to, and so on.
pub fn line(project: &Project, facts: &Facts, first: Option<&Image>) -> Vec<Ancestor> {
    let above = |image: &&Image| {
        let pyproject = Pyproject::parse(&image.folder.join(PYPROJECT), &Requirements::of(facts, image).text).ok()?;
        project.coupled_to(image, &pyproject).ok().flatten()
    };
    let images = std::iter::successors(first, above).take(project.images.len());
    let ancestors = images.map(|image| {
        let pyproject = Requirements::of(facts, image);
        let pins = Pyproject::parse(&pyproject.path, &pyproject.text).map(|parsed| parsed.pins().into_keys().collect());
        Ancestor { name: image.name.clone(), pyproject, pins: pins.unwrap_or_default() }
    });
    ancestors.collect()
}

impl Requirements {
    pub fn of(facts: &Facts, image: &Image) -> Requirements {
        let path = image.folder.join(PYPROJECT);
        let text = facts.files.text(&path).ok().flatten().unwrap_or_default().to_owned();
        Requirements { path: facts.shown(path), text }
    }

    /// Each line that asks for a package, from 1; the pins of a base are not asked for by the image itself.
    fn lines(&self) -> impl Iterator<Item = (usize, PackageName)> {
        let mut is_ours = true;
        self.text.lines().enumerate().flat_map(move |(at, line)| {
            let line = line.trim();
            if line.starts_with('[') && line.ends_with(']') && !line.contains('"') {
                is_ours = !line.starts_with("[tool.poetry.group.coupled") && !line.starts_with("[tool.core-images");
            }
            let is_asked = is_ours && !["#", "name ", "name="].iter().any(|start| line.starts_with(start));
            // A requirement is a string (`"idna >=3"`), or the key of a table (`idna = "^3"`).
            let names = line.split(['"', '\'']).filter(|_| is_asked).map(|part| {
                part.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).next().unwrap_or_default()
            });
            names.filter(|name| !name.is_empty()).map(|name| (at + 1, PackageName::from(name))).collect::<Vec<_>>()
        })
    }

    /// What it asks for that an explanation names.
    pub fn asked_in(&self, reason: &str) -> Vec<PackageName> {
        let words: Vec<PackageName> = reason.split_whitespace().map(PackageName::from).collect();
        self.lines().map(|(_, name)| name).filter(|name| words.contains(name)).collect()
    }

    /// File and line of the first of these packages that it asks for, else of where its dependencies begin.
    pub fn place(&self, packages: &[PackageName]) -> String {
        let asked = self.lines().find(|(_, name)| packages.contains(name)).map(|(line, _)| line);
        let begin = || self.text.lines().position(|line| line.starts_with("dependencies")).map_or(1, |at| at + 1);
        format!("{}:{}", self.path.display(), asked.unwrap_or_else(begin))
    }
}

#[cfg(test)]
impl Requirements {
    pub fn of_text(image: &str, text: &str) -> Requirements {
        Requirements { path: format!("images/{image}/pyproject.toml").into(), text: text.to_owned() }
    }
}

#[cfg(test)]
impl Ancestor {
    pub fn of_text(image: &str, text: &str) -> Ancestor {
        let pins = Pyproject::parse(std::path::Path::new(""), text).unwrap().pins().into_keys().collect();
        Ancestor { name: image.parse().unwrap(), pyproject: Requirements::of_text(image, text), pins }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_line_of_a_requirement_in_every_form() {
        let text = "[project]\nname = \"idna\"\ndependencies = [\n  # \"numpy\"\n  \"certifi >=1\",\n]\n\
                    [tool.poetry.dependencies]\nFoo_Bar = \"^3\"\n[tool.poetry.group.coupled.dependencies]\nidna = \"3\"\n";
        let requirements = Requirements::of_text("a", text);
        for (package, line) in [("certifi", 5), ("foo-bar", 8), ("idna", 3), ("numpy", 3)] {
            assert_eq!(requirements.place(&[package.into()]), format!("images/a/pyproject.toml:{line}"), "{package}");
        }
        assert_eq!(
            requirements.asked_in("foo-bar needs idna and certifi"),
            ["certifi", "foo-bar"].map(PackageName::from)
        );
    }

    #[test]
    fn pins_come_down_a_line_of_images() {
        let pinned =
            "[project]\nrequires-python = \">=3.13\"\n[tool.poetry.group.coupled.dependencies]\nidna = \"3\"\n";
        let family = testing::family().file("images/fastapi-serve/pyproject.toml", pinned);
        let vars = project::vars::Vars::default();
        let project = family.facts.project(project::Environment::Dev, vars).unwrap();
        let serve = project.image(&"fastapi-serve".parse().unwrap()).unwrap();
        let line = line(&project, &family.facts, Some(serve));
        let names: Vec<_> = line.iter().map(|image| (image.name.as_str(), image.pins.contains("idna"))).collect();
        assert_eq!(names, [("fastapi-serve", true), ("python-base", false)]);
    }
}
