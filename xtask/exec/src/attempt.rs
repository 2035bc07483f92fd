//! One step, to its end: tries, further tries, a renewed login, and cleaning up after a failure.

use crate::{Run, action, caught, compute, interrupt, output::Sink};
use plan::{Action, OnFailure, Outcome, Role, Step, Style};
use project::error::{Cause, Fault};
use std::{
    thread,
    time::{Duration, Instant},
};

pub fn step(run: &Run, step: &Step, index: usize, after: &[Outcome]) -> Outcome {
    let ui = &run.settings.ui;
    let sink = match &step.action {
        // It speaks in notes, which must not be folded away.
        Action::Compute(_) => Sink::of_notes(ui),
        _ if run.parallel || run.keeps() => run.sink(step, index),
        _ => Sink::of_one(ui, &step.title),
    };
    let outcome = match caught(|| attempts(run, step, &sink, after)).and_then(|result| result) {
        Ok(outcome) => outcome,
        Err(fault) => {
            if step.on_failure != OnFailure::Continue && !interrupt::interrupted() {
                sink.show_end();
            }
            let fault = explained(run, step, &sink, fault);
            clean_up_to(run, step, &sink);
            // What was stopped has failed, too, but not by itself.
            Outcome::Failed(match interrupt::interrupted() {
                true => Fault::new(Cause::Interrupted, format!("{}: interrupted", step.title)),
                false => fault,
            })
        }
    };
    let outcome = match outcome {
        Outcome::Failed(fault) if step.on_failure == OnFailure::Continue && !interrupt::interrupted() => {
            sink.tell(&format!("{fault}; going on without"));
            Outcome::Skipped
        }
        outcome => outcome,
    };
    sink.close();
    // What is judged later is shown as the judge sees it; an interrupt is nobody's failure.
    if let Outcome::Failed(fault) = &outcome
        && fault.cause != Cause::Interrupted
        && step.on_failure != OnFailure::Judged
    {
        ui.annotate(&step.title, &fault.what);
    }
    outcome
}

/// Why the step failed, by what is still there.
fn explained(run: &Run, step: &Step, sink: &Sink, fault: Fault) -> Fault {
    let Some(explanation) = step.explanation.as_ref().filter(|_| !interrupt::interrupted()) else { return fault };
    compute::run(run, explanation, sink, &[Outcome::Failed(fault.clone())]).err().unwrap_or(fault)
}

/// Cleans up after a step that was not run.
pub fn clean_up(run: &Run, step: &Step) {
    clean_up_to(run, step, &Sink::of_notes(&run.settings.ui));
}

fn clean_up_to(run: &Run, step: &Step, sink: &Sink) {
    for action in &step.cleanup {
        // The failure that is reported is the step's.
        let _ = caught(|| action::clean_up(run, action, sink));
    }
}

fn attempts(run: &Run, step: &Step, sink: &Sink, after: &[Outcome]) -> Result<Outcome, Fault> {
    let began = Instant::now();
    let backoff = &run.settings.backoff;
    let (can_retry, mut login) = match &step.role {
        Role::Command | Role::Build | Role::Suite | Role::HandOver => (false, None),
        Role::Login | Role::Packages => (true, None),
        Role::Registry { login } => (true, login.as_deref()),
    };
    let mut tries = 0;
    loop {
        let failure = match action::act(run, step, sink, after) {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        if interrupt::interrupted() {
            return Err(failure.fault(step));
        }
        if failure.login_refused
            && let Some(login) = login.take()
            && log_in(run, login, sink)
        {
            continue;
        }
        let wait = backoff.get(tries).filter(|_| can_retry && failure.transient);
        let Some(wait) = wait.filter(|wait| began.elapsed() + **wait <= run.settings.retry_limit) else {
            return Err(failure.fault(step));
        };
        tries += 1;
        announce(run, step, sink, tries, *wait);
        pause(*wait);
        if interrupt::interrupted() {
            return Err(failure.fault(step));
        }
    }
}

/// Says that the step is tried again, and how long that may go on.
fn announce(run: &Run, step: &Step, sink: &Sink, tries: usize, wait: Duration) {
    let (all, limit) = (run.settings.backoff.len(), run.settings.retry_limit.as_secs());
    let text = format!(
        "{}: a transient error; again in {} s (retry {tries} of {all}; none begins after {limit} s)",
        step.title,
        wait.as_secs()
    );
    sink.say(Style::Plain, &text);
}

/// Renews a login; a failure is shown, and the step's own is what counts.
fn log_in(run: &Run, login: &Action, sink: &Sink) -> bool {
    let step = Step::new("log in again", login.clone()).role(Role::Login);
    match action::act(run, &step, sink, &[]) {
        Ok(_) => true,
        Err(failure) => {
            sink.say(Style::Plain, &failure.fault(&step).what);
            false
        }
    }
}

/// Sleeps, but wakes for an interrupt.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !interrupt::interrupted() {
        thread::sleep(Duration::from_millis(50).min(time));
    }
}
