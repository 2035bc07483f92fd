//! The group of pyproject.toml that holds what the base has: its pins, read and written.

use super::Pyproject;
use crate::{
    error::Fault,
    pin::{GROUP, Pin, Pins, Source, without_credentials},
};
use std::collections::BTreeMap;
use toml_edit::{Item, Table, TableLike, Value};

/// Said above the group when it is first written.
const WHY: &str = "\n# What the base has installed, at its versions, so that the resolver refuses to replace it. Written by\n# `cargo xtask lock`; never installed by itself.\n";

impl Pyproject {
    /// The indexes that it declares, each with its URL.
    fn sources(&self) -> BTreeMap<String, String> {
        let tables = ["tool", "poetry", "source"].iter().try_fold(self.document.as_item(), |item, key| item.get(key));
        let tables = tables.and_then(Item::as_array_of_tables).into_iter().flatten();
        let field = |table: &Table, name: &str| table.get(name).and_then(Item::as_str).map(str::to_owned);
        // Poetry's lock has the URL without the last slash.
        let source = |table: &Table| {
            let url = without_credentials(&field(table, "url")?).trim_end_matches('/').to_owned();
            Some((field(table, "name")?.to_lowercase(), url))
        };
        tables.filter_map(source).collect()
    }

    /// Can these be written in it?
    ///
    /// # Errors
    /// One comes from a path, which means something else in this folder; or from an index that isn't declared here.
    fn check_sources(&self, pins: &Pins) -> Result<(), Fault> {
        let sources = self.sources();
        for (name, pin) in pins.iter().flat_map(|(name, pins)| pins.iter().map(move |pin| (name, pin))) {
            match &pin.source {
                Some(Source::Path(path)) => {
                    let what = format!("the base has {name} from the path {path}, which another image can't lock");
                    return Err(Fault::project(what).help(format!(
                        "let the base take it from an index or a URL, or let the image go without: \
                         [tool.core-images.exceptions] {name} = \"<reason>\" in its pyproject.toml"
                    )));
                }
                Some(source @ Source::Index { name: index, url })
                    if sources.get(&index.to_lowercase()) != Some(url) =>
                {
                    let what =
                        format!("the base has {name} from {source}, which the image's pyproject.toml doesn't declare");
                    return Err(Fault::project(what).help(format!(
                        "add to it, a line each: [[tool.poetry.source]] name = \"{index}\" url = \"{url}\" priority = \"explicit\""
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The pins that are written in it.
    pub fn pins(&self) -> Pins {
        let sources = self.sources();
        let pin = |value: &Item| -> Option<Pin> {
            if let Some(version) = value.as_str() {
                return Some(Pin { version: version.to_owned(), markers: None, source: None });
            }
            let table = value.as_table_like()?;
            let field = |name: &str| table.get(name).and_then(Item::as_str).map(str::to_owned);
            let index = |name: String| {
                let url = sources.get(&name.to_lowercase()).cloned().unwrap_or_default();
                Source::Index { name, url }
            };
            let git = |url| Some(Source::Git { url, revision: field("rev")?, folder: field("subdirectory") });
            let source = field("url").map(Source::Url).or_else(|| field("git").and_then(git));
            let source = source.or_else(|| field("source").map(index));
            Some(Pin { version: field("version").unwrap_or_default(), markers: field("markers"), source })
        };
        let table = self.table(&["tool", "poetry", "group", GROUP, "dependencies"]);
        let entries = table.into_iter().flat_map(TableLike::iter);
        let pins = entries.map(|(name, value)| {
            let several = value.as_array().into_iter().flatten().filter_map(|value| pin(&Item::Value(value.clone())));
            let pins: Vec<Pin> = pin(value).into_iter().chain(several).collect();
            (name.into(), pins)
        });
        pins.collect()
    }

    /// The text with these pins; the very same text where they are written already. Everything outside the group stays
    /// as it is, byte for byte.
    ///
    /// # Errors
    /// A pin's source means something else here, or isn't declared; or something else stands where the group belongs.
    pub fn with_pins(&self, pins: &Pins) -> Result<String, Fault> {
        self.check_sources(pins)?;
        let has_group = self.table(&["tool", "poetry", "group", GROUP]).is_some();
        if self.pins() == *pins && (has_group || pins.is_empty()) {
            return Ok(self.text.clone());
        }
        let wrong = |what: &str| Fault::project(format!("writing {}: {what} is not a table", self.path));
        let mut document = self.document.clone();
        let mut at = document.as_table_mut();
        for key in ["tool", "poetry", "group"] {
            let implicit = || {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            };
            at = at.entry(key).or_insert_with(implicit).as_table_mut().ok_or_else(|| wrong(key))?;
        }
        if !at.contains_key(GROUP) {
            let mut group = Table::new();
            group.decor_mut().set_prefix(WHY);
            at.insert(GROUP, Item::Table(group));
        }
        let group = at.get_mut(GROUP).and_then(Item::as_table_mut).ok_or_else(|| wrong(GROUP))?;
        group.insert("optional", toml_edit::value(true));
        let dependencies = group.entry("dependencies").or_insert_with(|| Item::Table(Table::new()));
        let dependencies = dependencies.as_table_mut().ok_or_else(|| wrong("dependencies"))?;
        dependencies.clear();
        for (name, pins) in pins {
            dependencies.insert(name.as_str(), Item::Value(written(pins)));
        }
        let text = document.to_string();
        // toml_edit writes every line ending in the one way.
        Ok(if self.text.contains("\r\n") { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text })
    }
}

/// Pins as poetry reads them: a version, a table with markers, or a list where markers choose among versions.
fn written(pins: &[Pin]) -> Value {
    let one = |pin: &Pin| {
        let version = ("version", Some(pin.version.as_str()));
        let (source, more) = match &pin.source {
            None if pin.markers.is_none() => return Value::from(pin.version.as_str()),
            None => (version, vec![]),
            Some(Source::Index { name, .. }) => (version, vec![("source", Some(name.as_str()))]),
            Some(Source::Url(url)) => (("url", Some(url.as_str())), vec![]),
            Some(Source::Git { url, revision, folder }) => (
                ("git", Some(url.as_str())),
                vec![("rev", Some(revision.as_str())), ("subdirectory", folder.as_deref())],
            ),
            Some(Source::Path(path)) => (("path", Some(path.as_str())), vec![]),
        };
        let fields = std::iter::once(source).chain(more).chain([("markers", pin.markers.as_deref())]);
        Value::InlineTable(fields.filter_map(|(key, value)| Some((key, Value::from(value?)))).collect())
    };
    match pins {
        [pin] => one(pin),
        pins => Value::Array(pins.iter().map(one).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn pyproject(text: &str) -> Pyproject {
        Pyproject::parse(Path::new("images/a/pyproject.toml"), text).unwrap()
    }

    fn pin(version: &str, markers: Option<&str>) -> Vec<Pin> {
        vec![Pin { version: version.to_owned(), markers: markers.map(str::to_owned), source: None }]
    }

    const PLAIN: &str = "# top\n[project]\nname = 'a' # odd\nrequires-python = \">=3.13\"\ndependencies = [\n    \"x>=1\",  # why\n]\n\n[tool.other]\nz=1\n";

    #[test]
    fn pins_are_written_once_and_the_rest_stays() {
        let pins: Pins =
            [("a".into(), pin("1!2.0+cpu", None)), ("b".into(), pin("1", Some("os_name == \"nt\"")))].into();
        let once = pyproject(PLAIN).with_pins(&pins).unwrap();
        assert!(once.starts_with(PLAIN), "{once}");
        assert!(once.contains("# What the base has installed"));
        assert_eq!(pyproject(&once).pins(), pins);
        assert_eq!(pyproject(&once).with_pins(&pins).unwrap(), once);
        // Pins that somebody edited by hand are put right, and so is a name that isn't normalised.
        let edited = once.replace("1!2.0+cpu", "9").replace("\na =", "\nA_b =");
        assert_eq!(pyproject(&edited).with_pins(&pins).unwrap(), once);
        let crlf = PLAIN.replace('\n', "\r\n");
        assert_eq!(pyproject(&crlf).with_pins(&pins).unwrap(), once.replace('\n', "\r\n"));
        let none = pyproject(&once).with_pins(&Pins::new()).unwrap();
        assert!(none.starts_with(PLAIN) && pyproject(&none).pins().is_empty());
        assert_eq!(pyproject(PLAIN).with_pins(&Pins::new()).unwrap(), PLAIN);
    }

    fn pin_from(source: Source) -> Vec<Pin> {
        vec![Pin { version: "1".to_owned(), markers: None, source: Some(source) }]
    }

    fn index(url: &str) -> Source {
        Source::Index { name: "acme".to_owned(), url: url.to_owned() }
    }

    #[test]
    fn pins_carry_their_source() {
        let git = |folder: Option<&str>| Source::Git {
            url: "https://x.io/d.git".to_owned(),
            revision: "0a1b".to_owned(),
            folder: folder.map(str::to_owned),
        };
        let pins: Pins = [
            ("a".into(), pin_from(index("https://acme.io/simple"))),
            ("b".into(), pin_from(Source::Url("https://x.io/b-1.whl".to_owned()))),
            ("c".into(), pin_from(git(None))),
            ("d".into(), pin_from(git(Some("python")))),
        ]
        .into();
        let declared = "[[tool.poetry.source]]\nname = \"Acme\"\nurl = \"https://user:secret@acme.io/simple/\"\npriority = \"explicit\"\n";
        let text = pyproject(&[PLAIN, declared].concat()).with_pins(&pins).unwrap();
        for line in [
            "a = { version = \"1\", source = \"acme\" }",
            "b = { url = \"https://x.io/b-1.whl\" }",
            "c = { git = \"https://x.io/d.git\", rev = \"0a1b\" }",
            "d = { git = \"https://x.io/d.git\", rev = \"0a1b\", subdirectory = \"python\" }",
        ] {
            assert!(text.lines().any(|written| written == line), "{text}");
        }
        assert_eq!(pyproject(&text).pins(), pins);
        assert_eq!(pyproject(&text).with_pins(&pins).unwrap(), text);
        // PyPI's package of that name is another one.
        let edited = text.replace("a = { version = \"1\", source = \"acme\" }", "a = \"1\"");
        assert_ne!(pyproject(&edited).pins(), pins);
    }

    #[test]
    fn a_source_that_means_something_else_here_is_refused() {
        let refused = |text: &str, source: Source| {
            let fault = pyproject(text).with_pins(&[("a".into(), pin_from(source))].into()).unwrap_err();
            format!("{}; {}", fault.what, fault.help.unwrap())
        };
        let said = refused(PLAIN, index("https://acme.io/simple"));
        assert!(said.contains("from the index acme (https://acme.io/simple), which the image's"), "{said}");
        assert!(said.contains("[[tool.poetry.source]] name = \"acme\" url = \"https://acme.io/simple\""), "{said}");
        let other = "[[tool.poetry.source]]\nname = \"acme\"\nurl = \"https://other.io/simple\"\n";
        assert!(refused(other, index("https://acme.io/simple")).contains("doesn't declare"));
        let said = refused(PLAIN, Source::Path("vendor/a.whl".to_owned()));
        assert!(said.contains("from the path vendor/a.whl, which another image can't lock"), "{said}");
    }

    #[test]
    fn several_versions_by_marker() {
        let two = vec![
            Pin { source: None, version: "1".to_owned(), markers: Some("python_version < '3.12'".to_owned()) },
            Pin { source: None, version: "2".to_owned(), markers: Some("python_version >= '3.12'".to_owned()) },
        ];
        let pins: Pins = [("n".into(), two)].into();
        let text = pyproject(PLAIN).with_pins(&pins).unwrap();
        assert_eq!(pyproject(&text).pins(), pins);
    }

    /// Random files in a fixed order: whatever stands around the group, it is written, it is all that changes, and writing
    /// it again changes nothing.
    #[test]
    fn any_file_keeps_everything_but_the_group() {
        let mut state: u64 = 20_261_122;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % bound
        };
        let parts = [
            "[project]\nname = 'a'  # odd   spacing\nrequires-python=\">=3.13\"\ndependencies = [\n  \"x[extra] >=1; os_name == 'nt'\",\n]\n",
            "\n\n# a comment of its own\n\n",
            "[tool.poetry]\npackage-mode = false\n",
            "[tool.poetry.group.dev.dependencies]\nB = '1'\na = { version = '2', extras = [\"z\"] }\n",
            "[tool.other.'quoted key']\nlist = [1,\n 2] # end\n",
            "[[tool.things]]\nn = 1\n[[tool.things]]\nn = 2\n",
            "[tool.core-images.exceptions]\nFoo_Bar = 'why'\n",
            "[dependency-groups]\nx = [\"y\"]\n",
        ];
        let versions = ["1", "1!2.0", "2.13.0+cpu", "2026.10.18", "1.0rc1", "2.9.0.post0"];
        let names = ["a", "foo-bar", "zope-interface", "x1", "torch"];
        let markers = ["os_name == \"nt\"", "python_version < '3.14' and extra == 'q'"];
        for _ in 0..300 {
            let mut order: Vec<usize> = (0..parts.len()).collect();
            for i in (1..order.len()).rev() {
                order.swap(i, next(i + 1));
            }
            let rest: String = order.into_iter().map(|i| parts[i]).collect();
            let mut some = || -> Pins {
                let pin = |next: &mut dyn FnMut(usize) -> usize| {
                    let marker = markers.get(next(4)).copied();
                    pin(versions[next(versions.len())], marker)
                };
                (0..=next(4)).map(|_| (names[next(names.len())].into(), pin(&mut next))).collect()
            };
            let (first, second) = (some(), some());
            let once = pyproject(&rest).with_pins(&first).unwrap();
            assert_eq!(pyproject(&once).pins(), first);
            assert_eq!(pyproject(&once).with_pins(&first).unwrap(), once);
            let again = pyproject(&once).with_pins(&second).unwrap();
            assert_eq!(pyproject(&again).pins(), second, "{again}");
            // Less the group, it is the file that it was.
            let start = again.find(WHY).unwrap();
            let header = "[tool.poetry.group.coupled.dependencies]\n";
            let pins = again.find(header).unwrap() + header.len();
            let length: usize =
                again[pins..].split_inclusive('\n').take_while(|line| line.contains(" = ")).map(str::len).sum();
            let end = pins + length;
            let without = [&again[..start], &again[end..]].concat();
            assert_eq!(without.trim_end(), rest.trim_end());
        }
    }
}
