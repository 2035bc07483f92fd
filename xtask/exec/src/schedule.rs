//! What runs when: each step as soon as those that it needs have ended, and nothing after an interrupt.

use crate::{caught, interrupt};
use plan::{Outcome, Plan, Runs, Step};
use project::error::{Cause, Fault};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How a step ended, and after what time.
pub struct Ended {
    pub outcome: Outcome,
    pub time: Duration,
}

impl Ended {
    fn at_once(outcome: Outcome) -> Ended {
        Ended { outcome, time: Duration::ZERO }
    }
}

enum State {
    Waiting,
    Running,
    Ended(Ended),
}

/// What becomes of a step that waits.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Waits,
    Starts,
    IsNotRun,
}

/// Runs each step by `work`, which gets it with the ends of the steps in its `after`; at most `jobs` at a time.
pub fn run(plan: &Plan, jobs: usize, work: impl Fn(&Step, usize, Vec<Outcome>) -> Outcome + Sync) -> Vec<Ended> {
    let mut states: Vec<State> = plan.steps.iter().map(|_| State::Waiting).collect();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        loop {
            let running = start_ready(plan, jobs, &mut states, |index, after| {
                let (sender, work, step) = (sender.clone(), &work, &plan.steps[index]);
                let task = move || {
                    let start = Instant::now();
                    // Always an answer: whoever waits for one that never comes, waits for ever.
                    let outcome = caught(|| work(step, index, after)).unwrap_or_else(Outcome::Failed);
                    let _ = sender.send((index, Ended { outcome, time: start.elapsed() }));
                };
                thread::Builder::new().spawn_scoped(scope, task).map(|_| ())
            });
            if running == 0 {
                break;
            }
            // This side keeps a sender, so that there is always one to wait for.
            if let Ok((index, ended)) = receiver.recv() {
                states[index] = State::Ended(ended);
            }
        }
    });
    let unreachable = || {
        let what = "a mistake in the plan: the step waits for one that never ends";
        Ended::at_once(Outcome::Failed(Fault::new(Cause::Internal, what)))
    };
    states.into_iter().map(|state| if let State::Ended(ended) = state { ended } else { unreachable() }).collect()
}

/// Starts what can start, marks what never will, and gives how many are running.
fn start_ready(
    plan: &Plan,
    jobs: usize,
    states: &mut [State],
    start: impl Fn(usize, Vec<Outcome>) -> std::io::Result<()>,
) -> usize {
    // Counted once: a family may have thousands of steps.
    let mut running = states.iter().filter(|state| matches!(state, State::Running)).count();
    loop {
        let mut given_up = false;
        for (index, step) in plan.steps.iter().enumerate() {
            if !matches!(states[index], State::Waiting) || running >= jobs {
                continue;
            }
            let outcome = match next(step, states, interrupt::interrupted()) {
                Next::Waits => continue,
                Next::IsNotRun => Outcome::NotRun,
                Next::Starts => match start(index, ends(step, states)) {
                    Ok(()) => {
                        states[index] = State::Running;
                        running += 1;
                        continue;
                    }
                    Err(error) => {
                        Outcome::Failed(Fault::new(Cause::Io, format!("{}: starting a thread: {error}", step.title)))
                    }
                },
            };
            states[index] = State::Ended(Ended::at_once(outcome));
            given_up = true;
        }
        // What was just given up may have been all that another waited for.
        if !given_up {
            return running;
        }
    }
}

fn end(states: &[State], index: usize) -> Option<&Outcome> {
    match states.get(index) {
        Some(State::Ended(ended)) => Some(&ended.outcome),
        _ => None,
    }
}

fn ends(step: &Step, states: &[State]) -> Vec<Outcome> {
    step.after.iter().filter_map(|&index| end(states, index).cloned()).collect()
}

fn next(step: &Step, states: &[State], interrupted: bool) -> Next {
    let needed = || step.after.iter().map(|&index| end(states, index));
    let has_failed = |outcome: Option<&Outcome>| matches!(outcome, Some(Outcome::Failed(_) | Outcome::NotRun));
    if interrupted || step.runs == Runs::AfterSuccess && needed().any(has_failed) {
        Next::IsNotRun
    } else if needed().all(|outcome| outcome.is_some()) {
        Next::Starts
    } else {
        Next::Waits
    }
}
