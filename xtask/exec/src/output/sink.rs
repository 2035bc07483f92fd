//! Where a step's lines go: to standard error as they come, each behind a name where steps run side by side, or into a
//! block that is shown whole.

use super::{Ui, plain};
use plan::{Invocation, Note, Style};
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

#[derive(Default)]
struct Kept {
    lines: VecDeque<(Style, String)>,
    /// How many came before these.
    before: usize,
}

/// How many lines of a step on the board are kept to be shown where it fails.
const KEPT: usize = 60;

pub struct Sink<'a> {
    ui: &'a Ui,
    to: To,
}

enum To {
    /// Line by line.
    Lines,
    /// Each line behind this name: at once, or where they are kept, all at the end, but for the commands.
    Named { colour: Style, name: String, kept: Option<Mutex<String>> },
    /// Kept until the end. GitHub Actions folds it.
    Block { title: String, lines: Mutex<Vec<String>> },
    /// Line by line, between the marks of a block.
    Open,
    /// The last one is what the step's line on the board says. They are shown where the step fails, behind this name.
    Live { step: usize, name: String, lines: Mutex<Kept> },
}

impl<'a> Sink<'a> {
    /// For a step of many, whose lines are not to be mixed with those of others, unless each is to be seen `at_once`;
    /// `index` gives its name a colour.
    pub fn of_parallel(ui: &'a Ui, title: &str, name: &str, index: usize, at_once: bool) -> Sink<'a> {
        let kept = (!at_once).then(Mutex::default);
        let to = match ui.groups() {
            true => To::Block { title: title.to_owned(), lines: Mutex::default() },
            false => To::Named { colour: Style::Nth(index), name: name.to_owned(), kept },
        };
        Sink { ui, to }
    }

    /// For a step that has a line on the board.
    pub fn of_live(ui: &'a Ui, name: &str, step: usize) -> Sink<'a> {
        Sink { ui, to: To::Live { step, name: name.to_owned(), lines: Mutex::default() } }
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
            To::Named { .. } if plain(text).trim().is_empty() => {}
            To::Named { colour, name, kept: Some(kept) } if style != Style::Dim => {
                let line = self.behind(*colour, name, style, text);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
            }
            To::Named { colour, name, .. } => self.named(*colour, name, style, text),
            To::Live { step, lines, .. } => {
                // A command says less than the step's title.
                if style != Style::Dim {
                    let line = plain(&self.ui.redacted(text)).replace(['\t', '\n'], " ");
                    self.ui.on_board(|board| board.printed(*step, &line));
                }
                let Kept { lines, before } = &mut *lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == KEPT {
                    lines.pop_front();
                    *before += 1;
                }
                lines.push_back((style, text.to_owned()));
            }
            To::Block { lines, .. } => lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned()),
        }
    }

    /// What a person must see, also where the step's lines are only kept.
    pub fn tell(&self, text: &str) {
        match &self.to {
            To::Live { step, name, .. } => self.named(Style::Nth(*step), name, Style::Plain, text),
            _ => self.say(Style::Plain, text),
        }
    }

    fn named(&self, colour: Style, name: &str, style: Style, text: &str) {
        let _ = self.ui.0.stderr.write(&self.behind(colour, name, style, text));
    }

    /// The line behind a name, as it may be shown.
    fn behind(&self, colour: Style, name: &str, style: Style, text: &str) -> String {
        let stream = &self.ui.0.stderr;
        let name = stream.paint(colour, &stream.harmless(name));
        let text = stream.paint(style, &stream.harmless(&self.ui.redacted(text)));
        format!("{name} │ {text}\n")
    }

    /// Shows what came last, where it isn't on the screen: the step has failed.
    pub fn show_end(&self) {
        if let To::Live { step, name, lines } = &self.to {
            let Kept { lines, before } = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
            let lines = Vec::from(lines);
            let begin = end_of_build(&lines);
            let before = before + begin;
            let note = format!("… {before} lines before these (`--verbose` shows all)");
            let note = (before > 0).then_some((Style::Dim, note));
            let said = lines.into_iter().skip(begin).filter(|(_, line)| !plain(line).trim().is_empty());
            let behind = |(style, line): (Style, String)| self.behind(Style::Nth(*step), name, style, &line);
            // One write: the step beside it may fail at the same time.
            let _ = self.ui.0.stderr.write(&note.into_iter().chain(said).map(behind).collect::<String>());
        }
    }

    /// Shows what was kept to be shown in one.
    pub fn close(self) {
        match self.to {
            To::Lines | To::Named { kept: None, .. } | To::Live { .. } => {}
            To::Named { kept: Some(kept), .. } => {
                let _ = self.ui.0.stderr.write(&kept.into_inner().unwrap_or_else(PoisonError::into_inner));
            }
            To::Open => self.ui.note("::endgroup::"),
            To::Block { title, lines } => {
                let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner).join("\n");
                self.ui.note(format!("::group::{title}\n{lines}\n::endgroup::"));
            }
        }
    }
}

/// Where BuildKit says again what the step that failed has printed; else the beginning.
fn end_of_build(lines: &[(Style, String)]) -> usize {
    let begins =
        |pair: &[(Style, String)]| plain(&pair[0].1).trim() == "------" && plain(&pair[1].1).starts_with(" > [");
    lines.windows(2).position(begins).unwrap_or_default()
}
