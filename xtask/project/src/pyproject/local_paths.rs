//! Dependencies that are files or folders of the repository.

use super::Pyproject;
use std::path::{Component, PathBuf};
use toml_edit::{Item, TableLike, Value};

impl Pyproject {
    /// Where its dependencies lie that are files or folders, as it names them: relative to it.
    pub fn local_paths(&self) -> Vec<PathBuf> {
        let get = |keys: &[&str]| keys.iter().try_fold(self.document.as_item(), |item, key| item.get(key));
        let tables = |item: Option<&Item>| -> Vec<Item> {
            item.and_then(Item::as_table_like)
                .into_iter()
                .flat_map(TableLike::iter)
                .map(|(_, item)| item.clone())
                .collect()
        };
        let groups = tables(get(&["tool", "poetry", "group"]));
        let groups = groups.iter().filter_map(|group| group.get("dependencies").cloned());
        let poetry =
            ["dependencies", "dev-dependencies"].iter().filter_map(|key| get(&["tool", "poetry", key]).cloned());
        let constraints = poetry.chain(groups).flat_map(|table| tables(Some(&table)));
        let constraints = constraints.filter_map(|item| item.into_value().ok()).flat_map(|value| match value {
            Value::Array(several) => several.into_iter().collect(),
            one => vec![one],
        });
        let named = constraints.filter_map(|constraint| {
            let table = constraint.as_inline_table()?;
            ["path", "file"].iter().find_map(|key| Some(table.get(key)?.as_str()?.to_owned()))
        });
        let lists = [get(&["project", "dependencies"]).cloned()].into_iter().flatten();
        let lists = lists.chain(tables(get(&["project", "optional-dependencies"])));
        let lists = lists.chain(tables(get(&["dependency-groups"])));
        let requirements = lists.filter_map(|list| Some(list.as_array()?.clone())).flatten();
        let referenced =
            requirements.filter_map(|requirement| of_requirement(requirement.as_str()?).map(str::to_owned));
        named.chain(referenced).map(PathBuf::from).collect()
    }

    /// What of these is in the pyproject.toml's own folder: the first part of each path.
    pub fn local_entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<PathBuf> = self.local_paths().iter().filter_map(|path| first_part(path)).collect();
        entries.sort();
        entries.dedup();
        entries
    }
}

/// The path of a requirement such as `name @ vendor/name.whl ; marker`.
fn of_requirement(requirement: &str) -> Option<&str> {
    let (_, reference) = requirement.split_once('@')?;
    let reference = reference.split(" ;").next()?.trim();
    (!reference.contains("://")).then_some(reference)
}

fn first_part(path: &std::path::Path) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::CurDir => {}
            // Out of the folder.
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    parts.first().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn files_and_folders_in_every_form() {
        let text = r#"
[project]
dependencies = ["idna", "a @ vendor/a.whl ; python_version > '3'", "w @ https://x.example/w.whl"]
optional-dependencies.x = ["b@libs/b"]

[dependency-groups]
dev = ["c @ ./tools/c", {include-group = "x"}]

[tool.poetry]
include = [{path = "no", format = "wheel"}]

[tool.poetry.dependencies]
d = {path = "libs/d", develop = true}
e = {file = "../shared/e.whl"}
f = [{path = "one/f.whl", markers = "x"}, {version = "1"}]
g = {git = "https://x.example/g.git"}

[tool.poetry.dependencies.h]
path = "libs/../h/h.whl"

[tool.poetry.group.dev.dependencies]
i = {path = "/abs/i.whl"}
j = "1"
"#;
        let pyproject = Pyproject::parse(Path::new("pyproject.toml"), text).unwrap();
        let expected = ["libs/d", "../shared/e.whl", "one/f.whl", "libs/../h/h.whl", "/abs/i.whl"];
        let expected: Vec<&str> = expected.into_iter().chain(["vendor/a.whl", "libs/b", "./tools/c"]).collect();
        assert_eq!(pyproject.local_paths(), expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(pyproject.local_entries(), ["h", "libs", "one", "tools", "vendor"].map(PathBuf::from));
    }
}
