//! Reads what a child prints, until it has ended.

use super::Child;
use plan::Invocation;
use project::error::{Cause, Fault};
use std::{
    io::Read,
    process::ExitStatus,
    sync::mpsc::{self, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

/// How often to look whether the child has ended while nothing comes.
const TICK: Duration = Duration::from_millis(50);
/// How often nothing comes, after the child's end, before reading stops.
const QUIET_TICKS: u32 = 4;
/// More than a pipe, and what waits behind it, can hold: what comes after that isn't the child's.
const HELD_BACK: usize = 1 << 20;

/// What happens while a child runs.
pub enum Event<'a> {
    /// It printed something, on the pipe of this number.
    Bytes(usize, &'a [u8]),
    /// Nothing came for a moment.
    Quiet,
    /// It took too long, and was killed.
    TookTooLong,
}

/// Reads the pipes until all have ended and the child has. A pipe can stay open longer than the child lives: whatever it
/// has left running holds it, too. That isn't waited for.
///
/// # Errors
/// The child can't be waited for.
pub fn follow(
    child: &mut Child,
    run: &Invocation,
    pipes: Vec<Box<dyn Read + Send>>,
    limit: Option<Duration>,
    on: &mut dyn FnMut(Event),
) -> Result<ExitStatus, Fault> {
    let failed = |error| Fault::new(Cause::Io, format!("waiting for {}: {error}", run.program));
    let mut end = limit.map(|limit| Instant::now() + limit);
    let (sender, receiver) = mpsc::sync_channel(16);
    for (number, pipe) in pipes.into_iter().enumerate() {
        let sender = sender.clone();
        // Not waited for: it ends with its pipe.
        thread::Builder::new().spawn(move || read(pipe, number, &sender)).map_err(failed)?;
    }
    drop(sender);
    let (mut quiet, mut late) = (0, 0);
    let mut open = true;
    loop {
        let has_ended = child.try_wait().map_err(failed)?.is_some();
        if has_ended && (!open || quiet > QUIET_TICKS || late > HELD_BACK) {
            return child.wait().map_err(failed);
        }
        if !open && end.is_none() {
            return child.wait().map_err(failed);
        }
        if end.is_some_and(|end| Instant::now() > end) {
            child.kill();
            on(Event::TookTooLong);
            end = None;
        }
        if !open {
            thread::sleep(TICK);
            continue;
        }
        match receiver.recv_timeout(TICK) {
            Ok((number, bytes)) => {
                let bytes: Vec<u8> = bytes;
                on(Event::Bytes(number, &bytes));
                (quiet, late) = (0, late + if has_ended { bytes.len() } else { 0 });
            }
            Err(RecvTimeoutError::Timeout) => {
                on(Event::Quiet);
                quiet += u32::from(has_ended);
            }
            Err(RecvTimeoutError::Disconnected) => open = false,
        }
    }
}

fn read(mut pipe: Box<dyn Read + Send>, number: usize, sender: &SyncSender<(usize, Vec<u8>)>) {
    let mut buffer = [0; 8192];
    loop {
        match pipe.read(&mut buffer) {
            Ok(count) if count > 0 => {
                if sender.send((number, buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A pseudo-terminal that nobody holds any more is an error, not an end.
            Ok(_) | Err(_) => return,
        }
    }
}
