//! Runs a [`Plan`]: the only crate that starts processes, signals them, changes files and prints.
//!
//! A room each: [`schedule`] decides what runs when, [`attempt`] retries and cleans up, [`action`] does one thing, [`batch`]
//! builds several images in one process, [`child`] runs a tool, [`printed`] passes on what it prints, [`compute`] runs a
//! computation, [`files`] changes files, [`output`] is the one door for all that is printed, [`summary`] says how each step
//! ended, and [`interrupt`] stops everything. None of them knows what a plan is for.

mod action;
mod attempt;
mod batch;
mod child;
mod compute;
mod files;
pub mod interrupt;
pub mod output;
mod printed;
mod schedule;
mod summary;

use child::Variables;
use output::{Board, Sink, Ui};
use plan::{Invocation, OnFailure, Outcome, Output, Plan, Runs, Step};
use project::error::{Cause, Fault};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

/// How plans are run.
pub struct Settings {
    pub ui: Ui,
    /// Shows all that the tools print, also where several run side by side on a terminal.
    pub verbose: bool,
    /// Shows results and errors, and what a tool printed only where it has failed.
    pub quiet: bool,
    /// Never printed: see [`output::secrets_of`].
    pub secrets: Vec<String>,
    /// How many steps may run at a time.
    pub jobs: usize,
    /// The waits before each further try of what may be retried.
    pub backoff: Vec<Duration>,
    /// No further try begins later than this after the first: the engine retries each push by itself, and the two multiply.
    pub retry_limit: Duration,
    /// How long a command that cleans up may take.
    pub cleanup_limit: Duration,
}

impl Settings {
    /// With BuildKit's own waits, and two longer ones.
    pub fn new(ui: Ui, secrets: Vec<String>, jobs: usize) -> Settings {
        Settings {
            ui,
            verbose: false,
            quiet: false,
            secrets,
            jobs,
            backoff: [1, 2, 4, 8].map(Duration::from_secs).into(),
            retry_limit: Duration::from_secs(120),
            cleanup_limit: Duration::from_secs(30),
        }
    }
}

pub struct Executor {
    settings: Settings,
}

/// One run of a plan.
struct Run<'a> {
    settings: &'a Settings,
    /// What the plan exports to its steps.
    exports: Variables,
    /// Can steps run side by side?
    parallel: bool,
    /// Has each step that runs a tool a line on the board?
    live: bool,
}

impl Run<'_> {
    /// Are a step's lines kept, to be shown only where it fails?
    fn keeps(&self) -> bool {
        self.live || self.settings.quiet
    }

    /// For a step of many.
    fn sink(&self, step: &Step, index: usize) -> Sink<'_> {
        let ui = &self.settings.ui;
        let name = step.image.as_ref().map_or(step.title.as_str(), |image| image.as_str());
        match self.keeps() {
            true => Sink::of_live(ui, name, index),
            false => Sink::of_parallel(ui, &step.title, name, index, self.settings.verbose),
        }
    }
}

impl schedule::Work for Run<'_> {
    fn step(&self, step: &Step, index: usize, after: Vec<Outcome>) -> Outcome {
        let ui = &self.settings.ui;
        ui.on_board(|board| board.started(index));
        let outcome = attempt::step(self, step, index, &after);
        ui.on_board(|board| board.ended(index, summary::style(&outcome)));
        outcome
    }

    fn together(&self, steps: &[(usize, &Step)], ended: &mut dyn FnMut(usize, schedule::Ended)) {
        let ui = &self.settings.ui;
        ui.on_board(|board| steps.iter().for_each(|(index, _)| board.started(*index)));
        batch::run(self, steps, &mut |index, end| {
            ui.on_board(|board| board.ended(index, summary::style(&end.outcome)));
            ended(index, end);
        });
        ui.on_board(|board| steps.iter().for_each(|(index, _)| board.left(*index)));
    }
}

impl Executor {
    pub fn new(settings: Settings) -> Executor {
        settings.ui.hide(&settings.secrets);
        Executor { settings }
    }

    /// Runs all steps: side by side what doesn't wait for each other.
    ///
    /// # Errors
    /// An interrupt; else the first step that failed, after all have ended.
    pub fn run(&self, plan: &Plan) -> Result<(), Fault> {
        for note in plan.notes.iter().filter(|_| !self.settings.quiet) {
            self.settings.ui.note(note.clone());
        }
        let exports = Variables::of_plan(&plan.exports)?;
        let parallel = self.settings.jobs > 1 && !plan.is_chain();
        let rows = summary::board(plan);
        let live = rows.len() > 1 && self.settings.ui.can_be_live() && !self.settings.verbose && !self.settings.quiet;
        let run = Run { settings: &self.settings, exports, parallel, live };
        let board = live.then(|| self.settings.ui.live(Board::new(rows)));
        let ended = schedule::run(plan, if parallel { self.settings.jobs } else { 1 }, &run);
        drop(board);
        let fault = fault_of(plan, ended.iter().map(|ended| &ended.outcome)).cloned();
        summary::print(&self.settings.ui, plan, &ended, fault.as_ref(), live, self.settings.quiet);
        if interrupt::interrupted() {
            // A judge that never came to judge still cleans up after the steps that it waited for.
            let judges = plan
                .steps
                .iter()
                .zip(&ended)
                .filter(|(step, ended)| step.runs == Runs::AfterEnd && ended.outcome == Outcome::NotRun);
            judges.for_each(|(step, _)| attempt::clean_up(&run, step));
            return Err(interrupted());
        }
        fault.map_or(Ok(()), Err)
    }

    /// How many columns the terminal has that standard output is, if it is one.
    pub fn width(&self) -> Option<usize> {
        self.settings.ui.width()
    }

    /// Runs a tool quietly.
    ///
    /// # Errors
    /// Only a tool that can't be started, or read: a failure is part of the answer.
    pub fn capture(&self, run: &Invocation) -> Result<Output, Fault> {
        child::capture(run, &Variables::default(), None)
    }
}

/// What a run failed by: the first step whose failure counts. What another step judges doesn't count by itself.
fn fault_of<'a>(plan: &Plan, outcomes: impl Iterator<Item = &'a Outcome>) -> Option<&'a Fault> {
    let is_judged =
        |index: usize| plan.steps.iter().any(|step| step.runs == Runs::AfterEnd && step.after.contains(&index));
    let counts = |step: &Step, index: usize| step.on_failure != OnFailure::Judged || !is_judged(index);
    plan.steps.iter().zip(outcomes).enumerate().find_map(|(index, (step, outcome))| match outcome {
        Outcome::Failed(fault) if counts(step, index) => Some(fault),
        _ => None,
    })
}

fn interrupted() -> Fault {
    Fault::new(Cause::Interrupted, "interrupted; what was begun is stopped and cleaned up")
}

/// Turns a panic into a fault, so that a mistake of ours neither hangs a run nor keeps it from cleaning up.
///
/// # Errors
/// The panic.
pub fn caught<T>(what: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(what)).map_err(|panic| internal(panic.as_ref()))
}

fn internal(panic: &(dyn Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Fault::new(Cause::Internal, format!("a mistake in the xtask itself: {text}"))
        .help("please report it, with the lines above")
}

#[cfg(test)]
mod tests;
