//! What a suite's end and its report mean.

use super::{
    elsewhere,
    junit::{Failed, Junit},
    record::{Key, Passed},
};
use crate::common::rerun::rerun;
use plan::{Inputs, Note, Outcome, Report, Style, quote, tools::diagnose};
use project::{
    ImageName, ImageRef, Project,
    error::{Cause, Fault},
};
use std::{path::PathBuf, time::SystemTime};

/// How many of a suite's failed tests are shown; the report has them all.
const SHOWN: usize = 10;

/// A suite that ran.
#[derive(Debug, Clone)]
pub struct Suite {
    pub project: Project,
    pub name: ImageName,
    pub reference: ImageRef,
    /// Its report, as it is written from the folder that the user stands in.
    pub junit: PathBuf,
    /// Only a part of it ran: pytest's options chose it.
    pub part: bool,
    /// Its pass is kept for other machines.
    pub share: bool,
    pub began: SystemTime,
    /// What it passes for, and where the record belongs; not known in a dry run.
    pub record: Option<Record>,
}

/// What is recorded of a suite that passes.
#[derive(Debug, Clone)]
pub struct Record {
    pub key: Key,
    /// The image's id before the suite ran.
    pub id: String,
    pub path: PathBuf,
    /// Where it lies as it is kept for other machines.
    pub folder: PathBuf,
}

impl Suite {
    /// Shows what the report says, and why the suite counts as failed. Reads the report, after the suite's step.
    pub fn judge(&self, inputs: &Inputs) -> Report {
        let text = inputs.text(0).unwrap_or_default();
        let junit = Junit::parse(text);
        let path = self.junit.display();
        let mut report = Report::default();
        if !text.is_empty() {
            report = report.note(format!("{}: {}  ({path})", self.name, junit.counts));
        }
        for failed in junit.failed.iter().take(SHOWN) {
            report = report.note(Note::styled(Style::Bad, format!("  ✗ {failed}")));
        }
        if junit.failed.len() > SHOWN {
            report = report.note(format!("  … {} more in {path}", junit.failed.len() - SHOWN));
        }
        // The suite's exit code has the last word: a report doesn't know of a crash after the last test.
        match inputs.after.first() {
            Some(Outcome::Done) => match self.unsound(&junit) {
                Some(fault) => report.fail(fault),
                None => report,
            },
            Some(Outcome::Failed(fault)) => report.fail(self.failed(fault, &junit.failed)),
            _ => report,
        }
    }

    /// Why the report of a suite that succeeded is no proof.
    fn unsound(&self, junit: &Junit) -> Option<Fault> {
        let counts = junit.counts;
        let (why, help) = if counts.failures + counts.errors > 0 {
            ("counts a test that failed", "ends as pytest does")
        } else if counts.tests == counts.skipped && !self.part {
            ("has no test that was run", "passes --junitxml=/reports/junit.xml to pytest")
        } else {
            return None;
        };
        let what = format!("validate {}: the suite ended well, but {} {why}", self.name, self.junit.display());
        Some(Fault::project(what).help(format!("see that {}-tests {help}", self.name)))
    }

    /// A suite's failure, by its report: the exit code says no more than that there is one.
    fn failed(&self, fault: &Fault, failed: &[Failed]) -> Fault {
        let (Cause::Tool { code, .. }, Some(first)) = (&fault.cause, failed.first()) else { return fault.clone() };
        let more = match failed.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let name = &self.name;
        let command = self.rerun(&format!("validate {name} -- -k {}", quote(first.function())));
        let what = format!("validate {name}: {name}-tests ended with exit code {code}: {first}{more}");
        Fault::new(fault.cause.clone(), what).help(format!("run it alone: `{command}`"))
    }

    /// Records that the suite passed for the image with this id. Reads the report and asks for the id again, after the
    /// suite was judged.
    pub fn record(&self, inputs: &Inputs) -> Report {
        let (Some(Outcome::Done), Some(Record { key, id, path, folder })) = (inputs.after.first(), &self.record) else {
            return Report::default();
        };
        // A build meanwhile may have given the tag to another image, which may be the one that was tested.
        match inputs.stdout(1) {
            Some(now) if now == id => {}
            Some(_) => return Report::default().fail(self.changed()),
            None => return Report::default().fail(self.gone(inputs)),
        }
        let counts = Junit::parse(inputs.text(0).unwrap_or_default()).counts;
        let passed = Passed::new(self.reference.to_string(), id.clone(), key.clone(), self.began, counts);
        let report = Report::default().write(path, passed.text());
        if self.share {
            elsewhere::files(folder, &passed).into_iter().fold(report, |report, (path, text)| report.write(&path, text))
        } else {
            report
        }
    }

    fn changed(&self) -> Fault {
        let name = &self.name;
        let command = self.rerun(&format!("validate {name}"));
        Fault::new(Cause::Busy, format!("validate {name}: the image was built again meanwhile"))
            .help(format!("validate it again: `{command}`"))
    }

    fn gone(&self, inputs: &Inputs) -> Fault {
        let said = inputs.output(1).map_or("docker can't be started", |output| output.stderr.trim());
        if diagnose::image_missing(said) {
            return self.changed();
        }
        let what = format!("validate {}: asking the engine for the image's id: {said}", self.name);
        Fault::new(Cause::Unavailable, what).help("`cargo xtask doctor` shows what is wrong")
    }

    fn rerun(&self, command: &str) -> String {
        rerun(&self.project, self.project.environment, &format!("cargo xtask {command}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use plan::{Output, compute::Input};
    use project::{Environment, vars::Vars};

    const ID: &str = "sha256:1";

    fn suite() -> Suite {
        let project = testing::family().facts.project(Environment::Dev, Vars::default()).unwrap();
        Suite {
            name: "a".parse().unwrap(),
            reference: "r.io/a:latest".parse().unwrap(),
            junit: "target/validate/a/junit.xml".into(),
            part: false,
            share: false,
            began: SystemTime::UNIX_EPOCH,
            record: Some(Record {
                key: Key::new("sha256:c".to_owned(), identity::hash(b"suite"), Some("development"), "gpu"),
                id: ID.to_owned(),
                path: "target/validate/passed/1.json".into(),
                folder: "target/validate/shared/a".into(),
            }),
            project,
        }
    }

    fn judge(suite: &Suite, report: &str, outcome: Outcome) -> Report {
        let read = if report.is_empty() { Input::Missing } else { Input::Text(report.to_owned()) };
        suite.judge(&Inputs { read: vec![read], after: vec![outcome] })
    }

    fn exit(code: u8) -> Outcome {
        Outcome::Failed(Fault::new(Cause::Tool { code, said: String::new() }, format!("exit code {code}")))
    }

    #[test]
    fn only_a_report_of_passed_tests_is_proof() {
        for (report, why) in [
            ("<testsuite tests='5' skipped='1'/>", None),
            ("", Some("has no test that was run")),
            ("<testsuite tests='0'/>", Some("has no test that was run")),
            ("<testsuite tests='3' skipped='3'/>", Some("has no test that was run")),
            ("<testsuite tests='3' errors='1'/>", Some("counts a test that failed")),
        ] {
            let fault = judge(&suite(), report, Outcome::Done).fault;
            assert_eq!(fault.is_some(), why.is_some(), "{report}: {fault:?}");
            let fault = fault.map_or((65, String::new()), |fault| (fault.cause.exit_code(), fault.what));
            assert!(fault.0 == 65 && fault.1.contains(why.unwrap_or_default()), "{fault:?}");
        }
        // A part may be one that is skipped here.
        let part = Suite { part: true, ..suite() };
        assert_eq!(judge(&part, "<testsuite tests='3' skipped='3'/>", Outcome::Done).fault, None);
    }

    #[test]
    fn a_failure_names_its_first_test_and_how_to_run_it_alone() {
        let case = |i| format!("<testcase classname='a.test_b' name='test_x[{i}]'><failure message='no'/></testcase>");
        let cases: String = (0..12).map(case).collect();
        let report = judge(&suite(), &format!("<testsuite tests='20' failures='12'>{cases}</testsuite>"), exit(3));
        let fault = report.fault.unwrap();
        assert_eq!(fault.cause.exit_code(), 3);
        assert_eq!(fault.what, "validate a: a-tests ended with exit code 3: a.test_b::test_x[0]: no (and 11 more)");
        assert_eq!(fault.help.unwrap(), "run it alone: `cargo xtask validate a -- -k test_x`");
        assert_eq!(report.notes.len(), 12);
        assert_eq!(report.notes[0].text, "a: 8 passed, 12 failed, 0 skipped  (target/validate/a/junit.xml)");
        assert_eq!(report.notes[11].text, "  … 2 more in target/validate/a/junit.xml");
        // What is no failure of a test stays what it is.
        let gone = Fault::new(Cause::Unavailable, "the docker engine doesn't answer");
        assert_eq!(judge(&suite(), "", Outcome::Failed(gone.clone())).fault, Some(gone));
        assert_eq!(judge(&suite(), "", Outcome::NotRun), Report::default());
    }

    #[test]
    fn only_the_image_that_was_tested_is_recorded() {
        let printed = |code, stdout: &str, stderr: &str| {
            Input::Printed(Output { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
        };
        let record = |suite: &Suite, id: Input, outcome| {
            let read = vec![Input::Text("<testsuite tests='5' skipped='1'/>".to_owned()), id];
            suite.record(&Inputs { read, after: vec![outcome] })
        };
        let report = record(&suite(), printed(0, ID, ""), Outcome::Done);
        let [(path, text)] = &report.writes[..] else { panic!("{report:?}") };
        assert_eq!(path.to_str(), Some("target/validate/passed/1.json"));
        // For a person to read.
        let hash = identity::hash(b"suite");
        let expected = format!(
            "{{\n  \"image\": \"r.io/a:latest\",\n  \"id\": \"sha256:1\",\n  \"content\": \"sha256:c\",\n  \"suite\": \"{hash}\",\n  \"stage\": \"development\",\n  \
             \"hardware\": [\n    \"gpu\"\n  ],\n  \"when\": \"1970-01-01 00:00 UTC\",\n  \"tests\": 5,\n  \"failures\": 0,\n  \
             \"errors\": 0,\n  \"skipped\": 1\n}}\n"
        );
        assert_eq!(*text, expected);
        for (id, code) in [
            (printed(0, "sha256:2", ""), 75),
            (printed(1, "", "Error response from daemon: No such image: a"), 75),
            (printed(1, "", "Cannot connect to the Docker daemon"), 69),
            (Input::NotStarted("no docker".to_owned()), 69),
        ] {
            let report = record(&suite(), id, Outcome::Done);
            assert_eq!((report.fault.map(|fault| fault.cause.exit_code()), report.writes), (Some(code), Vec::new()));
        }
        for outcome in [exit(1), Outcome::NotRun] {
            assert_eq!(record(&suite(), printed(0, ID, ""), outcome), Report::default());
        }
        let dry = Suite { record: None, ..suite() };
        assert_eq!(record(&dry, printed(0, ID, ""), Outcome::Done), Report::default());
    }
}
