//! Which Pythons a version specifier admits.

/// The newest minor version of Python 3 that is looked for on a machine.
const NEWEST: u32 = 20;

/// The minor versions of Python 3 that a version specifier (PEP 440, as far as minors go) admits.
pub fn admitted_minors(requires: &str) -> Vec<u32> {
    let admits = |minor: u32| {
        requires.split(',').map(str::trim).filter(|clause| !clause.is_empty()).all(|clause| {
            let at = clause.find(|c: char| c.is_ascii_digit()).unwrap_or(clause.len());
            let (operator, version) = clause.split_at(at);
            let mut parts = version.split('.');
            let major: u32 = parts.next().and_then(|part| part.parse().ok()).unwrap_or(3);
            let wanted: Option<u32> = parts.next().and_then(|part| part.parse().ok());
            let has_patch = parts.next().is_some_and(|part| part != "*");
            let (have, want) = ((3, minor), (major, wanted.unwrap_or(0)));
            match operator.trim() {
                ">=" | ">" => have >= want,
                // `<3.14.2` still admits a 3.14, `<3.14` doesn't.
                "<" => have < want || (has_patch && have == want),
                "<=" => have <= want,
                "==" | "===" | "~=" if wanted.is_none() => major == 3,
                "==" | "===" => have == want,
                "~=" if has_patch => have == want,
                "~=" => have >= want && major == 3,
                _ => true,
            }
        })
    };
    (0..=NEWEST).filter(|minor| admits(*minor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minors() {
        assert_eq!(admitted_minors(">=3.13,<3.14"), [13]);
        assert_eq!(admitted_minors(">=3.9, <3.11"), [9, 10]);
        assert_eq!(admitted_minors("==3.10.*"), [10]);
        assert_eq!(admitted_minors("~=3.12.1"), [12]);
        assert_eq!(admitted_minors(">=3.13,<3.14.1"), [13, 14]);
    }
}
