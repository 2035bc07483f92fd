//! How each step ended, for people: after a plan whose steps can take long, or that didn't run to its end.

use crate::{output::Ui, schedule::Ended};
use plan::{Action, Note, Outcome, Plan, Runs, Step, Style};
use project::ImageName;
use std::time::Duration;

pub fn print(ui: &Ui, plan: &Plan, ended: &[Ended]) {
    let steps = || plan.steps.iter().zip(ended).filter(|(step, ended)| is_told(step, &ended.outcome));
    let failed = |(step, ended): (&Step, &Ended)| {
        matches!(ended.outcome, Outcome::Failed(_)).then(|| step.image.clone()).flatten()
    };
    let failed: Vec<ImageName> = plan.steps.iter().zip(ended).filter_map(failed).collect();
    // The error says it of its own image.
    let is_news = |step: &Step| step.image.as_ref().is_none_or(|image| !failed.contains(image));
    if plan.summary || steps().any(|(step, ended)| ended.outcome == Outcome::NotRun && is_news(step)) {
        steps().for_each(|(step, ended)| ui.note(line(step, ended)));
    }
}

/// What reports or judges other steps has done so itself; what moves files or computes is worth a line only where it
/// failed.
fn is_told(step: &Step, outcome: &Outcome) -> bool {
    let runs_a_tool = matches!(
        step.action,
        Action::Run(_)
            | Action::All(_)
            | Action::Unless(..)
            | Action::Either(..)
            | Action::OnlyIf(..)
            | Action::Pipe(..)
    );
    step.runs != Runs::AfterEnd && (runs_a_tool || matches!(outcome, Outcome::Failed(_)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Compute, Invocation, Report};
    use project::error::{Cause, Fault};

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
        let lines = [
            (step("a"), Outcome::Done, Some("✓ a (1.0 s)")),
            (step("b"), Outcome::Present, Some("✓ b: there already")),
            (step("c"), Outcome::Skipped, Some("· c failed, went on without")),
            (step("d"), Outcome::NotRun, Some("· d not run")),
            (step("e"), failed(), Some("✗ e failed (1.0 s): it broke")),
            (compute("e"), failed(), Some("✗ e failed (1.0 s): it broke")),
            (compute("f"), Outcome::Done, None),
            (compute("f"), Outcome::NotRun, None),
            (files("f"), Outcome::Done, None),
            (files("e"), failed(), Some("✗ e failed (1.0 s): it broke")),
            (compute("g").after_end([]), failed(), None),
        ];
        for (step, outcome, expected) in lines {
            let told = is_told(&step, &outcome);
            let text = line(&step, &Ended { outcome, time: Duration::from_secs(1) }).text;
            assert_eq!(told.then_some(text.as_str()), expected);
        }
    }
}
