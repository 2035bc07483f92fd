//! Runs a tool: the only place where processes are started.
#![expect(clippy::disallowed_methods, reason = "the one module that starts processes")]

mod follow;
mod lines;
mod terminal;
mod variables;

pub use follow::{Event, follow};
pub use lines::{Lines, Tail};
pub use terminal::{Drawing, is_ours};
pub use variables::{Variables, asked};

use crate::interrupt::{self, Registered, Target};
use plan::{Invocation, Output};
use project::error::{Cause, Fault};
use std::{
    io::{self, Read},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{self, Command, ExitStatus, Stdio},
    time::Duration,
};
use xshell::Shell;

/// Where a child runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a group of its own, which an interrupt reaches.
    Group,
    /// In our group, the one that may read the terminal: it may ask a person.
    Ours,
    /// In a group of its own, which an interrupt doesn't reach: it cleans up after one.
    Aside,
}

/// A child that runs. One that nobody waited for is killed.
pub struct Child {
    process: process::Child,
    target: Target,
    _registered: Option<Registered>,
    ended: Option<ExitStatus>,
}

impl Child {
    pub fn start(command: &mut Command, run: &Invocation, place: Place) -> Result<Child, Fault> {
        let start = |command: &mut Command| command.spawn();
        let child = match place {
            Place::Ours => start(command),
            Place::Group | Place::Aside => interrupt::unable_to_ask(|| start(command.process_group(0))),
        };
        let child = child.map_err(|error| not_started(run, &error))?;
        let target = if place == Place::Ours { Target::process(&child) } else { Target::group(&child) };
        let registered = (place != Place::Aside).then(|| Registered::new(target));
        Ok(Child { process: child, target, _registered: registered, ended: None })
    }

    /// One whose output and errors come through one pipe, in the order in which it prints them.
    pub fn piped(mut command: Command, run: &Invocation, place: Place) -> Result<(Child, Box<dyn Read + Send>), Fault> {
        let failed = |error| Fault::new(Cause::Io, format!("making a pipe: {error}"));
        // Whatever the user likes to see on a terminal: `tty` fails in a pipe, `quiet` says nothing of a failure.
        command.env("BUILDKIT_PROGRESS", "plain");
        let (reader, writer) = io::pipe().map_err(failed)?;
        command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
        // The command goes at the end, and with it our copies of the child's ends, so that the pipe ends with the child.
        Ok((Child::start(&mut command, run, place)?, Box::new(reader)))
    }

    pub fn stderr(&mut self) -> Option<process::ChildStderr> {
        self.process.stderr.take()
    }

    pub fn stdout(&mut self) -> Option<process::ChildStdout> {
        self.process.stdout.take()
    }

    /// How it has ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait()?;
        }
        Ok(self.ended)
    }

    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait()?;
        self.ended = Some(status);
        Ok(status)
    }

    /// Kills it, with all that it has started and that is still in its group.
    pub fn kill(&self) {
        self.target.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.kill();
            let _ = self.process.wait();
        }
    }
}

/// A value as a command, in the folder that we were called in.
pub fn command(run: &Invocation, exports: &Variables) -> Result<Command, Fault> {
    let shell = Shell::new().map_err(|error| Fault::new(Cause::Io, format!("finding the current folder: {error}")))?;
    let mut command: Command = shell.cmd(&run.program).args(&run.args).into();
    if let Some(folder) = &run.folder {
        command.current_dir(folder);
    }
    exports.give(&mut command);
    Variables::of(&run.env, exports)?.give(&mut command);
    command.stdin(Stdio::null());
    Ok(command)
}

fn not_started(run: &Invocation, error: &io::Error) -> Fault {
    Fault::new(Cause::Unavailable, format!("starting {}: {error}", run.program))
        .help("`cargo xtask doctor` shows what is missing, `cargo xtask setup` installs it")
}

/// Becomes the tool, with our own standard streams. Returns only where that fails. What this run has claimed is free then.
pub fn become_tool(run: &Invocation, exports: &Variables) -> Fault {
    match command(run, exports) {
        Ok(mut command) => not_started(run, &command.stdin(Stdio::inherit()).exec()),
        Err(fault) => fault,
    }
}

/// Runs a tool quietly, no longer than `limit`.
pub fn capture(run: &Invocation, exports: &Variables, limit: Option<Duration>) -> Result<Output, Fault> {
    let mut command = command(run, exports)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Child::start(&mut command, run, Place::Group)?;
    let mut pipes: Vec<Box<dyn Read + Send>> = Vec::new();
    pipes.extend(child.stdout().map(|pipe| Box::new(pipe) as Box<_>));
    pipes.extend(child.stderr().map(|pipe| Box::new(pipe) as Box<_>));
    let mut printed = [Vec::new(), Vec::new()];
    let status = follow(&mut child, run, pipes, limit, &mut |event| {
        if let Event::Bytes(stream, bytes) = event {
            printed[stream].extend_from_slice(bytes);
        }
    })?;
    let [stdout, stderr] = printed.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
    Ok(Output { code: code_of(status), stdout, stderr })
}

pub fn code_of(status: ExitStatus) -> u8 {
    // A shell's rule for a child that a signal ended.
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}
