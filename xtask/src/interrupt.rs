//! SIGINT, SIGTERM and SIGHUP: children are told at once, and the run ends as soon as they have.
//!
//! Children run in process groups of their own, so that a Ctrl-C reaches each of them once (compose takes a second one
//! for "kill everything") whether it comes from a terminal or from a CI runner that signals only us.
#![expect(clippy::disallowed_methods, reason = "the one module that sends and handles signals")]

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a child may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Takes the signals over; once a process.
pub fn listen() -> Result<()> {
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
    .context("listening for SIGINT")
}

pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// A child's process group, signalled as long as this lives.
pub struct Group(i32);

impl Group {
    pub fn of(child: &std::process::Child) -> Group {
        let group = child.id().cast_signed();
        lock().insert(group);
        // The signal may have come between the spawn and this registration.
        if interrupted() {
            let _ = killpg(Pid::from_raw(group), Signal::SIGINT);
        }
        Group(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn signal_all(signal: Signal) {
    for group in lock().iter() {
        // It may just have ended.
        let _ = killpg(Pid::from_raw(*group), signal);
    }
}

fn lock() -> std::sync::MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}
