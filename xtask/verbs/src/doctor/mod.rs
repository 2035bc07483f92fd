//! `doctor`: everything that matters, as it is found, each problem with the command that solves it.

mod questions;

use crate::{
    Verb,
    common::table::table,
    flags::{self, Globals},
};
use plan::{Action, Facts, Needs, Plan, Report, Step};
use project::{
    Project,
    error::{Cause, Fault},
    files::Wanted,
};
use questions::{POETRY_PYTHON, Questions};
use serde::Serialize;
use std::collections::BTreeSet;

impl Verb for flags::Doctor {
    fn needs(&self, _project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        Ok(Needs { look_for: vec!["hadolint".to_owned()], files: Wanted::files([POETRY_PYTHON]), ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let json = globals.json;
        let questions = Questions::all(project, facts)?;
        let examine = questions.compute(move |findings| report(&findings, json));
        let mut plan = Plan::default();
        plan.push(Step::new("doctor", Action::Compute(examine)));
        Ok(plan)
    }
}

/// One thing that matters, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    what: String,
    found: Option<String>,
    needed: String,
    ok: bool,
    /// The command that helps, where something is wrong.
    help: Option<String>,
}

impl Finding {
    fn new(what: &str, found: Option<String>, needed: &str, ok: bool, help: &str) -> Finding {
        let help = (!ok).then(|| help.to_owned());
        Finding { what: what.to_owned(), found, needed: needed.to_owned(), ok, help }
    }
}

fn report(findings: &[Finding], json: bool) -> Report {
    let data = match json {
        true => serde_json::to_string_pretty(findings).unwrap_or_default() + "\n",
        false => shown(findings),
    };
    let report = Report::default().data(data);
    let problems: Vec<&Finding> = findings.iter().filter(|finding| !finding.ok).collect();
    if problems.is_empty() {
        return report;
    }
    let names: Vec<&str> = problems.iter().map(|finding| finding.what.as_str()).collect();
    let help: BTreeSet<&str> = problems.iter().filter_map(|finding| finding.help.as_deref()).collect();
    let help: Vec<&str> = help.into_iter().collect();
    report.fail(
        Fault::new(Cause::Unavailable, format!("doctor: not as needed: {}", names.join(", "))).help(help.join("\n")),
    )
}

fn shown(findings: &[Finding]) -> String {
    let head = ["", "WHAT", "FOUND", "NEEDED", "WHAT HELPS"].map(str::to_owned).to_vec();
    let rows = findings.iter().map(|finding| {
        vec![
            if finding.ok { "✓" } else { "✗" }.to_owned(),
            finding.what.clone(),
            finding.found.clone().unwrap_or_else(|| "nothing".to_owned()),
            finding.needed.clone(),
            finding.help.clone().unwrap_or_default(),
        ]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, expect_plan};
    use plan::{Inputs, Output, Source, compute::Input};

    /// The report where each command answers as `answer` has it.
    fn report(args: &[&str], answer: impl Fn(&str) -> Output) -> Report {
        let plan = testing::family().plan(args).unwrap();
        let [Step { action: Action::Compute(doctor), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        let read = doctor.sources.iter().map(|source| match source {
            Source::Output(run) => Input::Printed(answer(&run.to_string())),
            Source::File(path) => panic!("{path:?}"),
        });
        doctor.report(&Inputs { read: read.collect(), after: Vec::new() })
    }

    fn healthy(command: &str) -> Output {
        let answers = [
            ("docker --version", "Docker version 26.1.5+dfsg1, build a72d7cd"),
            ("compose", "2.26.1-4"),
            ("buildx version", "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3"),
            ("poetry --version", "Poetry (version 2.5.1)"),
            ("aws", "aws-cli/1.42.3 Python/3.11.2"),
            ("hadolint", "Haskell Dockerfile Linter 2.14.0"),
            ("df ", "Avail File\n   63 /var/lib/docker"),
            ("docker version", "26.1.5"),
        ];
        let found = answers.iter().find(|(part, _)| command.contains(part));
        Output { stdout: found.map(|(_, text)| (*text).to_owned()).unwrap_or_default(), ..Output::default() }
    }

    #[test]
    fn every_question_is_shown_as_it_is_asked() {
        expect_plan!("doctor", testing::outline(&["doctor"]));
    }

    #[test]
    fn a_machine_that_has_everything() {
        let report = report(&["doctor"], healthy);
        assert_eq!(report.fault, None, "{}", report.data);
        assert!(report.data.contains("63 GB in /var/lib/docker") && !report.data.contains('✗'), "{}", report.data);
    }

    #[test]
    fn each_problem_has_its_help() {
        let report = report(&["doctor", "--json"], |command| match command {
            "aws --version" => Output { stdout: "aws-cli/1.0.3 Python/3.11".to_owned(), ..Output::default() },
            command if command.contains("df ") => {
                Output { stdout: "Avail File\n 3 /d".to_owned(), ..Output::default() }
            }
            command if command.contains("pip") => Output { code: 1, ..Output::default() },
            command => healthy(command),
        });
        let fault = report.fault.unwrap();
        assert_eq!(fault.what, "doctor: not as needed: aws, disk free, Python package index");
        assert_eq!(fault.cause.exit_code(), 69);
        let help = "cargo xtask setup\ndocker system prune\nset PIP_INDEX_URL to an index that can be reached";
        assert_eq!(fault.help.as_deref(), Some(help));
        let findings: serde_json::Value = serde_json::from_str(&report.data).unwrap();
        let aws = serde_json::json!({
            "what": "aws", "found": "1.0.3", "needed": "1.32 or newer", "ok": false, "help": "cargo xtask setup",
        });
        assert!(findings.as_array().unwrap().contains(&aws), "{findings}");
    }

    #[test]
    fn an_image_that_is_nowhere_is_a_problem() {
        let gone = |command: &str| match command {
            command if command.contains("debian") => Output { code: 1, ..Output::default() },
            command => healthy(command),
        };
        let fault = report(&["doctor"], gone).fault.unwrap();
        assert_eq!(fault.what, "doctor: not as needed: image debian:trixie-slim");
        let here = |command: &str| match command {
            command if command.contains("{{.Id}}") => Output { stdout: "sha256:1".to_owned(), ..Output::default() },
            command if command.contains("image ls") => {
                Output { stdout: r#"{"ID":"sha256:1"}"#.to_owned(), ..Output::default() }
            }
            command if command.contains("imagetools") => Output { code: 1, ..Output::default() },
            command => healthy(command),
        };
        let report = report(&["doctor"], here);
        assert_eq!(report.fault, None);
        assert!(report.data.contains("here, a stand-in; its registry can't be reached"), "{}", report.data);
    }
}
