//! poetry.lock, as far as versions are concerned.

use crate::{
    error::Fault,
    lines::Lines,
    marker::without_extras,
    package::PackageName,
    pin::{GROUP, Source, without_credentials},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use toml_edit::{Document, Item, Table, TableLike, Value};

/// The lock format's major version that we, and the poetry that `setup` installs, read.
const FORMAT: &str = "2";

/// What a poetry.lock holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    pub packages: Vec<Package>,
    /// Of the pyproject.toml that it was made from.
    pub content_hash: String,
    /// The version of the poetry that wrote it, as far as its minor.
    pub(crate) poetry: Option<(u32, u32)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub name: PackageName,
    pub version: String,
    /// Is it in the image? What the base has is, through the group of its pins; what only an extra brings isn't.
    pub installed: bool,
    /// Does the image install it itself, whether or not its base has it?
    pub(crate) own: bool,
    /// The marker under which it is installed, where it isn't always.
    pub marker: Option<String>,
    /// Nothing for PyPI.
    pub source: Option<Source>,
    /// The hash of each file.
    pub files: BTreeMap<String, String>,
    /// Where it stands in the file, from 1.
    pub line: usize,
}

impl Package {
    /// Are these other files under the same name? An index may have got more files of a version meanwhile.
    pub(crate) fn contradicts(&self, other: &Package) -> bool {
        let common = || self.files.iter().filter_map(|(file, hash)| Some((hash, other.files.get(file)?)));
        let comparable = !self.files.is_empty() && !other.files.is_empty();
        comparable && (common().next().is_none() || common().any(|(ours, theirs)| ours != theirs))
    }
}

impl Lockfile {
    /// Reads `text`, the content of `path`.
    ///
    /// # Errors
    /// Not TOML (a merge conflict, say), cut off, or of another format, each with its line where it has one.
    pub fn parse(path: &Path, text: &str) -> Result<Lockfile, Fault> {
        let file = path.display();
        let help = || {
            let image = path.parent().and_then(Path::file_name).unwrap_or_default().display();
            format!("make it again: `cargo xtask lock {image}`")
        };
        if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<< ")) {
            return Err(
                Fault::project(format!("reading {file}:{}: an unresolved merge conflict", line + 1)).help(help())
            );
        }
        let lines = Lines::of(text);
        let document = Document::parse(text).map_err(|e| {
            let line = e.span().map_or(String::new(), |span| format!(":{}", lines.at(span.start)));
            Fault::project(format!("reading {file}{line}: {}", e.message())).help(help())
        })?;
        let metadata = document.get("metadata").and_then(Item::as_table);
        let field = |name: &str| metadata.and_then(|metadata| metadata.get(name)).and_then(Item::as_str);
        let (Some(version), Some(hash)) = (field("lock-version"), field("content-hash")) else {
            let what =
                format!("reading {file}: no [metadata] with lock-version and content-hash: cut off, or no poetry.lock");
            return Err(Fault::project(what).help(help()));
        };
        // Poetry reads locks that Poetry 1 wrote, too, but what is in the image can't be told from them.
        let newer = !matches!(version.split('.').next(), Some("1" | FORMAT));
        if newer || version.starts_with("1.") || version == "2.0" {
            let why = if newer { "a newer Poetry" } else { "Poetry 1, and doesn't say groups" };
            let what = format!("reading {file}: its format is {version}, ours {FORMAT}.1: it is of {why}");
            return Err(Fault::project(what).help(help()));
        }
        let tables = document.get("package").and_then(Item::as_array_of_tables);
        let packages = tables.into_iter().flatten().map(|table| {
            package(&lines, table).ok_or_else(|| {
                let line = table.span().map_or(1, |span| lines.at(span.start));
                Fault::project(format!("reading {file}:{line}: a package without name, version or groups")).help(help())
            })
        });
        Ok(Lockfile {
            packages: packages.collect::<Result<_, _>>()?,
            content_hash: hash.to_owned(),
            poetry: poetry(text),
        })
    }

    /// Can Poetry read this text? It reads older formats than we do, but neither merge markers nor what is cut off.
    pub fn is_poetrys(text: &str) -> bool {
        let version = Document::parse(text).ok().and_then(|document| {
            let metadata = document.get("metadata")?.as_table()?;
            metadata.get("lock-version")?.as_str().map(str::to_owned)
        });
        version.is_some_and(|version| matches!(version.split('.').next(), Some("1" | FORMAT)))
    }

    /// What is installed: each package with its version, or versions where markers tell them apart.
    pub fn installed(&self) -> BTreeMap<&PackageName, BTreeSet<&str>> {
        let mut found: BTreeMap<&PackageName, BTreeSet<&str>> = BTreeMap::new();
        for package in self.packages.iter().filter(|package| package.installed) {
            found.entry(&package.name).or_default().insert(&package.version);
        }
        found
    }
}

/// What the first line says: `# This file is automatically @generated by Poetry 2.5.1 and …`.
fn poetry(text: &str) -> Option<(u32, u32)> {
    let (_, version) = text.lines().next()?.split_once("Poetry ")?;
    let mut parts = version.split(['.', ' ']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn package(lines: &Lines, table: &Table) -> Option<Package> {
    let string = |name: &str| table.get(name).and_then(Item::as_str);
    let groups = table.get("groups")?.as_array()?.iter().filter_map(Value::as_str);
    let groups: Vec<&str> = groups.filter(|group| matches!(*group, "main" | GROUP)).collect();
    let markers = table.get("markers");
    // One for all groups, or by group where they differ.
    let marker_of = |group: &str| {
        markers.and_then(|markers| markers.as_str().or_else(|| markers.get(group).and_then(Item::as_str)))
    };
    let conditions = groups.iter().map(|group| marker_of(group).map_or(Ok(None), without_extras));
    let conditions: BTreeSet<Option<String>> = conditions.filter_map(Result::ok).collect();
    let files = table.get("files").and_then(Item::as_array).into_iter().flatten();
    let files = files.filter_map(|file| {
        let field = |name: &str| file.as_inline_table()?.get(name)?.as_str().map(str::to_owned);
        Some((field("file")?, field("hash")?))
    });
    Some(Package {
        name: string("name")?.into(),
        version: string("version")?.to_owned(),
        installed: !conditions.is_empty(),
        own: groups.contains(&"main") && !conditions.is_empty(),
        marker: any_of(conditions),
        source: table.get("source").and_then(Item::as_table_like).and_then(source),
        files: files.collect(),
        line: table.span().map_or(1, |span| lines.at(span.start)),
    })
}

/// True where one of the markers is; without a marker in one of the groups it is always installed.
fn any_of(markers: BTreeSet<Option<String>>) -> Option<String> {
    let markers: Vec<String> = markers.into_iter().collect::<Option<_>>()?;
    match markers.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(several.iter().map(|marker| format!("({marker})")).collect::<Vec<_>>().join(" or ")),
    }
}

fn source(table: &dyn TableLike) -> Option<Source> {
    let field = |name: &str| table.get(name).and_then(Item::as_str).map(str::to_owned);
    let url = field("url")?;
    match field("type")?.as_str() {
        "git" => Some(Source::Git { url, revision: field("resolved_reference")?, folder: field("subdirectory") }),
        "url" => Some(Source::Url(url)),
        "file" | "directory" => Some(Source::Path(url)),
        _ => Some(Source::Index {
            name: field("reference")?,
            url: without_credentials(&url).trim_end_matches('/').to_owned(),
        }),
    }
}

/// A package that isn't the same in two locks: its versions before and after, empty where it wasn't or isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub package: PackageName,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What changed from `before` to `after`, in the order of the names.
pub fn moves(before: &Lockfile, after: &Lockfile) -> Vec<Move> {
    let (before, after) = (before.installed(), after.installed());
    let names: BTreeSet<&PackageName> = before.keys().chain(after.keys()).copied().collect();
    let join = |versions: Option<&BTreeSet<&str>>| {
        versions.map(|versions| versions.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let moved = names.into_iter().filter(|name| before.get(name) != after.get(name));
    moved
        .map(|name| Move { package: name.clone(), before: join(before.get(name)), after: join(after.get(name)) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Lockfile, Fault> {
        Lockfile::parse(Path::new("images/a/poetry.lock"), text)
    }

    const END: &str = "\n[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.13\"\ncontent-hash = \"x\"\n";

    #[test]
    fn reads_groups_and_markers() {
        let text = format!(
            "[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"main\"]\nmarkers = \"os_name == 'nt'\"\n\n\
             [[package]]\nname = \"b\"\nversion = \"2\"\ngroups = [\"main\", \"coupled\"]\nmarkers = {{main = \"x\"}}\n\n\
             [[package]]\nname = \"c\"\nversion = \"3\"\ngroups = [\"dev\"]\n{END}"
        );
        let lock = parse(&text).unwrap();
        let markers: Vec<_> = lock.packages.iter().map(|package| package.marker.clone()).collect();
        // b is always there in `coupled`; c is not in the image.
        assert_eq!(markers, [Some("os_name == 'nt'".to_owned()), None, None]);
        assert_eq!(lock.installed().into_keys().map(PackageName::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(lock.packages.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 7, 13]);
    }

    #[test]
    fn reads_sources_files_and_extras() {
        let package = |name: &str, more: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\ngroups = [\"main\"]\n{more}\n")
        };
        let source = |more: &str| format!("\n[package.source]\n{more}\n");
        let text = [
            package("a", &source("type = \"legacy\"\nurl = \"https://u:p@acme.io/simple/\"\nreference = \"acme\"")),
            package("b", &source("type = \"url\"\nurl = \"https://x.io/b.whl\"")),
            package(
                "c",
                &source(
                    "type = \"git\"\nurl = \"https://x.io/c.git\"\nreference = \"main\"\nresolved_reference = \"0a1b\"",
                ),
            ),
            package("d", &source("type = \"file\"\nurl = \"vendor/d.whl\"")),
            package(
                "e",
                "optional = true\nmarkers = \"extra == \\\"x\\\"\"\nfiles = [\n    {file = \"e.whl\", hash = \"sha256:1\"},\n]\n",
            ),
            package("f", "markers = \"extra == \\\"x\\\" or os_name == \\\"nt\\\"\"\n"),
            END.to_owned(),
        ];
        let lock = parse(&text.concat()).unwrap();
        let sources: Vec<_> =
            lock.packages.iter().filter_map(|package| package.source.as_ref()).map(ToString::to_string).collect();
        assert_eq!(
            sources,
            [
                "the index acme (https://acme.io/simple)",
                "https://x.io/b.whl",
                "https://x.io/c.git at 0a1b",
                "the path vendor/d.whl"
            ]
        );
        let (e, f) = (&lock.packages[4], &lock.packages[5]);
        assert!(!e.installed && e.files["e.whl"] == "sha256:1");
        assert_eq!((f.installed, f.marker.as_deref()), (true, Some("os_name == \"nt\"")));
    }

    #[test]
    fn refuses_what_it_cannot_trust() {
        let newer = END.replace("2.1", "3.0");
        let older = END.replace("2.1", "1.1");
        for (text, expected) in [
            ("a = 1\n<<<<<<< HEAD\n", ":2: an unresolved merge conflict"),
            ("[[package]]\nname = \"a\"\nvers", ":3: "),
            ("[[package]]\nname = \"a\"\n", "no [metadata]"),
            (newer.as_str(), "its format is 3.0, ours 2.1: it is of a newer Poetry"),
            (older.as_str(), "its format is 1.1, ours 2.1: it is of Poetry 1"),
            (&format!("[[package]]\nname = \"a\"\n{END}"), ":1: a package without"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.what.contains(expected), "{fault}");
            assert_eq!(fault.help.as_deref(), Some("make it again: `cargo xtask lock a`"));
        }
    }

    #[test]
    fn poetry_reads_older_formats_but_nothing_broken() {
        for (text, expected) in [
            (END.to_owned(), true),
            (END.replace("2.1", "1.1"), true),
            (END.replace("2.1", "3.0"), false),
            (format!("<<<<<<< HEAD\n{END}"), false),
            ("[[package]]\nname = \"a\"\n".to_owned(), false),
        ] {
            assert_eq!(Lockfile::is_poetrys(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_moved() {
        let lock = |packages: &[(&str, &str)]| {
            let text: String = packages
                .iter()
                .map(|(n, v)| format!("[[package]]\nname = \"{n}\"\nversion = \"{v}\"\ngroups = [\"main\"]\n"))
                .collect();
            parse(&(text + END)).unwrap()
        };
        let moved = moves(&lock(&[("a", "1"), ("b", "1"), ("c", "1")]), &lock(&[("a", "2"), ("c", "1"), ("d", "1")]));
        let moved: Vec<_> =
            moved.iter().map(|m| (m.package.as_str(), m.before.as_deref(), m.after.as_deref())).collect();
        assert_eq!(moved, [("a", Some("1"), Some("2")), ("b", Some("1"), None), ("d", None, Some("1"))]);
    }
}
