//! What a tool prints, on its way to whoever shows it; its last lines are kept.

use crate::{
    child::{self, Child, Drawing, Event, Lines, Tail},
    output::Ui,
};
use plan::Invocation;
use project::error::Fault;
use std::{io::Read, time::Duration};

/// How a tool's output is shown.
pub enum View<'a> {
    /// Line by line, to this.
    Lines(&'a mut dyn FnMut(&str)),
    /// As it comes: a question ends without a line's end, and a drawing is one.
    AsItComes(&'a Ui, Option<&'a Drawing>),
}

/// Shows what a child prints until it has ended, and gives its exit code with its last lines.
///
/// # Errors
/// The child can't be waited for.
pub fn follow(
    child: &mut Child,
    run: &Invocation,
    pipe: Option<Box<dyn Read + Send>>,
    limit: Option<Duration>,
    view: View,
) -> Result<(u8, String), Fault> {
    let mut printed = Printed { view, lines: Lines::default(), tail: Tail::default() };
    let status = child::follow(child, run, pipe.into_iter().collect(), limit, &mut |event| printed.on(&event, run))?;
    Ok((child::code_of(status), printed.end()))
}

struct Printed<'a> {
    view: View<'a>,
    lines: Lines,
    tail: Tail,
}

impl Printed<'_> {
    fn on(&mut self, event: &Event, run: &Invocation) {
        if let View::AsItComes(_, Some(drawing)) = self.view {
            drawing.resize();
        }
        match event {
            Event::Bytes(_, bytes) => {
                for line in self.lines.push(bytes) {
                    self.show(&line, "\n");
                }
            }
            Event::Quiet if matches!(self.view, View::AsItComes(..)) => {
                if let Some(begun) = self.lines.begun() {
                    self.show(&begun, "");
                }
            }
            Event::Quiet => {}
            Event::TookTooLong => self.show(&format!("`{}` takes too long, given up", run.brief()), "\n"),
        }
    }

    fn show(&mut self, line: &str, end: &str) {
        match &mut self.view {
            // Of a line that was drawn over, as progress is, the last state.
            View::Lines(show) => show(line.trim_end().rsplit('\r').next().unwrap_or_default()),
            View::AsItComes(ui, _) => ui.drawn(&format!("{line}{end}")),
        }
        self.tail.push(line);
    }

    /// What came last.
    fn end(mut self) -> String {
        if let Some(rest) = self.lines.rest() {
            self.show(&rest, "\n");
        }
        self.tail.text()
    }
}
