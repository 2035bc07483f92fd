//! Whether a lock is fresh, as poetry tells it.

use super::Pyproject;
use crate::lockfile::Lockfile;
use std::collections::BTreeMap;
use toml_edit::{Item, TableLike, Value};

/// The first Poetry whose hash counts `[dependency-groups]`.
const COUNTS_DEPENDENCY_GROUPS: (u32, u32) = (2, 3);

impl Pyproject {
    /// The hash by which poetry tells whether a lock is fresh.
    ///
    /// Source: poetry 2.5, `Locker._get_content_hash`: SHA-256 of Python's `json.dumps(…, sort_keys=True)` of what
    /// dependencies are made of.
    pub fn content_hash(&self) -> String {
        self.hash(true)
    }

    /// Is the lock made of this? As poetry tells it.
    ///
    /// Source: poetry 2.5, `Locker.is_fresh`.
    pub(crate) fn is_locked_by(&self, lock: &Lockfile) -> bool {
        let older = lock.poetry.is_some_and(|version| version < COUNTS_DEPENDENCY_GROUPS);
        lock.content_hash == self.hash(true) || older && lock.content_hash == self.hash(false)
    }

    fn hash(&self, with_dependency_groups: bool) -> String {
        const PROJECT: [&str; 3] = ["requires-python", "dependencies", "optional-dependencies"];
        const LEGACY: [&str; 4] = ["dependencies", "source", "extras", "dev-dependencies"];
        let object = |fields: Vec<(String, String)>| {
            let mut fields = fields;
            fields.sort();
            let fields: Vec<String> =
                fields.into_iter().map(|(name, value)| format!("{}: {value}", json(&name))).collect();
            format!("{{{}}}", fields.join(", "))
        };
        let root = self.document.as_item();
        let get = |keys: &[&str]| keys.iter().try_fold(root, |item, key| item.get(key)).map(dumped);
        let field = |keys: &[&str]| Some(((*keys.last()?).to_owned(), get(keys)?));
        let project: Vec<_> = PROJECT.iter().filter_map(|key| field(&["project", key])).collect();
        let groups = field(&["dependency-groups"]).filter(|(_, value)| with_dependency_groups && value != "{}");
        let mut poetry: Vec<_> =
            LEGACY.iter().chain(&["group"]).filter_map(|key| field(&["tool", "poetry", key])).collect();
        if project.is_empty() && groups.is_none() {
            // As poetry 1 did it.
            let missing = LEGACY.iter().filter(|key| !poetry.iter().any(|(name, _)| name == *key));
            let missing: Vec<_> = missing.map(|key| ((*key).to_owned(), "null".to_owned())).collect();
            poetry.extend(missing);
            return hex(&object(poetry));
        }
        let mut content: Vec<(String, String)> = groups.into_iter().collect();
        if !project.is_empty() {
            content.push(("project".to_owned(), object(project)));
        }
        content.push(("tool".to_owned(), object(vec![("poetry".to_owned(), object(poetry))])));
        hex(&object(content))
    }
}

fn hex(text: &str) -> String {
    hmac_sha256::Hash::hash(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An item as Python's `json.dumps(…, sort_keys=True)` prints it.
fn dumped(item: &Item) -> String {
    match item {
        Item::None => "null".to_owned(),
        Item::Value(value) => dumped_value(value),
        Item::Table(table) => dumped_table(table),
        Item::ArrayOfTables(tables) => {
            let tables: Vec<String> = tables.iter().map(|table| dumped_table(table)).collect();
            format!("[{}]", tables.join(", "))
        }
    }
}

fn dumped_table(table: &dyn TableLike) -> String {
    let fields: BTreeMap<&str, &Item> = table.iter().collect();
    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{}: {}", json(key), dumped(value))).collect();
    format!("{{{}}}", fields.join(", "))
}

fn dumped_value(value: &Value) -> String {
    match value {
        Value::String(text) => json(text.value()),
        Value::Integer(number) => number.value().to_string(),
        Value::Float(number) => format!("{:?}", number.value()),
        Value::Boolean(value) => value.value().to_string(),
        Value::Datetime(time) => json(&time.value().to_string()),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(dumped_value).collect();
            format!("[{}]", values.join(", "))
        }
        Value::InlineTable(table) => dumped_table(table),
    }
}

/// A string with everything but ASCII escaped, as Python's default has it.
fn json(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => {
                let mut units = [0; 2];
                out.extend(other.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Up to 2.2, Poetry left `[dependency-groups]` out of the hash.
    #[test]
    fn a_lock_of_an_older_poetry_is_fresh_where_poetry_calls_it_so() {
        let text = "[project]\nrequires-python = \">=3.13\"\n\n[dependency-groups]\ndev = [\"pytest\"]\n";
        let pyproject = Pyproject::parse(Path::new("p"), text).unwrap();
        let (with, without) = (pyproject.hash(true), pyproject.hash(false));
        let fresh = |poetry: &str, hash: &str| {
            let lock = format!(
                "# This file is automatically @generated by Poetry {poetry} and should not be changed by hand.\n\n\
                 [metadata]\nlock-version = \"2.1\"\npython-versions = \"3\"\ncontent-hash = \"{hash}\"\n"
            );
            pyproject.is_locked_by(&Lockfile::parse(Path::new("l"), &lock).unwrap())
        };
        assert!(fresh("2.5.1", &with) && fresh("2.2.1", &with) && fresh("2.2.1", &without));
        assert!(!fresh("2.3.0", &without) && !fresh("2.2.1", "x") && !fresh("?", &without));
    }

    /// Files out of everything that the hash is made of, and what it isn't.
    #[test]
    #[ignore = "needs poetry: cargo xtask setup"]
    #[expect(clippy::disallowed_methods, reason = "the test runs the real poetry")]
    fn any_files_hash_is_poetrys() {
        const SCRIPT: &str = "import sys, tomllib; from pathlib import Path; from poetry.packages.locker import Locker\n\
            for path in sys.argv[1:]:\n  locker = Locker(Path('none'), tomllib.loads(Path(path).read_text()))\n  \
            print(locker._get_content_hash(), locker._get_content_hash(with_dependency_groups=False))";
        let parts = [
            "[project]\nname = 'a'\nrequires-python = '>=3.13'\ndependencies = ['x>=1', 'é @ https://x.io/e.whl']\n\
             [project.optional-dependencies]\nq = ['y']\n",
            "[dependency-groups]\ndev = ['pytest', {include-group = 'b'}]\nb = ['c']\n",
            "[dependency-groups]\n",
            "[tool.poetry.dependencies]\nx = {source = 'acme', version = '*'}\nl = {path = 'vendor/l.whl', develop = true}\n",
            "[[tool.poetry.source]]\nname = 'acme'\nurl = 'https://u:p@acme.io/simple/'\npriority = 'explicit'\n",
            "[tool.poetry.group.coupled]\noptional = true\n[tool.poetry.group.coupled.dependencies]\n\
             a = [{version = '1', markers = \"x == '1'\"}, {url = 'https://x'}]\n",
            "[tool.poetry.extras]\nq = ['l']\n",
            "[tool.poetry.dev-dependencies]\nz = '1'\n",
            "[tool.core-images]\ncoupled-to = 'b'\n",
        ];
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let mut random = crate::testing::Random(20_261_125);
        let mut hashes = Vec::new();
        let mut python = std::process::Command::new(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/poetry/bin/python"),
        );
        python.args(["-c", SCRIPT]);
        for i in 0..80 {
            let chosen: Vec<&str> = parts.into_iter().filter(|_| random.below(2) == 0).collect();
            let Ok(pyproject) = Pyproject::parse(Path::new("p"), &chosen.concat()) else { continue };
            let path = folder.path().join(i.to_string());
            std::fs::write(&path, chosen.concat()).unwrap();
            python.arg(path);
            hashes.push(format!("{} {}", pyproject.hash(true), pyproject.hash(false)));
        }
        let output = python.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(hashes.len() > 40);
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), hashes);
    }

    /// The locks of the repository were written by poetry itself.
    #[test]
    fn the_hash_is_poetrys() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images");
        let mut seen = 0;
        for entry in std::fs::read_dir(images).unwrap() {
            let folder = entry.unwrap().path();
            let (project, lock) = (folder.join("pyproject.toml"), folder.join("poetry.lock"));
            if let (Ok(text), Ok(locked)) = (std::fs::read_to_string(&project), std::fs::read_to_string(&lock)) {
                let hash = Pyproject::parse(&project, &text).unwrap().content_hash();
                assert_eq!(hash, Lockfile::parse(&lock, &locked).unwrap().content_hash, "{}", folder.display());
                seen += 1;
            }
        }
        assert!(seen >= 2);
    }
}
