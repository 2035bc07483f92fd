//! SIGINT, SIGTERM and SIGHUP: children are told at once, and the run ends as soon as they have.
//!
//! Children run in process groups of their own, so that a Ctrl-C reaches each of them once (compose takes a second one
//! for "kill everything") whether it comes from a terminal or from a CI runner that signals only us. Those that may ask a
//! person share our group, which is the one that may read the terminal.
#![expect(clippy::disallowed_methods, reason = "the one module that sends and handles signals")]

use nix::{
    sys::signal::{SigSet, Signal, kill, killpg},
    unistd::Pid,
};
use project::error::{Cause, Fault};
use std::{
    collections::BTreeSet,
    process::Child,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a child may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static TARGETS: Mutex<BTreeSet<Target>> = Mutex::new(BTreeSet::new());

/// Takes the signals over; once a process.
///
/// # Errors
/// Somebody else has.
pub fn listen() -> Result<(), Fault> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            return signal_all(Signal::SIGKILL);
        }
        signal_all(Signal::SIGINT);
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            signal_all(Signal::SIGKILL);
        });
    })
    .map_err(|error| Fault::new(Cause::Internal, format!("listening for SIGINT: {error}")))
}

pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// After a child in our own group was ended by a Ctrl-C, which may reach us a moment later.
pub fn await_own() {
    let end = Instant::now() + Duration::from_secs(5);
    while !interrupted() && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
}

/// What gets a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A child with all that it has started.
    Group(i32),
    /// A child in our own group.
    Process(i32),
}

impl Target {
    pub fn group(child: &Child) -> Target {
        Target::Group(child.id().cast_signed())
    }

    pub fn process(child: &Child) -> Target {
        Target::Process(child.id().cast_signed())
    }

    /// It may just have ended.
    fn signal(self, signal: Signal) {
        let _ = match self {
            Target::Group(id) => killpg(Pid::from_raw(id), signal),
            Target::Process(id) => kill(Pid::from_raw(id), signal),
        };
    }

    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
    }
}

/// A child that an interrupt reaches as long as this lives.
pub struct Registered(Target);

impl Registered {
    pub fn new(target: Target) -> Registered {
        lock().insert(target);
        // The signal may have come between the spawn and this registration.
        if interrupted() {
            target.signal(Signal::SIGINT);
        }
        Registered(target)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

/// Starts a child in such a way that reading the terminal is an error for it. Without this, the kernel would stop a child
/// of a background group that reads the terminal, and it would wait for ever.
pub fn unable_to_ask<T>(start: impl FnOnce() -> T) -> T {
    // A child inherits what is blocked; where these signals are, the kernel answers with EIO.
    let blocked = SigSet::from_iter([Signal::SIGTTIN, Signal::SIGTTOU]);
    let _ = blocked.thread_block();
    let started = start();
    let _ = blocked.thread_unblock();
    started
}

fn signal_all(signal: Signal) {
    for target in lock().iter() {
        target.signal(signal);
    }
}

fn lock() -> MutexGuard<'static, BTreeSet<Target>> {
    TARGETS.lock().unwrap_or_else(PoisonError::into_inner)
}
