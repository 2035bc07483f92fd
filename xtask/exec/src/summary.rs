//! How each step ended, for people: after a plan whose steps can take long, or that didn't run to its end.

use crate::{
    output::{Row, State, Ui},
    schedule::Ended,
};
use plan::{Action, Note, OnFailure, Outcome, Plan, Role, Runs, Step, Style};
use project::{
    ImageName,
    error::{Cause, Fault},
};
use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

/// A line a step, where the plan asks for it, something wasn't run, or `all` is set; with `quiet`, only of what failed or
/// wasn't run. The reason of the failure `reported`, which is printed at the end, is left out.
pub fn print(ui: &Ui, plan: &Plan, ended: &[Ended], reported: Option<&Fault>, all: bool, quiet: bool) {
    let is_told = |(step, ended): &(&Step, &Ended)| {
        is_told(step, &ended.outcome) && (!quiet || matches!(ended.outcome, Outcome::Failed(_) | Outcome::NotRun))
    };
    let steps = || plan.steps.iter().zip(ended).filter(is_told);
    let failed = |(step, ended): (&Step, &Ended)| {
        matches!(ended.outcome, Outcome::Failed(_)).then(|| step.image.clone()).flatten()
    };
    let failed: Vec<ImageName> = plan.steps.iter().zip(ended).filter_map(failed).collect();
    // The error says it of its own image.
    let is_news = |step: &Step| step.image.as_ref().is_none_or(|image| !failed.contains(image));
    if all || plan.summary || steps().any(|(step, ended)| ended.outcome == Outcome::NotRun && is_news(step)) {
        steps().for_each(|(step, ended)| ui.note(line(step, ended, reported)));
    }
}

/// What reports or judges other steps has done so itself; what moves files or computes is worth a line only where it
/// failed.
fn is_told(step: &Step, outcome: &Outcome) -> bool {
    runs_a_tool(step) || step.runs != Runs::AfterEnd && matches!(outcome, Outcome::Failed(_))
}

/// Does it run a tool, which may take long?
fn runs_a_tool(step: &Step) -> bool {
    let is_tool = matches!(
        step.action,
        Action::Run(_)
            | Action::All(_)
            | Action::Unless(..)
            | Action::Either(..)
            | Action::OnlyIf(..)
            | Action::Pipe(..)
    );
    step.runs != Runs::AfterEnd && is_tool
}

/// The board of a plan: what has a line in the summary has one here, but for a tool that takes the terminal over.
pub fn board(plan: &Plan) -> BTreeMap<usize, Row> {
    let has_line = |step: &Step| runs_a_tool(step) && !matches!(step.role, Role::HandOver);
    let steps = || plan.steps.iter().enumerate().filter(|(_, step)| has_line(step));
    let has_row: HashSet<usize> = steps().map(|(index, _)| index).collect();
    let row = |(index, step): (usize, &Step)| {
        let needed = step.after.iter().filter(|needed| has_row.contains(needed));
        let name = |needed: &Step| match &needed.image {
            Some(image) if Some(image) != step.image.as_ref() => image.to_string(),
            _ => needed.title.clone(),
        };
        let waits_for = needed.map(|needed| (*needed, name(&plan.steps[*needed]))).collect();
        (index, Row { title: step.title.clone(), waits_for, state: State::Waits })
    };
    steps().map(row).collect()
}

/// How an end looks.
pub fn style(outcome: &Outcome) -> Style {
    match outcome {
        Outcome::Done => Style::Good,
        Outcome::Present
        | Outcome::Skipped
        | Outcome::NotRun
        | Outcome::Failed(Fault { cause: Cause::Interrupted, .. }) => Style::Dim,
        Outcome::Failed(_) => Style::Bad,
    }
}

fn line(step: &Step, Ended { outcome, time }: &Ended, reported: Option<&Fault>) -> Note {
    let (title, time) = (&step.title, duration(*time));
    match outcome {
        Outcome::Done => Note::styled(Style::Good, format!("✓ {title} ({time})")),
        Outcome::Present => Note::styled(Style::Dim, format!("✓ {title}: there already")),
        Outcome::Skipped => Note::styled(Style::Dim, format!("· {title} failed, went on without")),
        Outcome::NotRun => Note::styled(Style::Dim, format!("· {title} not run")),
        Outcome::Failed(Fault { cause: Cause::Interrupted, .. }) => {
            Note::styled(Style::Dim, format!("· {title} interrupted ({time})"))
        }
        // Its judge has said why.
        Outcome::Failed(fault) if step.on_failure == OnFailure::Judged || reported == Some(fault) => {
            Note::styled(Style::Bad, format!("✗ {title} failed ({time})"))
        }
        Outcome::Failed(fault) => {
            // The line names the step already.
            let what = fault.what.strip_prefix(title.as_str()).and_then(|what| what.strip_prefix(": "));
            let what = what.unwrap_or(&fault.what);
            Note::styled(Style::Bad, format!("✗ {title} failed ({time}): {what}"))
        }
    }
}

/// `0.8 s`, `12.3 s`, `4 min 05 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f32())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Compute, Invocation, Report};

    #[test]
    fn durations() {
        assert_eq!(duration(Duration::from_millis(840)), "0.8 s");
        assert_eq!(duration(Duration::from_secs(245)), "4 min 05 s");
    }

    #[test]
    fn what_has_a_line() {
        let compute = |title: &str| Step::new(title, Action::Compute(Compute::new("#", [], |_| Report::default())));
        let step = |title: &str| Step::new(title, Action::Run(Invocation::new("a", [""; 0])));
        let files = |title: &str| Step::new(title, Action::OpenFolder("x".into()));
        let failed = || Outcome::Failed(Fault::new(Cause::Io, "e: it broke"));
        let reported = Fault::new(Cause::Io, "e: it is said at the end");
        let lines = [
            (step("a"), Outcome::Done, Some("✓ a (1.0 s)")),
            (step("b"), Outcome::Present, Some("✓ b: there already")),
            (step("c"), Outcome::Skipped, Some("· c failed, went on without")),
            (step("d"), Outcome::NotRun, Some("· d not run")),
            (step("e"), failed(), Some("✗ e failed (1.0 s): it broke")),
            (step("e"), Outcome::Failed(reported.clone()), Some("✗ e failed (1.0 s)")),
            (step("e").on_failure(OnFailure::Judged), failed(), Some("✗ e failed (1.0 s)")),
            (step("e"), Outcome::Failed(Fault::new(Cause::Interrupted, "x")), Some("· e interrupted (1.0 s)")),
            (compute("e"), failed(), Some("✗ e failed (1.0 s): it broke")),
            (compute("f"), Outcome::Done, None),
            (compute("f"), Outcome::NotRun, None),
            (files("f"), Outcome::Done, None),
            (files("e"), failed(), Some("✗ e failed (1.0 s): it broke")),
            (compute("g").after_end([]), failed(), None),
        ];
        for (step, outcome, expected) in lines {
            let told = is_told(&step, &outcome);
            let text = line(&step, &Ended { outcome, time: Duration::from_secs(1) }, Some(&reported)).text;
            assert_eq!(told.then_some(text.as_str()), expected);
        }
    }
}
