//! Environment markers (PEP 508), as far as extras go.

/// The marker where no extra is installed: nothing where it is always true then, an error where it never is.
pub(crate) fn without_extras(marker: &str) -> Result<Option<String>, NeverTrue> {
    if !marker.contains("extra") {
        return Ok(Some(marker.to_owned()));
    }
    let tokens = tokens(marker);
    let mut rest = tokens.as_slice();
    match any_of(&mut rest) {
        Value::Never => Err(NeverTrue),
        Value::Always => Ok(None),
        Value::When { text, .. } => Ok(Some(text)),
    }
}

/// A marker that needs an extra.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NeverTrue;

enum Value {
    Never,
    Always,
    When { text: String, is_or: bool },
}

/// Words, quoted texts and parentheses.
fn tokens(marker: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            quote @ ('"' | '\'') => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
            _ => rest.find(|c: char| c.is_whitespace() || "()\"'".contains(c)).unwrap_or(rest.len()),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// `a or b or c`, up to a closing parenthesis.
fn any_of(rest: &mut &[&str]) -> Value {
    joined(rest, "or", all_of)
}

fn all_of(rest: &mut &[&str]) -> Value {
    joined(rest, "and", one)
}

/// Operands with one operator between them, less those that decide nothing.
fn joined(rest: &mut &[&str], operator: &str, operand: fn(&mut &[&str]) -> Value) -> Value {
    let is_or = operator == "or";
    let (mut texts, mut decided) = (Vec::new(), false);
    let mut inner_or = false;
    loop {
        match operand(rest) {
            Value::When { text, is_or } => {
                texts.push(if is_or { format!("({text})") } else { text });
                inner_or = is_or;
            }
            Value::Always => decided |= is_or,
            Value::Never => decided |= !is_or,
        }
        match rest.split_first() {
            Some((word, after)) if *word == operator => *rest = after,
            _ => break,
        }
    }
    match (decided, texts.as_mut_slice()) {
        (true, _) if is_or => Value::Always,
        (true, _) => Value::Never,
        (false, []) if is_or => Value::Never,
        (false, []) => Value::Always,
        (false, [only]) => {
            let text = if inner_or { only[1..only.len() - 1].to_owned() } else { std::mem::take(only) };
            Value::When { text, is_or: inner_or }
        }
        (false, _) => Value::When { text: texts.join(&format!(" {operator} ")), is_or },
    }
}

/// A comparison, or markers in parentheses.
fn one(rest: &mut &[&str]) -> Value {
    if let Some((&"(", after)) = rest.split_first() {
        *rest = after;
        let inside = any_of(rest);
        *rest = rest.strip_prefix(&[")"]).unwrap_or(rest);
        return inside;
    }
    let end = rest.iter().position(|word| matches!(*word, "and" | "or" | ")")).unwrap_or(rest.len());
    let (comparison, after) = rest.split_at(end);
    *rest = after;
    match comparison.contains(&"extra") {
        true if comparison.contains(&"!=") => Value::Always,
        true => Value::Never,
        false => Value::When { text: comparison.join(" "), is_or: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_an_extra_brings_is_never_true() {
        for (marker, expected) in [
            ("extra == \"x\"", Err(NeverTrue)),
            ("python_version < \"3.9\" and extra == \"x\"", Err(NeverTrue)),
            ("(os_name == 'nt' or os_name == 'a') and (extra == \"x\" or extra == \"y\")", Err(NeverTrue)),
            ("os_name == 'an extra'", Ok(Some("os_name == 'an extra'"))),
            ("extra == \"x\" or os_name == 'nt'", Ok(Some("os_name == 'nt'"))),
            ("(extra == 'x' or os_name == 'nt') and a == '1'", Ok(Some("os_name == 'nt' and a == '1'"))),
            ("(extra == 'x' or b == 'nt' or c == 'd') and a == '1'", Ok(Some("(b == 'nt' or c == 'd') and a == '1'"))),
            ("((b == 'nt' or c == 'd') and extra == 'x') or (a == '1' or d == '1')", Ok(Some("a == '1' or d == '1'"))),
            ("extra != 'x'", Ok(None)),
        ] {
            assert_eq!(without_extras(marker), expected.map(|text| text.map(str::to_owned)), "{marker}");
        }
    }
}
