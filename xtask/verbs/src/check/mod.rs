//! `check`: the repository against its own rules, all faults at once; reads files only. `--write` also brings up to date
//! what is generated.

mod dockerfiles;
mod externals;
mod folders;
mod generated;
mod pairs;
mod suites;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod versions;
mod workflows;

use crate::{
    Verb,
    common::{dependabot, readme},
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Plan, Report, Step};
use project::{
    Environment, Image, Project,
    compose::KeyLines,
    error::Fault,
    family::{self, Finding, Repair},
    files::Wanted,
    vars::Vars,
};
use std::{
    borrow::Cow,
    ops::Range,
    path::{Path, PathBuf},
};

/// Where the workflows are, and Dependabot's configuration.
const GITHUB: &str = ".github";

/// One compose file: the project that it makes, and its text, for the lines that faults are in.
struct Side<'a> {
    project: &'a Project,
    text: &'a str,
    /// Each with its offset.
    lines: Vec<(usize, &'a str)>,
    keys: KeyLines<'a>,
}

/// A file to write: its path below the root, its text, and what a person is told.
struct Written {
    path: PathBuf,
    text: String,
    note: &'static str,
}

impl Verb for flags::Check {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let trees = dependabot::TREES.into_iter().chain([GITHUB]).map(PathBuf::from).collect();
        let mut files = Wanted { files: vec![readme::FILE.into()], trees };
        files.extend(Project::dockerfiles(&project.images));
        Ok(Needs { files, ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let mut facts = Cow::Borrowed(facts);
        let mut projects = projects(Some(project), &facts)?;
        let mut writes = Vec::new();
        if self.write {
            writes = externals::carried(&sides(&projects, &facts)?);
        }
        if !writes.is_empty() {
            // What is generated follows from the compose files as they will be.
            for Written { path, text, .. } in &writes {
                facts.to_mut().files.insert(path, text);
            }
            projects = self::projects(None, &facts)?;
        }
        let (mut findings, stale) = findings(&projects, &facts)?;
        match self.write {
            true => writes.extend(stale),
            false => findings.extend(
                stale.into_iter().map(|it| finding(&it.path, "its generated parts are stale").repair(Repair::Write)),
            ),
        }
        Ok(plan(&facts, &findings, writes))
    }
}

/// First dev's, then ci's. The files say it by themselves, whatever variables this shell has; a project that was read
/// like that is not read again.
fn projects<'a>(known: Option<&'a Project>, facts: &Facts) -> Result<[Cow<'a, Project>; 2], Fault> {
    let project = |environment| {
        let same = known.filter(|known| known.environment == environment && known.vars == Vars::default());
        same.map_or_else(|| facts.project(environment, Vars::default()).map(Cow::Owned), |same| Ok(Cow::Borrowed(same)))
    };
    Ok([project(Environment::Dev)?, project(Environment::Ci)?])
}

fn sides<'a>([dev, ci]: &'a [Cow<Project>; 2], facts: &'a Facts) -> Result<[Side<'a>; 2], Fault> {
    Ok([Side::of(dev, facts)?, Side::of(ci, facts)?])
}

/// Everything that breaks a rule, and the generated files that are stale.
fn findings(projects: &[Cow<Project>; 2], facts: &Facts) -> Result<(Vec<Finding>, Vec<Written>), Fault> {
    let files = &facts.files;
    let [dev, ci] = projects;
    let names: Vec<_> = dev.images.iter().map(|image| image.name.clone()).collect();
    dev.with_bases(&names)?;
    let sides = sides(projects, facts)?;
    let (members, unreadable) = family::members(dev, files);
    let (stale, wrong) = generated::stale(dev, &members, files);
    let mut findings = pairs::findings(&sides);
    findings.extend(suites::findings(&sides));
    findings.extend(dockerfiles::findings(dev, ci, files));
    findings.extend(folders::findings(dev, ci, files));
    findings.extend(externals::findings(&sides));
    findings.extend(family::findings(&members));
    findings.extend(unreadable);
    findings.extend(workflows::findings(files));
    findings.extend(wrong);
    findings.extend(generated::crlf(files));
    Ok((findings, stale))
}

/// One step, however many files: what is said and written is known, and only a run may do it.
fn plan(facts: &Facts, findings: &[Finding], writes: Vec<Written>) -> Plan {
    let (mut report, mut shown) = (Report::default(), Vec::new());
    for Written { path, text, note } in writes {
        report = report.note(format!("{}: {note}", path.display()));
        let write = Action::Write { to: facts.shown(path), text };
        shown.push(write.to_string());
        if let Action::Write { to, text } = write {
            report = report.write(to, text);
        }
    }
    for finding in findings {
        let text = printable(&finding.to_string());
        shown.push(format!("# {text}"));
        report = report.note(text);
    }
    if !findings.is_empty() {
        let (count, s) = (findings.len(), if findings.len() == 1 { "" } else { "s" });
        let what = format!("check: {count} fault{s} found, listed above");
        shown.push(format!("# {what}"));
        let fault = Fault::project(what);
        report = report.fail(match help(findings) {
            Some(help) => fault.help(help),
            None => fault,
        });
    }
    let mut plan = Plan::default();
    if !shown.is_empty() {
        let check = Compute::new(shown.join("\n"), [], move |_| report.clone());
        plan.push(Step::new("check", Action::Compute(check)));
    }
    plan
}

/// The one command that mends all that a command can.
fn help(findings: &[Finding]) -> Option<String> {
    let repairs: Vec<&Repair> = findings.iter().filter_map(|finding| finding.repair.as_ref()).collect();
    let command = family::repairs(repairs.iter().copied());
    match repairs.len() {
        0 => None,
        all if all == findings.len() => Some(format!("`{command}`")),
        some => Some(format!("`{command}` mends {some} of them")),
    }
}

/// A text of the repository's must not steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

impl<'a> Side<'a> {
    fn of(project: &'a Project, facts: &'a Facts) -> Result<Side<'a>, Fault> {
        let text = facts.files.text(project.file())?.unwrap_or_default();
        let lines = text.split_inclusive('\n').scan(0, |next, line| {
            let offset = *next;
            *next += line.len();
            Some((offset, line.trim_end()))
        });
        let lines = lines.collect();
        Ok(Side { project, text, lines, keys: KeyLines::of(text) })
    }

    /// The lines of what is below the key in this line, all counted from 1.
    fn block(&self, key: usize) -> Range<usize> {
        let indentation = |line: &str| line.len() - line.trim_start().len();
        let outer = self.lines.get(key - 1).map_or(0, |(_, line)| indentation(line));
        let is_within = |(_, line): &&(usize, &str)| {
            line.is_empty() || line.trim_start().starts_with('#') || indentation(line) > outer
        };
        key + 1..key + 1 + self.lines[key..].iter().take_while(is_within).count()
    }

    /// Where an image is in the file.
    fn finding(&self, image: &Image, what: impl Into<String>) -> Finding {
        self.finding_at(&["services", image.name.as_str()], what)
    }

    fn finding_at(&self, keys: &[&str], what: impl Into<String>) -> Finding {
        // A key that comes from an anchor has no line of its own in the service.
        let line = (1..=keys.len()).rev().find_map(|count| self.keys.line(&keys[..count]));
        Finding::new(format!("{}:{}", self.project.file(), line.unwrap_or(1)), what)
    }
}

fn finding(path: &Path, what: impl Into<String>) -> Finding {
    Finding::new(path.display().to_string(), what)
}

fn finding_in_line(path: &Path, line: usize, what: impl Into<String>) -> Finding {
    Finding::new(format!("{}:{line}", path.display()), what)
}

#[cfg(test)]
mod tests {
    use super::{
        finding, help,
        testing::{CI, DEV, Rules},
    };
    use crate::testing::expect_plan;
    use project::family::Repair;

    #[test]
    fn a_family_that_keeps_the_rules_passes() {
        assert_eq!(Rules::kept().findings(), [""; 0]);
        assert_eq!(Rules::kept().outline(&["check"]), "");
        assert_eq!(Rules::kept().outline(&["check", "--write"]), "");
    }

    #[test]
    fn faults_are_said_and_what_is_generated_is_written() {
        let rules = Rules::kept()
            .edit(CI, "The kubeflow-a image", "Another")
            .edit("README.md", "flowchart LR", "flowchart TD")
            .without("images/python-base/tests/test_it.py");
        expect_plan!("check", rules.outline(&["check"]));
        expect_plan!("check_write", rules.outline(&["check", "--write"]));
        let dry = rules.plan(&["check", "--write", "--dry-run"]);
        assert_eq!(dry.notes, [], "a dry run doesn't say that it writes");
        let fault = "# images/python-base/tests: error: is missing\n# check: 2 faults found, listed above\n";
        assert!(dry.to_string().ends_with(fault), "{dry}");
    }

    #[test]
    fn one_command_mends_all_that_a_command_can() {
        let found = || finding("x".as_ref(), "is wrong");
        let lock = |image: &str| found().repair(Repair::Lock(image.parse().unwrap()));
        let all = [found().repair(Repair::Write), lock("a"), lock("b"), lock("a")];
        assert_eq!(help(&all).as_deref(), Some("`cargo xtask lock a b && cargo xtask check --write`"));
        assert_eq!(help(&[lock("a"), found()]).as_deref(), Some("`cargo xtask lock a` mends 1 of them"));
        assert_eq!(help(&[found()]), None);
    }

    #[test]
    fn an_escape_sequence_of_the_repositorys_stays_text() {
        let rules = Rules::kept().edit("images/python-base/Dockerfile", "FROM production", "FROM \u{1b}[31m");
        let found = rules.findings();
        assert!(found[0].contains(r"\u{1b}[31m is neither a build argument"), "{found:?}");
    }

    #[test]
    fn a_compose_file_that_cannot_be_read_is_the_only_fault() {
        let fault = Rules::kept().edit(DEV, "services:", "services: []\nx-services:").family.fault(&["check"]);
        assert!(fault.what.contains("docker-compose.dev.yaml: no mapping `services:`"), "{fault}");
    }
}
