//! What a suite's JUnit report says (the form that pytest writes, xunit2).

use std::fmt;

/// What a report counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub tests: u32,
    pub failures: u32,
    pub errors: u32,
    pub skipped: u32,
}

/// A test that failed, or that couldn't be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The module with its folders, as `common.tests.test_process`.
    pub module: String,
    /// With its parameters, as `test_x[1]`.
    pub test: String,
    /// The first line of why.
    pub why: String,
}

impl Counts {
    /// Adds up the `testsuite` elements' attributes.
    pub fn of(junit: &str) -> Counts {
        let mut sum = Counts::default();
        for element in elements(junit, "testsuite") {
            let count = |name: &str| attribute(element, name).and_then(|value| value.parse().ok()).unwrap_or(0);
            sum.tests += count("tests");
            sum.failures += count("failures");
            sum.errors += count("errors");
            sum.skipped += count("skipped");
        }
        sum
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures + self.errors;
        let passed = self.tests.saturating_sub(failed + self.skipped);
        write!(f, "{passed} passed, {failed} failed, {} skipped", self.skipped)
    }
}

impl Failed {
    /// The tests that failed, in the report's order.
    pub fn all(junit: &str) -> Vec<Failed> {
        let failed = |case: &str| {
            let fault = ["failure", "error"].iter().find_map(|name| elements(case, name).first().copied())?;
            let why = attribute(fault, "message").unwrap_or_default();
            Some(Failed {
                module: attribute(case, "classname").unwrap_or_default(),
                test: attribute(case, "name").unwrap_or_default(),
                why: why.lines().next().unwrap_or_default().trim().to_owned(),
            })
        };
        elements(junit, "testcase").into_iter().filter_map(failed).collect()
    }

    /// The function's name, by which pytest's `-k` finds it.
    pub fn function(&self) -> &str {
        self.test.split('[').next().unwrap_or_default()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A module that can't even be read has no test: its name stands where theirs do.
        let apart = if self.module.is_empty() { "" } else { "::" };
        write!(f, "{}{apart}{}: {}", self.module, self.test, self.why)
    }
}

/// The elements of this name that have attributes, each up to where the next one begins: what is inside it, too. `<` and
/// `>` are a tag's own, since in texts and attributes they are escaped.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    xml.split(&format!("<{name} ")).skip(1).collect()
}

/// The value of an attribute in the tag that an element begins with.
fn attribute(element: &str, name: &str) -> Option<String> {
    let tag = element.split('>').next()?;
    let names = format!("{name}=\"");
    let start = tag.match_indices(&names).map(|(at, _)| at).find(|at| *at == 0 || tag[..*at].ends_with(' '))?;
    let value = tag[start + names.len()..].split('"').next()?;
    let escapes = [("&#10;", "\n"), ("&#13;", "\r"), ("&#09;", "\t"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\"")];
    let value = escapes.iter().fold(value.to_owned(), |value, (escape, text)| value.replace(escape, text));
    Some(value.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="0.1"><testcase classname="a.test_b" name="test_ok" time="0.1" /><testcase classname="a.test_b" name="test_c[&lt;x&gt;]" time="0.1"><failure message="AssertionError: &quot;a b&quot; &amp;lt; 1&#10;assert no">def test_c(): failure message=&lt;failure &gt;</failure></testcase><testcase classname="a.test_b" name="test_skipped"><skipped type="pytest.skip" message="no error" /></testcase><testcase name="test_e" classname=""><error message="">no</error></testcase></testsuite></testsuites>"#;

    #[test]
    fn counts() {
        let counts = Counts::of(REPORT);
        assert_eq!(counts, Counts { tests: 10, failures: 2, errors: 1, skipped: 3 });
        assert_eq!(counts.to_string(), "4 passed, 3 failed, 3 skipped");
    }

    #[test]
    fn what_failed() {
        let failed = Failed::all(REPORT);
        let shown: Vec<String> = failed.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [r#"a.test_b::test_c[<x>]: AssertionError: "a b" &lt; 1"#, "test_e: "]);
        assert_eq!(failed[0].function(), "test_c");
        assert_eq!(Failed::all(""), []);
    }
}
