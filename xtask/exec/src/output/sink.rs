//! Where a step's lines go: to standard error as they come, each behind a name where steps run side by side, or into a
//! block that is shown whole.

use super::{Ui, plain};
use plan::{Invocation, Note, Style};
use std::sync::{Mutex, PoisonError};

pub struct Sink<'a> {
    ui: &'a Ui,
    to: To,
}

enum To {
    /// Line by line.
    Lines,
    /// Line by line, each behind this name.
    Named(Style, String),
    /// Kept until the end. GitHub Actions folds it.
    Block { title: String, lines: Mutex<Vec<String>> },
    /// Line by line, between the marks of a block.
    Open,
}

impl<'a> Sink<'a> {
    /// For a step of many; `index` gives its name a colour.
    pub fn of_parallel(ui: &'a Ui, title: &str, name: &str, index: usize) -> Sink<'a> {
        let to = match ui.groups() {
            true => To::Block { title: title.to_owned(), lines: Mutex::default() },
            false => To::Named(Style::Nth(index), name.to_owned()),
        };
        Sink { ui, to }
    }

    /// For the only step that runs.
    pub fn of_one(ui: &'a Ui, title: &str) -> Sink<'a> {
        if ui.groups() {
            ui.note(format!("::group::{title}"));
            return Sink { ui, to: To::Open };
        }
        Sink { ui, to: To::Lines }
    }

    /// For what speaks in notes only.
    pub fn of_notes(ui: &'a Ui) -> Sink<'a> {
        Sink { ui, to: To::Lines }
    }

    pub fn ui(&self) -> &Ui {
        self.ui
    }

    /// A command, before it runs, as it can be pasted into a shell.
    pub fn echo(&self, run: &impl std::fmt::Display) {
        self.say(Style::Dim, &format!("$ {run}"));
    }

    pub fn echo_pipe(&self, from: &Invocation, to: &Invocation) {
        self.echo(&format_args!("{from} | {to}"));
    }

    /// A line of a tool's, or of ours.
    pub fn say(&self, style: Style, text: &str) {
        match &self.to {
            To::Lines | To::Open => self.ui.note(Note::styled(style, text)),
            // What stands between a tool's paragraphs parts nothing in between other tools' lines.
            To::Named(..) if plain(text).trim().is_empty() => {}
            To::Named(colour, name) => {
                let (ui, stream) = (self.ui, &self.ui.0.stderr);
                let name = stream.paint(*colour, &stream.harmless(name));
                let text = stream.paint(style, &stream.harmless(&ui.redacted(text)));
                let _ = stream.write(&format!("{name} │ {text}\n"));
            }
            To::Block { lines, .. } => lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned()),
        }
    }

    /// Shows what was kept.
    pub fn close(self) {
        match self.to {
            To::Lines | To::Named(..) => {}
            To::Open => self.ui.note("::endgroup::"),
            To::Block { title, lines } => {
                let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner).join("\n");
                self.ui.note(format!("::group::{title}\n{lines}\n::endgroup::"));
            }
        }
    }
}
