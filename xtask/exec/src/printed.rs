//! What a tool prints, on its way to the sink; its last lines are kept.

use crate::{
    child::{Event, Lines, Tail},
    output::Sink,
};
use plan::{Invocation, Style};

/// How a tool's output is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Line by line.
    Lines,
    /// As it comes: a question ends without a line's end, and a drawing is one.
    AsItComes,
}

/// What a tool prints, on its way.
pub struct Printed<'a> {
    sink: &'a Sink<'a>,
    view: View,
    lines: Lines,
    tail: Tail,
}

impl<'a> Printed<'a> {
    pub fn new(sink: &'a Sink<'a>, view: View) -> Printed<'a> {
        Printed { sink, view, lines: Lines::default(), tail: Tail::default() }
    }

    pub fn on(&mut self, event: &Event, run: &Invocation) {
        match event {
            Event::Bytes(_, bytes) => {
                for line in self.lines.push(bytes) {
                    self.show(&line, "\n");
                }
            }
            Event::Quiet if self.view == View::AsItComes => {
                if let Some(begun) = self.lines.begun() {
                    self.show(&begun, "");
                }
            }
            Event::Quiet => {}
            Event::TookTooLong => self.sink.say(Style::Plain, &format!("`{}` takes too long, given up", run.brief())),
        }
    }

    fn show(&mut self, line: &str, end: &str) {
        match self.view {
            // Of a line that was drawn over, as progress is, the last state.
            View::Lines => self.sink.say(Style::Plain, line.trim_end().rsplit('\r').next().unwrap_or_default()),
            View::AsItComes => self.sink.ui().drawn(&format!("{line}{end}")),
        }
        self.tail.push(line);
    }

    /// What came last.
    pub fn end(mut self) -> String {
        if let Some(rest) = self.lines.rest() {
            self.show(&rest, "\n");
        }
        self.tail.text()
    }
}
