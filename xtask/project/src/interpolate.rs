//! `$VAR` and `${VAR…}` exactly as docker compose reads them, nested defaults included.
//!
//! Source: the Compose specification, chapter "Interpolation"; where it is silent, compose-go's `template` package, which
//! a test compares us with through `docker compose config`.

use std::fmt;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// Not a template that compose accepts.
    Invalid(String),
    /// `${VAR:?message}` or `${VAR?message}`, and VAR isn't there.
    Required { variable: String, message: String },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Invalid(template) => {
                write!(f, "invalid interpolation '{template}' (a literal dollar sign is written $$)")
            }
            TemplateError::Required { variable, message } if message.is_empty() => {
                write!(f, "required variable {variable} is missing a value")
            }
            TemplateError::Required { variable, message } => {
                write!(f, "required variable {variable} is missing a value: {message}")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

/// Replaces every variable of `template`; an unset one without a default becomes the empty string.
pub fn interpolate(template: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            tail
        } else if let Some(braced) = after.strip_prefix('{') {
            let end = closing_brace(braced).ok_or_else(|| TemplateError::Invalid(template.to_owned()))?;
            out.push_str(&substitute(&braced[..end], lookup).map_err(|e| match e {
                TemplateError::Invalid(_) => TemplateError::Invalid(template.to_owned()),
                required @ TemplateError::Required { .. } => required,
            })?);
            &braced[end + 1..]
        } else {
            let (name, tail) = split_name(after);
            // What can't begin a variable stays as it is.
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&lookup(name).unwrap_or_default());
            }
            tail
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// The inside of `${…}`: a name and at most one operator, whose operand may hold templates again.
fn substitute(inside: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, TemplateError> {
    let invalid = || TemplateError::Invalid(inside.to_owned());
    let (name, tail) = split_name(inside);
    if name.is_empty() {
        return Err(invalid());
    }
    let value = lookup(name);
    if tail.is_empty() {
        return Ok(value.unwrap_or_default());
    }
    let (counts, tail) = match tail.strip_prefix(':') {
        Some(tail) => (value.filter(|v| !v.is_empty()), tail),
        None => (value, tail),
    };
    let mut chars = tail.chars();
    let operator = chars.next();
    let operand = chars.as_str();
    match (operator, counts) {
        (Some('-' | '?'), Some(value)) => Ok(value),
        (Some('-'), None) | (Some('+'), Some(_)) => interpolate(operand, lookup),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => {
            Err(TemplateError::Required { variable: name.to_owned(), message: interpolate(operand, lookup)? })
        }
        _ => Err(invalid()),
    }
}

/// The name at the start of `text`, and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end)
        && (matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'_') || end > 0 && byte.is_ascii_digit())
    {
        end += 1;
    }
    text.split_at(end)
}

/// The index of the brace that closes a `${` just passed; `${` inside opens one more, a lone `{` doesn't.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut end, mut depth) = (0, 1);
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'{' if end > 0 && bytes[end - 1] == b'$' => depth += 1,
            b'}' if depth == 1 => return Some(end),
            b'}' => depth -= 1,
            _ => {}
        }
        end += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "SET" => Some("set".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn operators() {
        for (template, expected) in [
            ("plain", "plain"),
            ("$SET-x", "set-x"),
            ("${SET}", "set"),
            ("$UNSET.", "."),
            ("$$SET", "$SET"),
            ("${UNSET:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${UNSET-d}", "d"),
            ("${SET:+alt}", "alt"),
            ("${EMPTY:+alt}", ""),
            ("${EMPTY+alt}", "alt"),
            ("${SET:?m}", "set"),
            ("${EMPTY?m}", ""),
            ("${UNSET:-${SET:-x}-${EMPTY:-y}}/z", "set-y/z"),
            ("${UNSET:-a:-b}", "a:-b"),
            ("${UNSET:-}", ""),
            ("$", "$"),
            ("a $ $1", "a $ $1"),
        ] {
            assert_eq!(interpolate(template, &lookup).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn refused() {
        for template in ["${", "${SET", "${1A}", "${SET!x}", "${}", "${ SET}"] {
            assert!(matches!(interpolate(template, &lookup), Err(TemplateError::Invalid(_))), "{template}");
        }
        for template in ["${UNSET?say $SET}", "${EMPTY:?say $SET}"] {
            let error = interpolate(template, &lookup).unwrap_err().to_string();
            assert!(error.ends_with("is missing a value: say set"), "{error}");
        }
    }
}
