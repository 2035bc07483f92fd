//! Steps whose result is computed from what is there when they run: files, answers of tools, the end of other steps.
//!
//! The executor reads and asks, calls the pure function, then says, prints and writes what it gives. So whoever plans
//! needs no effect of its own, and the executor knows nothing of suites, pins or digests.

use crate::{
    invocation::{Invocation, Output},
    step::Outcome,
};
use project::error::Fault;
use std::{fmt, path::PathBuf, sync::Arc};

/// What to read and ask, and what to make of it.
#[derive(Clone)]
pub struct Compute {
    /// How a plan shows it: a command of ours that does the same, or a comment that begins with `# `.
    pub shown: String,
    /// Read in this order; all tools are asked side by side.
    pub sources: Vec<Source>,
    then: Arc<dyn Fn(&Inputs) -> Report + Send + Sync>,
}

/// Something to read when the step runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A text file, by its path from the folder that the user stands in.
    File(PathBuf),
    /// What a command prints, which is not shown.
    Output(Invocation),
}

/// What a source gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Text(String),
    /// There is no such file.
    Missing,
    /// Why the file can't be read.
    Unreadable(String),
    Printed(Output),
    /// Why the command can't be started.
    NotStarted(String),
}

/// What a computation is made from.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// What each source gave, in their order.
    pub read: Vec<Input>,
    /// How the steps in `after` ended, in their order.
    pub after: Vec<Outcome>,
}

/// What a computation gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// For people, on standard error.
    pub notes: Vec<Note>,
    /// For scripts, on standard output.
    pub data: String,
    /// Files to write in one go each, by their path from the folder that the user stands in.
    pub writes: Vec<(PathBuf, String)>,
    /// Why the step failed, all the same.
    pub fault: Option<Fault>,
}

/// A line or lines for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub text: String,
    pub style: Style,
}

/// How a text looks on a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Good,
    Bad,
    Dim,
    /// One of a handful of colours, to tell interleaved logs apart.
    Nth(usize),
}

impl Compute {
    pub fn new(
        shown: impl Into<String>,
        sources: impl IntoIterator<Item = Source>,
        then: impl Fn(&Inputs) -> Report + Send + Sync + 'static,
    ) -> Compute {
        Compute { shown: shown.into(), sources: sources.into_iter().collect(), then: Arc::new(then) }
    }

    /// What the inputs give; pure.
    pub fn report(&self, inputs: &Inputs) -> Report {
        (self.then)(inputs)
    }
}

impl fmt::Debug for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compute").field("shown", &self.shown).field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Inputs {
    /// The text of a source that is a file; nothing where it doesn't exist or can't be read.
    pub fn text(&self, source: usize) -> Option<&str> {
        match self.read.get(source)? {
            Input::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a source that is a command printed; nothing where it couldn't be started.
    pub fn output(&self, source: usize) -> Option<&Output> {
        match self.read.get(source)? {
            Input::Printed(output) => Some(output),
            _ => None,
        }
    }

    /// What a command printed on standard output, where it succeeded.
    pub fn stdout(&self, source: usize) -> Option<&str> {
        self.output(source).filter(|output| output.success()).map(|output| output.stdout.as_str())
    }
}

impl Report {
    pub fn note(mut self, note: impl Into<Note>) -> Report {
        self.notes.push(note.into());
        self
    }

    pub fn data(mut self, data: impl Into<String>) -> Report {
        self.data.push_str(&data.into());
        self
    }

    pub fn write(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Report {
        self.writes.push((path.into(), text.into()));
        self
    }

    pub fn fail(mut self, fault: Fault) -> Report {
        self.fault = Some(fault);
        self
    }
}

/// A fallible computation is a report.
impl From<Result<Report, Fault>> for Report {
    fn from(result: Result<Report, Fault>) -> Report {
        result.unwrap_or_else(|fault| Report::default().fail(fault))
    }
}

impl Note {
    pub fn styled(style: Style, text: impl Into<String>) -> Note {
        Note { text: text.into(), style }
    }
}

impl From<&str> for Note {
    fn from(text: &str) -> Note {
        Note::styled(Style::Plain, text)
    }
}

impl From<String> for Note {
    fn from(text: String) -> Note {
        Note::styled(Style::Plain, text)
    }
}
