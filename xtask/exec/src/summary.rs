//! How each step ended, for people: after a plan whose steps can take long, or that didn't run to its end.

use crate::{output::Ui, schedule::Ended};
use plan::{Action, Note, Outcome, Plan, Runs, Step, Style};
use std::time::Duration;

pub fn print(ui: &Ui, plan: &Plan, ended: &[Ended]) {
    let steps = || plan.steps.iter().zip(ended).filter(|(step, ended)| is_told(step, &ended.outcome));
    if plan.summary || steps().any(|(_, ended)| ended.outcome == Outcome::NotRun) {
        steps().for_each(|(step, ended)| ui.note(line(step, ended)));
    }
}

/// What reports or judges other steps has said so itself. What moves files takes no time, and is worth a line only where
/// it failed; a computation also where it was not run.
fn is_told(step: &Step, outcome: &Outcome) -> bool {
    let went_well = matches!(outcome, Outcome::Done | Outcome::Present);
    let is_worth_it = match &step.action {
        Action::Run(_) | Action::Unless(..) | Action::Either(..) | Action::OnlyIf(..) | Action::Pipe(..) => true,
        Action::Compute(_) => !went_well,
        Action::Stage { .. }
        | Action::Replace(_)
        | Action::Write { .. }
        | Action::Remove(_)
        | Action::OpenFolder(_) => matches!(outcome, Outcome::Failed(_)),
    };
    step.runs != Runs::AfterEnd && is_worth_it
}

fn line(step: &Step, Ended { outcome, time }: &Ended) -> Note {
    let title = &step.title;
    match outcome {
        Outcome::Done => Note::styled(Style::Good, format!("✓ {title} ({})", duration(*time))),
        Outcome::Present => Note::styled(Style::Dim, format!("✓ {title}: there already")),
        Outcome::Skipped => Note::styled(Style::Dim, format!("· {title} failed, went on without")),
        Outcome::NotRun => Note::styled(Style::Dim, format!("· {title} not run")),
        Outcome::Failed(fault) => {
            // The line names the step already.
            let what = fault.what.strip_prefix(title.as_str()).and_then(|what| what.strip_prefix(": "));
            let what = what.unwrap_or(&fault.what);
            Note::styled(Style::Bad, format!("✗ {title} failed ({}): {what}", duration(*time)))
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
