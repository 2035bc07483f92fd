//! Runs a computation: reads its sources, all tools side by side, then says, prints and writes what it gives.

use crate::{Run, caught, child, files, interrupt, output::Sink};
use plan::{Compute, Inputs, Outcome, Source, compute::Input};
use project::error::{Cause, Fault};
use std::{fs, io, path::Path, thread};

pub fn run(run: &Run, compute: &Compute, sink: &Sink, after: &[Outcome]) -> Result<Outcome, Fault> {
    let read = thread::scope(|scope| {
        let reading: Vec<_> = compute.sources.iter().map(|source| scope.spawn(|| input(run, source))).collect();
        let inputs = reading.into_iter().map(|input| input.join().map_err(|panic| crate::internal(panic.as_ref())));
        inputs.collect::<Result<Vec<_>, _>>()
    })?;
    if interrupt::interrupted() {
        // What was stopped half-way has answered nothing.
        return Err(Fault::new(Cause::Interrupted, "interrupted"));
    }
    let report = caught(|| compute.report(&Inputs { read, after: after.to_vec() }))?;
    let ui = sink.ui();
    report.notes.into_iter().for_each(|note| ui.note(note));
    if !report.data.is_empty() {
        ui.data(&report.data)?;
    }
    for (path, text) in &report.writes {
        files::write(path, text)?;
    }
    report.fault.map_or(Ok(Outcome::Done), Err)
}

fn input(run: &Run, source: &Source) -> Input {
    match source {
        Source::File(path) => file(path),
        Source::Output(command) => match child::capture(command, &run.exports, None) {
            Ok(output) => Input::Printed(output),
            Err(fault) => Input::NotStarted(fault.what),
        },
    }
}

fn file(path: &Path) -> Input {
    match fs::read_to_string(path) {
        Ok(text) => Input::Text(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Input::Missing,
        Err(error) => Input::Unreadable(error.to_string()),
    }
}
