//! From a key of a compose file to its line, for messages: the values that `serde_yaml` hands out no longer know it.

use std::collections::HashMap;

/// The lines of all keys in block mappings, found once; a best effort, since this is not a YAML parser.
#[derive(Debug, Clone, Default)]
pub struct KeyLines<'a> {
    /// By the entry that holds the key (0 is the file itself) and the key.
    entries: HashMap<(usize, &'a str), Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: usize,
    line: usize,
}

impl<'a> KeyLines<'a> {
    pub fn of(text: &'a str) -> KeyLines<'a> {
        let mut entries = HashMap::new();
        // The indentation and the entry of each key that the current line is within.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let body = line.trim_start();
            let indent = line.len() - body.len();
            let Some(key) = key_of(body) else { continue };
            while open.last().is_some_and(|(outer, _)| indent <= *outer) {
                open.pop();
            }
            let parent = open.last().map_or(0, |(_, id)| *id);
            let id = entries.len() + 1;
            let entry = *entries.entry((parent, key)).or_insert(Entry { id, line: index + 1 });
            open.push((indent, entry.id));
        }
        KeyLines { entries }
    }

    /// The line (from 1) where the mapping entry `keys` begins.
    pub fn line(&self, keys: &[&str]) -> Option<usize> {
        let mut found = Entry { id: 0, line: 0 };
        for key in keys {
            found = *self.entries.get(&(found.id, *key))?;
        }
        (found.id > 0).then_some(found.line)
    }
}

/// As `KeyLines`, for one question.
pub fn line_of(text: &str, keys: &[&str]) -> Option<usize> {
    KeyLines::of(text).line(keys)
}

/// The key that a line begins with, where it is an entry of a block mapping.
fn key_of(body: &str) -> Option<&str> {
    if body.starts_with('#') {
        return None;
    }
    let (key, _) = body.split_once(": ").or_else(|| Some((body.trim_end().strip_suffix(':')?, "")))?;
    let key = key.trim_end();
    let unquoted = key.strip_prefix(['"', '\'']).and_then(|key| key.strip_suffix(['"', '\'']));
    Some(unquoted.unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_they_are_nested() {
        let text = "# services:\nx: {a: 1}\nservices:\n  a:\n    image: b\n    build:\n      args:\n\n        # A: 0\n        \
                    A: 1\n  'b' :\n    image: c:1\n  c: &c\n    image: d\n";
        let lines = KeyLines::of(text);
        for (keys, line) in [
            (&["services"][..], Some(3)),
            (&["services", "a", "image"], Some(5)),
            (&["services", "a", "build", "args", "A"], Some(10)),
            (&["services", "b"], Some(11)),
            (&["services", "b", "image"], Some(12)),
            (&["services", "c", "image"], Some(14)),
            (&["services", "d"], None),
            (&["image"], None),
            (&[], None),
        ] {
            assert_eq!(lines.line(keys), line, "{keys:?}");
        }
    }
}
