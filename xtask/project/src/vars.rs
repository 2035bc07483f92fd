//! The variables that a run sees: flags, then the process environment, then the repository's `.env`, as compose does.

use super::interpolate::{TemplateError, interpolate};
use std::collections::BTreeMap;

/// Variables by layer; an upper layer wins.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    /// Given by a flag of ours: the only ones that a child must be told, it sees the other layers by itself.
    pub flags: BTreeMap<String, String>,
    pub process: BTreeMap<String, String>,
    pub dotenv: BTreeMap<String, String>,
}

impl Vars {
    pub fn get(&self, name: &str) -> Option<&str> {
        [&self.flags, &self.process, &self.dotenv].into_iter().find_map(|layer| layer.get(name)).map(String::as_str)
    }

    /// Where the value of `name` comes from, for an error message.
    pub fn origin(&self, name: &str) -> &'static str {
        if self.flags.contains_key(name) {
            "flag"
        } else if self.process.contains_key(name) {
            "environment"
        } else {
            ".env"
        }
    }

    pub(crate) fn interpolate(&self, template: &str) -> Result<String, TemplateError> {
        interpolate(template, &|name| self.get(name).map(str::to_owned))
    }
}

/// Reads a `.env` file as compose does; a value may use the variables of `process` and those above it.
///
/// # Errors
/// The line number and what is wrong with it.
pub(crate) fn parse_dotenv(
    text: &str,
    process: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, (usize, String)> {
    let mut vars = BTreeMap::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let line = line.trim_start();
        let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
        let line = exported.map_or(line, str::trim_start);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(at) = line.find(['=', ':']) else {
            // A bare name takes its value from the environment, or stays unset.
            if let Some(value) = process.get(line.trim()) {
                vars.insert(line.trim().to_owned(), value.clone());
            }
            continue;
        };
        let key = line[..at].trim_end();
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-[]".contains(c)) {
            return Err((number, format!("'{key}' is no variable name")));
        }
        let raw = line[at + 1..].trim_start();
        let expand = |text: &str| {
            interpolate(text, &|name| process.get(name).or_else(|| vars.get(name)).cloned())
                .map_err(|e| (number, e.to_string()))
        };
        let value = match raw.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let mut body = raw[1..].to_owned();
                while closing_quote(&body, quote).is_none() {
                    let Some((_, more)) = lines.next() else {
                        return Err((number, format!("the value of {key} has no closing {quote}")));
                    };
                    body.push('\n');
                    body.push_str(more);
                }
                body.truncate(closing_quote(&body, quote).unwrap_or(body.len()));
                if quote == '"' { expand(&unescape(&body))? } else { body.replace("\\'", "'") }
            }
            _ => {
                let end = raw.find(" #").unwrap_or(raw.len());
                expand(raw[..end].trim_end())?
            }
        };
        vars.insert(key.to_owned(), value);
    }
    Ok(vars)
}

fn closing_quote(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    body.char_indices().find_map(|(i, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(i)
    })
}

fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('$') => out.push_str("$$"),
            Some(other @ ('"' | '\\')) => out.push(other),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests run the real compose")]
mod tests {
    use super::*;

    #[test]
    fn dotenv() {
        let process = BTreeMap::from([("HOME_REGION".to_owned(), "eu-west-1".to_owned())]);
        let text = "# comment\n\nA=1\nexport B = two # note\nC='$A #x'\nD=\"$A\\n${HOME_REGION}\"\nHOME_REGION\nE=${A:-9}#y\nF=\n";
        let vars = parse_dotenv(text, &process).unwrap();
        let expected = [
            ("A", "1"),
            ("B", "two"),
            ("C", "$A #x"),
            ("D", "1\neu-west-1"),
            ("E", "1#y"),
            ("F", ""),
            ("HOME_REGION", "eu-west-1"),
        ];
        assert_eq!(vars, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(parse_dotenv("A='x", &process).unwrap_err().0, 1);
    }

    #[test]
    #[ignore = "needs docker compose: cargo xtask setup"]
    fn dotenv_is_read_as_compose_reads_it() {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let text = "\u{feff}A=1\nexport B=two # note\nexport\tC=three\nD='a\\'b $A'\nE=\"x $A ${UNSET:-y} \\$A \\\"q\\\"\"\nF=\n  G = spaced \n\
                    H=a#b\nI='two\nlines'\nJ=${A}${B}\nK: colon\n# L=no\nM=\"tab\\tnewline\\n\"\n";
        std::fs::write(folder.path().join(".env"), text).unwrap();
        let names: Vec<String> = ('A'..='M').map(|name| name.to_string()).collect();
        let args: String = names.iter().map(|name| format!("        {name}: '<${{{name}-unset}}>'\n")).collect();
        let file = format!("services:\n  s:\n    build:\n      context: .\n      args:\n{args}");
        std::fs::write(folder.path().join("c.yaml"), file).unwrap();
        let output = std::process::Command::new("docker")
            .args(["compose", "--file", "c.yaml", "config", "--format", "json"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let ours = parse_dotenv(text, &BTreeMap::new()).unwrap();
        for name in names {
            let ours = format!("<{}>", ours.get(&name).map_or("unset", String::as_str));
            let theirs = theirs["services"]["s"]["build"]["args"][&name].as_str().unwrap().replace("$$", "$");
            assert_eq!(ours, theirs, "{name}");
        }
    }
}
