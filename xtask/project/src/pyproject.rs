//! An image's pyproject.toml: what is read of it.

mod content_hash;
mod group;
mod local_paths;

use crate::{error::Fault, lines::Lines, package::PackageName};
use std::{collections::BTreeMap, path::Path};
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// Our own table in pyproject.toml.
const OURS: &str = "core-images";
/// An image's pyproject.toml.
#[derive(Debug, Clone)]
pub struct Pyproject {
    document: DocumentMut,
    text: String,
    path: String,
}

impl Pyproject {
    /// # Errors
    /// Not TOML, with its line.
    pub fn parse(path: &Path, text: &str) -> Result<Pyproject, Fault> {
        let document = text.parse().map_err(|e: toml_edit::TomlError| {
            let line = e.span().map_or(String::new(), |span| format!(":{}", Lines::of(text).at(span.start)));
            Fault::project(format!("reading {}{line}: {}", path.display(), e.message()))
                .help("correct the TOML, then try again")
        })?;
        Ok(Pyproject { document, text: text.to_owned(), path: path.display().to_string() })
    }

    fn table(&self, keys: &[&str]) -> Option<&dyn TableLike> {
        keys.iter().try_fold(self.document.as_item(), |item, key| item.get(key))?.as_table_like()
    }

    fn string(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().try_fold(self.document.as_item(), |item, key| item.get(key))?.as_str()
    }

    /// # Errors
    /// There is none.
    pub fn requires_python(&self) -> Result<&str, Fault> {
        self.string(&["project", "requires-python"]).ok_or_else(|| {
            Fault::project(format!("reading {}: no requires-python under [project]", self.path))
                .help("say which Python the image has, for example requires-python = \">=3.13,<3.14\"")
        })
    }

    /// The packages that it asks for itself: their names, and whether at one version alone.
    pub fn dependencies(&self) -> Vec<(PackageName, bool)> {
        let item = ["project", "dependencies"].iter().try_fold(self.document.as_item(), |item, key| item.get(key));
        let requirements = item.and_then(Item::as_array).into_iter().flatten().filter_map(Value::as_str);
        let dependency = |text: &str| {
            let name = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).next()?;
            Some((PackageName::from(name), text.contains("==")))
        };
        requirements.filter_map(dependency).collect()
    }

    /// The image whose versions it keeps to where that isn't its base: `coupled-to` in `[tool.core-images]`.
    pub fn coupled_to(&self) -> Option<&str> {
        self.string(&["tool", OURS, "coupled-to"])
    }

    /// The images all of whose packages it promises to have: `includes` in `[tool.core-images]`.
    ///
    /// # Errors
    /// Not a list of names.
    pub fn includes(&self) -> Result<Vec<String>, Fault> {
        let Some(item) = ["tool", OURS, "includes"].iter().try_fold(self.document.as_item(), |item, key| item.get(key))
        else {
            return Ok(Vec::new());
        };
        let names = item.as_array().map(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
        names.flatten().ok_or_else(|| {
            let place = format!("{}:{}", self.path, self.line_of("includes"));
            Fault::project(format!("reading {place}: includes is not a list of images"))
                .help("name them so: includes = [\"gpu-train\"]")
        })
    }

    /// Packages that may differ from the rest of the family, each with the reason.
    ///
    /// # Errors
    /// One without a reason.
    pub fn exceptions(&self) -> Result<BTreeMap<PackageName, String>, Fault> {
        let table = self.table(&["tool", OURS, "exceptions"]);
        let entries = table.into_iter().flat_map(TableLike::iter);
        entries
            .map(|(name, reason)| match reason.as_str().map(str::trim) {
                Some(reason) if !reason.is_empty() => Ok((name.into(), reason.to_owned())),
                _ => Err(Fault::project(format!(
                    "reading {}:{}: the exception {name} has no reason",
                    self.path,
                    self.line_of(&format!("{name} "))
                ))
                .help(format!("say why: {name} = \"<reason>\""))),
            })
            .collect()
    }

    /// The line of an exception's key, quoted or not.
    pub(crate) fn line_of_key(&self, key: &PackageName) -> usize {
        let key_of = |line: &str| line.split_once('=').map(|(key, _)| key.trim().trim_matches(['"', '\'']).into());
        self.text.lines().position(|line| key_of(line).as_ref() == Some(key)).map_or(1, |index| index + 1)
    }

    /// The first line that begins with `start`, from 1; the first of all where none does.
    pub fn line_of(&self, start: &str) -> usize {
        self.text.lines().position(|line| line.trim_start().starts_with(start)).map_or(1, |index| index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceptions(text: &str) -> Result<BTreeMap<PackageName, String>, Fault> {
        Pyproject::parse(Path::new("images/a/pyproject.toml"), text).unwrap().exceptions()
    }

    #[test]
    fn exceptions_have_reasons() {
        let good = exceptions("[tool.core-images.exceptions]\nFoo_Bar = 'frozen'\n").unwrap();
        assert_eq!(good, [("foo-bar".into(), "frozen".to_owned())].into());
        let bad = exceptions("[tool.core-images.exceptions]\nnumpy = ''\n").unwrap_err();
        assert!(bad.what.contains("pyproject.toml:2: the exception numpy has no reason"), "{bad}");
    }
}
