//! What a suite's JUnit report says (the form that pytest writes, xunit2).

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use std::fmt;

/// What a report says. A report that was cut off, or is no XML, says what stands before that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Junit {
    pub counts: Counts,
    /// The tests that failed, in the report's order.
    pub failed: Vec<Failed>,
}

/// What a report counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub tests: u32,
    pub failures: u32,
    pub errors: u32,
    pub skipped: u32,
}

/// A test that failed, or that couldn't be run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failed {
    /// The module with its folders, as `common.tests.test_process`.
    pub module: String,
    /// With its parameters, as `test_x[1]`.
    pub test: String,
    /// Why, on one line.
    pub why: String,
}

impl Junit {
    pub fn parse(xml: &str) -> Junit {
        let mut junit = Junit::default();
        let mut case = None;
        let mut reader = Reader::from_str(xml);
        while let Ok(Event::Start(element) | Event::Empty(element)) = next_tag(&mut reader) {
            let attribute = |name: &str| attribute(&element, name);
            match element.name().as_ref() {
                "testsuite" => junit.counts.add(|name| attribute(name).parse().unwrap_or(0)),
                "testcase" => case = Some((attribute("classname"), attribute("name"))),
                // A test may have both: its own failure, then its fixture's error.
                "failure" | "error" => {
                    if let Some((module, test)) = case.take() {
                        junit.failed.push(Failed { module, test, why: why(&attribute("message")) });
                    }
                }
                _ => {}
            }
        }
        junit
    }
}

/// The next tag that begins an element; the end of the text, or an error, is another event.
fn next_tag<'a>(reader: &mut Reader<&'a [u8]>) -> quick_xml::Result<Event<'a>> {
    loop {
        if let tag @ (Event::Start(_) | Event::Empty(_) | Event::Eof) = reader.read_event()? {
            return Ok(tag);
        }
    }
}

/// The first line of a message, with the next one where it only announces that.
fn why(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next().unwrap_or_default(), lines.next()) {
        (first, Some(next)) if first.ends_with(':') => format!("{first} {next}"),
        (first, _) => first.to_owned(),
    }
}

fn attribute(element: &BytesStart, name: &str) -> String {
    let found = element.try_get_attribute(name).ok().flatten();
    let value = found.and_then(|found| Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned()));
    value.unwrap_or_default()
}

impl Counts {
    fn add(&mut self, count: impl Fn(&str) -> u32) {
        self.tests += count("tests");
        self.failures += count("failures");
        self.errors += count("errors");
        self.skipped += count("skipped");
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

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="0.1"><testcase classname="a.test_b" name="test_ok" time="0.1" /><testcase classname="a.test_b" name="test_c[&lt;x&gt;]" time="0.1"><failure message="AssertionError: &quot;a b&quot; &amp;lt; 1&#10;assert no">def test_c(): failure message=&lt;failure &gt;</failure></testcase><testcase classname="a.test_b" name="test_skipped"><skipped type="pytest.skip" message="no error" /></testcase><testcase name="test_e" classname=""><error message="">no</error></testcase></testsuite></testsuites>"#;

    #[test]
    fn counts() {
        let counts = Junit::parse(REPORT).counts;
        assert_eq!(counts, Counts { tests: 10, failures: 2, errors: 1, skipped: 3 });
        assert_eq!(counts.to_string(), "4 passed, 3 failed, 3 skipped");
    }

    #[test]
    fn what_failed() {
        let failed = Junit::parse(REPORT).failed;
        let shown: Vec<String> = failed.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [r#"a.test_b::test_c[<x>]: AssertionError: "a b" &lt; 1"#, "test_e: "]);
        assert_eq!(failed[0].function(), "test_c");
    }

    #[test]
    fn why_is_one_line() {
        for (message, expected) in [
            ("a\nb", "a"),
            ("AssertionError: it ended:\n  exec x failed\nmore", "AssertionError: it ended: exec x failed"),
            ("ends:", "ends:"),
            ("", ""),
        ] {
            assert_eq!(why(message), expected);
        }
    }

    #[test]
    fn a_report_that_was_cut_off_says_what_it_has() {
        let cut = REPORT.find("<testcase name=\"test_e\"").unwrap();
        let junit = Junit::parse(&REPORT[..cut]);
        assert_eq!((junit.counts.tests, junit.failed.len()), (10, 1));
        for none in ["", "no XML", "<testsuite", "<html><body>"] {
            assert_eq!(Junit::parse(none), Junit::default(), "{none}");
        }
    }
}
