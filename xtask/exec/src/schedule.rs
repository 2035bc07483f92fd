//! What runs when: each step as soon as those that it needs have ended, and nothing after an interrupt.

use crate::{caught, interrupt};
use plan::{Outcome, Plan, Runs, Step};
use project::error::{Cause, Fault};
use std::{
    collections::HashSet,
    sync::mpsc::{self, Sender},
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

/// How what is ready is done.
pub trait Work: Sync {
    /// Does a step; `after` are the ends of the steps in its `after`.
    fn step(&self, step: &Step, index: usize, after: Vec<Outcome>) -> Outcome;

    /// Does several steps in one, and reports how each has ended as soon as it has. A step that it reports nothing of is
    /// done by itself.
    fn together(&self, steps: &[(usize, &Step)], ended: &mut dyn FnMut(usize, Ended));
}

enum Said {
    Ended(usize, Ended),
    /// It was not done together with others.
    Left(usize),
    /// A thread is free.
    Free,
}

/// Runs each step, at most `jobs` at a time. What is done together counts as one.
pub fn run(plan: &Plan, jobs: usize, work: &impl Work) -> Vec<Ended> {
    let mut states: Vec<State> = plan.steps.iter().map(|_| State::Waiting).collect();
    let mut alone = HashSet::new();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let mut running = 0;
        let start = |group: Vec<(usize, Vec<Outcome>)>| {
            let sender = sender.clone();
            let task = move || {
                do_group(plan, group, work, &sender);
                let _ = sender.send(Said::Free);
            };
            thread::Builder::new().spawn_scoped(scope, task).map(|_| ())
        };
        loop {
            running += start_ready(plan, jobs.saturating_sub(running), &alone, &mut states, &start);
            if running == 0 {
                break;
            }
            // This side keeps a sender, so that there is always one to wait for.
            for said in receiver.recv().into_iter().chain(receiver.try_iter()) {
                match said {
                    Said::Ended(index, ended) => states[index] = State::Ended(ended),
                    Said::Left(index) => {
                        alone.insert(index);
                        states[index] = State::Waiting;
                    }
                    Said::Free => running -= 1,
                }
            }
        }
    });
    let unreachable = || {
        let what = "a mistake in the plan: the step waits for one that never ends";
        Ended::at_once(Outcome::Failed(Fault::new(Cause::Internal, what)))
    };
    states.into_iter().map(|state| if let State::Ended(ended) = state { ended } else { unreachable() }).collect()
}

/// Does one step, or several together.
fn do_group(plan: &Plan, mut group: Vec<(usize, Vec<Outcome>)>, work: &impl Work, sender: &Sender<Said>) {
    let start = Instant::now();
    // Always an answer: whoever waits for one that never comes, waits for ever.
    if let [(index, after)] = &mut group[..] {
        let (index, after) = (*index, std::mem::take(after));
        let outcome = caught(|| work.step(&plan.steps[index], index, after)).unwrap_or_else(Outcome::Failed);
        let _ = sender.send(Said::Ended(index, Ended { outcome, time: start.elapsed() }));
        return;
    }
    let steps: Vec<_> = group.iter().map(|(index, _)| (*index, &plan.steps[*index])).collect();
    let mut left: HashSet<usize> = steps.iter().map(|(index, _)| *index).collect();
    let mut ended = |index: usize, ended: Ended| {
        if left.remove(&index) {
            let _ = sender.send(Said::Ended(index, ended));
        }
    };
    if let Err(fault) = caught(|| work.together(&steps, &mut ended)) {
        for (index, _) in &steps {
            ended(*index, Ended::at_once(Outcome::Failed(fault.clone())));
        }
    }
    for index in left {
        let _ = sender.send(Said::Left(index));
    }
}

/// Starts what can start, on as many threads as are `free`; marks what never will; and gives how many it started. Steps that
/// can be done together, and are ready at the same time, are.
fn start_ready(
    plan: &Plan,
    free: usize,
    alone: &HashSet<usize>,
    states: &mut [State],
    start: &impl Fn(Vec<(usize, Vec<Outcome>)>) -> std::io::Result<()>,
) -> usize {
    let mut started = 0;
    while started < free {
        // Asked once: what neither starts nor is given up would wait for ever.
        let interrupted = interrupt::interrupted();
        give_up(plan, states, interrupted);
        let Some(first) = first_ready(plan, states, interrupted) else { break };
        let group = group_of(plan, first, alone, states);
        let with_ends = group.iter().map(|&index| (index, ends(&plan.steps[index], states))).collect();
        match start(with_ends) {
            Ok(()) => {
                for index in group {
                    states[index] = State::Running;
                }
                started += 1;
            }
            Err(error) => {
                let what = format!("{}: starting a thread: {error}", plan.steps[first].title);
                states[first] = State::Ended(Ended::at_once(Outcome::Failed(Fault::new(Cause::Io, what))));
            }
        }
    }
    started
}

/// Marks what will never run. A step comes after those that it waits for, so one look at each is enough.
fn give_up(plan: &Plan, states: &mut [State], interrupted: bool) {
    for (index, step) in plan.steps.iter().enumerate() {
        if matches!(states[index], State::Waiting) && next(step, states, interrupted) == Next::IsNotRun {
            states[index] = State::Ended(Ended::at_once(Outcome::NotRun));
        }
    }
}

/// The step to start now. What judges or reports another's end comes before further work, which can take long: an interrupt
/// meanwhile must not lose what was done before it.
fn first_ready(plan: &Plan, states: &[State], interrupted: bool) -> Option<usize> {
    let is_ready = |index: &usize| {
        matches!(states[*index], State::Waiting) && next(&plan.steps[*index], states, interrupted) == Next::Starts
    };
    let ready = (0..plan.steps.len()).filter(is_ready);
    ready.min_by_key(|&index| (plan.steps[index].runs == Runs::AfterSuccess, index))
}

/// The step, with those that are ready as well and can be done together with it.
fn group_of(plan: &Plan, first: usize, alone: &HashSet<usize>, states: &[State]) -> Vec<usize> {
    let step = &plan.steps[first];
    if step.together.is_none() || alone.contains(&first) {
        return vec![first];
    }
    let joins = |index: usize| {
        let other = &plan.steps[index];
        matches!(states[index], State::Waiting)
            && other.together == step.together
            && !alone.contains(&index)
            && next(other, states, false) == Next::Starts
    };
    (first..plan.steps.len()).filter(|&index| joins(index)).collect()
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
