//! The values that a run is made of: what is known before it ([`facts`]), and what will be done ([`Plan`]).
//!
//! A plan is printed by `--dry-run`, run by the crate `exec`, and compared as text by tests: it is the same value in all
//! three. Nothing in this crate has an effect; its clippy.toml forbids what would.

pub mod compute;
pub mod facts;
pub mod invocation;
pub mod steering;
pub mod step;
pub mod tools;

pub use compute::{Compute, Inputs, Note, Report, Source, Style};
pub use facts::{Facts, Needs};
pub use invocation::{EnvValue, Invocation, Output, Probe, quote};
pub use step::{Action, OnFailure, Outcome, Role, Runs, Step};

use serde_json::{Value, json};
use std::fmt::{self, Write as _};

/// Steps in an order in which they can be run one by one.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Said before the first step.
    pub notes: Vec<Note>,
    /// Variables for every step.
    pub exports: Vec<(String, EnvValue)>,
    pub steps: Vec<Step>,
    /// Steps that can take long: how each ended, and in what time, is said at the end.
    pub summary: bool,
}

impl Plan {
    /// Adds a step; the answer is its index, for another's `after`.
    pub fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// Adds a step that needs the one before it, where there is one.
    pub fn then(&mut self, mut step: Step) -> usize {
        step.after.extend(self.steps.len().checked_sub(1));
        self.push(step)
    }

    /// Adds another plan's notes, exports and steps.
    pub fn extend(&mut self, other: Plan) {
        self.notes.extend(other.notes);
        self.exports.extend(other.exports);
        let offset = self.steps.len();
        self.steps.extend(other.steps.into_iter().map(|mut step| {
            step.after.iter_mut().for_each(|index| *index += offset);
            step
        }));
    }

    /// Says something before the first step.
    pub fn note(&mut self, note: impl Into<Note>) {
        self.notes.push(note.into());
    }

    /// As `--dry-run --json` prints it: each `command` is a line for a shell that has run the `exports`; `after` counts
    /// among the `steps`.
    pub fn json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "title": step.title,
                "image": step.image.as_ref().map(project::ImageName::as_str),
                "after": step.after,
                "command": step.action.to_string(),
            })
        };
        let exports: Vec<String> = self.exports.iter().map(export).collect();
        json!({"exports": exports, "steps": self.steps.iter().map(step).collect::<Vec<_>>()})
    }

    /// Does each step need the one before it, so that nothing can run side by side?
    pub fn is_chain(&self) -> bool {
        self.steps.iter().enumerate().skip(1).all(|(i, step)| step.after.contains(&(i - 1)))
    }

    /// All of it as text, for tests: what `--dry-run` prints, and how each step is treated.
    pub fn outline(&self) -> String {
        let mut out = String::new();
        for note in &self.notes {
            let _ = writeln!(out, "note: {}", note.text);
        }
        for variable in &self.exports {
            let _ = writeln!(out, "{}", export(variable));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let _ = writeln!(out, "{}: {}{}", index + 1, step.title, treatment(step));
            let _ = writeln!(out, "    {}", step.action);
            if let Some(explanation) = &step.explanation {
                let _ = writeln!(out, "    on failure: {}", explanation.shown);
            }
            for action in &step.cleanup {
                let _ = writeln!(out, "    on failure: {action}");
            }
        }
        if self.summary {
            out.push_str("with a summary\n");
        }
        out
    }
}

fn treatment(step: &Step) -> String {
    let mut words = Vec::new();
    if !step.after.is_empty() {
        let after: Vec<String> = step.after.iter().map(|index| (index + 1).to_string()).collect();
        let how = if step.runs == Runs::AfterEnd { "after the end of" } else { "after" };
        words.push(format!("{how} {}", after.join(" ")));
    }
    match &step.role {
        Role::Command => {}
        Role::Build => words.push("a build".to_owned()),
        Role::Suite => words.push("a suite".to_owned()),
        Role::Registry { login: None } => words.push("asks a registry".to_owned()),
        Role::Registry { login: Some(login) } => words.push(format!("asks a registry, logs in again by {login}")),
        Role::Login => words.push("may ask a person".to_owned()),
        Role::Packages => words.push("asks a package index".to_owned()),
        Role::HandOver => words.push("our process becomes the tool".to_owned()),
    }
    if step.together.is_some() {
        words.push("with others that are ready".to_owned());
    }
    match step.on_failure {
        OnFailure::Fail => {}
        OnFailure::Continue => words.push("may fail".to_owned()),
        OnFailure::Judged => words.push("a later step judges its failure".to_owned()),
    }
    if words.is_empty() { String::new() } else { format!(" ({})", words.join("; ")) }
}

fn export((name, value): &(String, EnvValue)) -> String {
    format!("export {name}={value}")
}

/// As `--dry-run` prints it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exports.iter().try_for_each(|variable| writeln!(f, "{}", export(variable)))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{}", step.action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains() {
        let step = |n: &str| Step::new(n, Action::OpenFolder(n.into()));
        let mut plan = Plan::default();
        plan.then(step("a"));
        plan.then(step("b"));
        assert!(plan.is_chain());
        plan.push(step("c"));
        assert!(!plan.is_chain());
        let mut twice = plan.clone();
        twice.extend(plan);
        assert_eq!(twice.steps[4].after, [3]);
    }

    #[test]
    fn an_outline_says_how_each_step_is_treated() {
        let mut plan = Plan { summary: true, ..Plan::default() };
        plan.note("careful");
        plan.exports.push(("A".to_owned(), EnvValue::Text("b c".to_owned())));
        let pull = Step::new("pull", Action::Run(Invocation::new("docker", ["pull", "x"])));
        plan.push(Step { role: Role::Registry { login: None }, on_failure: OnFailure::Judged, ..pull });
        let mut last = Step::new("tidy", Action::Remove("d".into()));
        last.runs = Runs::AfterEnd;
        last.cleanup = vec![Action::OpenFolder("e".into())];
        plan.then(last);
        let expected = "\
note: careful
export A='b c'
1: pull (asks a registry; a later step judges its failure)
    docker pull x
2: tidy (after the end of 1)
    rm -rf d
    on failure: rm -rf e && mkdir -p e && chmod 777 e
with a summary
";
        assert_eq!(plan.outline(), expected);
    }
}
