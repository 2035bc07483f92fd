//! Reads a `.env` file exactly as docker compose does, its oddities included: what `check` and `deploy` look at must be
//! what compose builds and pushes.
//!
//! Source: compose-go's package `dotenv`, statement by statement; a test compares us with `docker compose config`.

use crate::{interpolate::interpolate, lines::Lines};
use std::collections::BTreeMap;

/// The variables of a `.env` file; a value may use the variables of `process` and those above it.
///
/// # Errors
/// The line number and what is wrong with it.
pub(crate) fn parse(
    text: &str,
    process: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, (usize, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut vars = BTreeMap::new();
    let mut rest = statement(text);
    while !rest.is_empty() {
        let at_line = |why: String| (Lines::of(text).at(text.len() - rest.len()), why);
        let Statement { key, separator, value } = split(rest).map_err(at_line)?;
        if key.contains(' ') {
            return Err(at_line(format!("'{key}' is not an assignment, nor a variable's name")));
        }
        let lookup = |name: &str| process.get(name).or_else(|| vars.get(name)).cloned();
        let after = if separator == Some('\n') {
            // A bare name takes its value from the environment, or stays unset.
            let inherited = lookup(key);
            vars.extend(inherited.map(|value| (key.to_owned(), value)));
            value
        } else {
            let (found, after) = read_value(value, &lookup).map_err(|why| at_line(format!("{key}: {why}")))?;
            if key.is_empty() {
                return Err(at_line("a value without a variable's name".to_owned()));
            }
            if found.contains('\0') {
                return Err(at_line(format!("{key}: the value has a NUL character")));
            }
            vars.insert(key.to_owned(), found);
            after
        };
        rest = statement(after);
    }
    Ok(vars)
}

/// The text from its first statement on, behind blank lines and comments.
fn statement(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with('#') {
        text = text.find('\n').map_or("", |end| text[end..].trim_start());
    }
    text
}

/// A key, what ends it, and the text behind that.
struct Statement<'a> {
    key: &'a str,
    /// Nothing at the end of the file.
    separator: Option<char>,
    value: &'a str,
}

fn split(text: &str) -> Result<Statement<'_>, String> {
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
    let text = exported.map_or(text, |rest| rest.trim_start_matches(is_blank));
    for (at, c) in text.char_indices() {
        match c {
            '=' | ':' | '\n' => {
                let value = text[at + 1..].trim_start_matches(is_blank);
                return Ok(Statement { key: text[..at].trim_end(), separator: Some(c), value });
            }
            '_' | '.' | '-' | '[' | ']' => {}
            c if is_blank(c) || c.is_alphabetic() || c.is_numeric() => {}
            _ => {
                let line = text.lines().next().unwrap_or_default();
                return Err(format!(
                    "unexpected character '{}' in the variable name of '{}'",
                    c.escape_default(),
                    line.escape_debug()
                ));
            }
        }
    }
    // The last line, without an end: compose takes it for the value of a variable without a name.
    Ok(Statement { key: "", separator: None, value: text.trim_start_matches(is_blank) })
}

/// A space, but not the end of a line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// The value that `text` begins with, and the text behind it.
fn read_value<'a>(text: &'a str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<(String, &'a str), String> {
    let expand = |value: &str| interpolate(value, lookup).map_err(|e| e.to_string());
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        let value = line.split(" #").next().unwrap_or_default().trim_end();
        return Ok((expand(value)?, rest));
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            let rest = &text[at + 1..];
            return Ok((if quote == '"' { expand(&unescape(&value))? } else { value }, rest));
        }
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        if escaped && c != quote {
            value.push('\\');
        }
        value.push(c);
        escaped = false;
    }
    Err(format!("the value has no closing {quote}"))
}

/// The escapes of a shell, as far as compose knows them; every other backslash stays.
fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let c = escape.chars().next();
        let simple = match c {
            Some('a') => Some("\u{7}"),
            Some('b') => Some("\u{8}"),
            Some('f') => Some("\u{c}"),
            Some('n') => Some("\n"),
            Some('r') => Some("\r"),
            Some('t') => Some("\t"),
            Some('v') => Some("\u{b}"),
            Some('"') => Some("\""),
            Some('\\') => Some("\\"),
            // The interpolation's own way to write a dollar sign.
            Some('$') => Some("$$"),
            _ => None,
        };
        rest = match (simple, c) {
            (Some(simple), _) => {
                out.push_str(simple);
                &escape[1..]
            }
            (None, Some('0')) => {
                let digits = escape[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
                match octal(&escape[1..=digits]) {
                    Some(c) => out.push(c),
                    // Compose loses the zero.
                    None => out.extend(["\\", &escape[1..=digits]]),
                }
                &escape[1 + digits..]
            }
            (None, _) => {
                out.push('\\');
                escape
            }
        };
    }
    out + rest
}

/// Go's `\ooo`: three digits, up to 255.
fn octal(digits: &str) -> Option<char> {
    let value = u32::from_str_radix(digits, 8).ok().filter(|_| digits.len() == 3)?;
    char::from_u32(value).filter(|_| value <= 255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, compose_config};

    /// What is read, one `KEY=value` a line; or the line of the error and what it is.
    fn read(text: &str) -> String {
        let process = BTreeMap::from([("SET".to_owned(), "set".to_owned())]);
        match parse(text, &process) {
            Ok(vars) => vars.into_iter().map(|(key, value)| format!("{key}={value:?}\n")).collect(),
            Err((line, why)) => format!("{line}: {why}"),
        }
    }

    #[test]
    fn values_are_read_as_compose_reads_them() {
        for (text, expected) in [
            ("# comment\n\nA=1\n", "A=\"1\"\n"),
            ("\u{feff}A=1", "A=\"1\"\n"),
            ("A=1\r\nB=\"x\"\r\nC=y # z\r\n", "A=\"1\"\nB=\"x\"\nC=\"y\"\n"),
            ("A=1\rB=2\r", "A=\"1\\rB=2\"\n"),
            ("export A = two # note\nexport\tB=2\n", "A=\"two\"\nB=\"2\"\n"),
            ("A=1#x\nB=2 #x\nC=#x\nD=\n", "A=\"1#x\"\nB=\"2\"\nC=\"#x\"\nD=\"\"\n"),
            ("A='$SET #x'\nB=\"$SET ${NO:-y} \\$SET\"\nC=$A$$\n", "A=\"$SET #x\"\nB=\"set y $SET\"\nC=\"$SET #x$\"\n"),
            ("SET\nNO\nA=1\n", "A=\"1\"\nSET=\"set\"\n"),
            ("A: 1\nB : 2\n---\n", "A=\"1\"\nB=\"2\"\n"),
            ("A='x\ny'\nB=\"x\ny\"\n", "A=\"x\\ny\"\nB=\"x\\ny\"\n"),
            ("A=\"1\" B=2\nC='3' # no\nD=x\"y\"\n", "A=\"1\"\nB=\"2\"\nC=\"3\"\nD=\"x\\\"y\\\"\"\n"),
            (
                r#"A="\a\b\f\n\r\t\v\"\\\q" B='\n\'\"'"#,
                "A=\"\\u{7}\\u{8}\\u{c}\\n\\r\\t\\u{b}\\\"\\\\\\\\q\"\nB=\"\\\\n'\\\\\\\"\"\n",
            ),
            (r#"A="\0101 \012 \0 \0999 \x41 \c""#, "A=\"A \\\\12 \\\\ \\\\999 \\\\x41 \\\\c\"\n"),
            ("ä=1\nA.b-c[0]=2\n", "A.b-c[0]=\"2\"\nä=\"1\"\n"),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_compose_refuses_is_refused_with_its_line() {
        for (text, expected) in [
            ("A=1\nthis is nothing\n", "2: 'this is nothing' is not an assignment, nor a variable's name"),
            ("A=1\n\n€uro=2\n", "3: unexpected character '\\u{20ac}' in the variable name of '€uro=2'"),
            ("A='x\nB=2\n", "1: A: the value has no closing '"),
            ("#\nA=${B\n", "2: A: invalid interpolation '${B' (a literal dollar sign is written $$)"),
            ("A=${B:?say it}\n", "1: A: required variable B is missing a value: say it"),
            ("A=1\n=2\n", "2: a value without a variable's name"),
            ("A=1\nB", "2: a value without a variable's name"),
            ("A=1\0\n", "1: A: the value has a NUL character"),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    /// Files out of the format's own pieces, valid and not.
    #[test]
    #[ignore = "needs docker compose: cargo xtask setup"]
    fn any_file_is_read_as_compose_reads_it() {
        let pieces = [
            "A", "B", "C", "=", "=", "=", ":", "\n", "\n", "\n", "\r\n", " ", "\t", "'", "\"", "\\", "\\n", "\\\"",
            "\\'", "#", " #", "export ", "$A", "${SET}", "${B:-d}", "$$", "x", "7", "\\0101", "\\07", "\u{a0}", "é",
            "-", ".", "[", "]", "/",
        ];
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let env = [("SET", "set")];
        let process = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let args: String =
            ["A", "B", "C"].iter().map(|name| format!("        {name}: '<${{{name}-unset}}>'\n")).collect();
        let file = format!("services:\n  s:\n    build:\n      context: .\n      args:\n{args}");
        std::fs::write(folder.path().join("c.yaml"), file).unwrap();
        let mut random = Random(20_261_125);
        let (mut valid, mut invalid) = (0, 0);
        for _ in 0..200 {
            let text = format!("A={}\nB={}", random.text(&pieces, 8), random.text(&pieces, 12));
            std::fs::write(folder.path().join(".env"), &text).unwrap();
            match (parse(&text, &process), compose_config(folder.path(), "c.yaml", &env)) {
                (Ok(ours), Ok(theirs)) => {
                    for name in ["A", "B", "C"] {
                        let ours = format!("<{}>", ours.get(name).map_or("unset", String::as_str));
                        let theirs = theirs["services"]["s"]["build"]["args"][name].as_str().unwrap();
                        assert_eq!(ours, theirs, "{name} of {text:?}");
                    }
                    valid += 1;
                }
                (Err(_), Err(_)) => invalid += 1,
                (ours, theirs) => panic!("{text:?}: {ours:?}, but compose says {theirs:?}"),
            }
        }
        assert!(valid > 40 && invalid > 40, "{valid} valid, {invalid} invalid");
    }
}
