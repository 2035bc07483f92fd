//! The one door for everything printed: people read standard error, scripts read standard output.
//!
//! No credential passes it, nothing in a text of others steers the terminal, and each stream is judged by itself:
//! standard output may be a file while standard error is a terminal.
#![expect(clippy::disallowed_methods, reason = "the one module that prints")]

mod board;
mod harmless;
mod secrets;
mod sink;

pub use board::{Board, Row, State};
pub use harmless::plain;
pub use secrets::secrets_of;
pub use sink::Sink;

use board::Size;
use harmless::{Allow, harmless};
use plan::{Note, Style};
use project::error::{Cause, Fault};
use rustix::termios::tcgetwinsize;
use secrets::Secrets;
use std::{
    env,
    io::{self, ErrorKind, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    thread,
    time::Duration,
};

/// How often the board is drawn.
const TICK: Duration = Duration::from_millis(120);

/// Both streams, and how to write to them. Clones share what they hide.
#[derive(Clone)]
pub struct Ui(Arc<Inner>);

struct Inner {
    stdout: Stream,
    stderr: Stream,
    /// GitHub Actions folds what is between `::group::` and `::endgroup::`.
    groups: bool,
    /// Somebody looks at it, and it can be drawn on.
    live: bool,
    secrets: RwLock<Secrets>,
}

pub(crate) struct Stream {
    writer: Mutex<Writer>,
    terminal: bool,
    colour: bool,
}

struct Writer {
    to: Box<dyn Write + Send>,
    /// What is drawn below all that is printed.
    board: Option<Board>,
}

impl Stream {
    fn new(stream: impl Write + IsTerminal + Send + 'static) -> Stream {
        let terminal = stream.is_terminal();
        // https://no-color.org: any value that isn't empty.
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Stream { colour: terminal && !no_colour && !dumb, ..Stream::of(stream, terminal) }
    }

    pub(crate) fn of(writer: impl Write + Send + 'static, terminal: bool) -> Stream {
        let writer = Writer { to: Box::new(writer), board: None };
        Stream { writer: Mutex::new(writer), terminal, colour: terminal }
    }

    /// What others wrote, as this stream may show it.
    fn harmless(&self, text: &str) -> String {
        match (self.terminal, self.colour) {
            (false, _) => text.to_owned(),
            (true, colour) => harmless(text, if colour { Allow::Colour } else { Allow::Nothing }),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Plain => return text.to_owned(),
            _ if !self.colour => return text.to_owned(),
            Style::Good => "32",
            Style::Bad => "31",
            Style::Dim => "2",
            Style::Nth(n) => ["36", "35", "33", "34", "32"][n % 5],
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// One write, so that lines of parallel steps don't tear, and above the board.
    fn write(&self, text: &str) -> io::Result<()> {
        let mut writer = self.lock();
        let Writer { to, board } = &mut *writer;
        let whole = board.as_mut().map(|board| {
            let size = size();
            board.erase(size) + text + &board.draw(size, |style, text| self.paint(style, &self.harmless(text)))
        });
        to.write_all(whole.as_deref().unwrap_or(text).as_bytes())?;
        to.flush()
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of the terminal that standard error is.
fn size() -> Size {
    let size = tcgetwinsize(io::stderr()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or(Size { columns: 80, lines: 24 }, |size| Size { columns: size.ws_col.into(), lines: size.ws_row.into() })
}

/// A board on the screen, as long as this lives.
pub struct Live<'a>(&'a Ui);

impl Drop for Live<'_> {
    fn drop(&mut self) {
        let board = self.0.0.stderr.lock().board.take();
        if let Some(mut board) = board {
            let _ = self.0.0.stderr.write(&board.erase(size()));
        }
    }
}

/// A person is asked something: nothing is drawn, as long as this lives.
pub struct Asks<'a>(&'a Ui);

impl Drop for Asks<'_> {
    fn drop(&mut self) {
        self.0.on_board(Board::go_on);
    }
}

impl Ui {
    pub fn detect() -> Ui {
        let groups = env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        let stderr = Stream::new(io::stderr());
        let ci = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = stderr.terminal && !groups && !ci && !dumb;
        Ui::new(Stream::new(io::stdout()), stderr, groups, live)
    }

    pub(crate) fn new(stdout: Stream, stderr: Stream, groups: bool, live: bool) -> Ui {
        Ui(Arc::new(Inner { stdout, stderr, groups, live, secrets: RwLock::default() }))
    }

    /// May a board be drawn on standard error?
    pub(crate) fn can_be_live(&self) -> bool {
        self.0.live
    }

    /// Draws a board below all that is printed, again and again.
    pub(crate) fn live(&self, board: Board) -> Live<'_> {
        self.0.stderr.lock().board = Some(board);
        let ui = self.clone();
        // Without it the board is drawn when something happens.
        let _ = thread::Builder::new().spawn(move || {
            while ui.0.stderr.lock().board.is_some() {
                let _ = ui.0.stderr.write("");
                thread::sleep(TICK);
            }
        });
        Live(self)
    }

    /// Changes the board, where there is one.
    pub(crate) fn on_board(&self, change: impl FnOnce(&mut Board)) {
        if let Some(board) = &mut self.0.stderr.lock().board {
            change(board);
        }
    }

    /// Takes the board away from what a person is asked.
    pub(crate) fn asks(&self) -> Asks<'_> {
        self.on_board(Board::pause);
        let _ = self.0.stderr.write("");
        Asks(self)
    }

    /// Hides these from now on, in all clones.
    pub fn hide(&self, secrets: &[String]) {
        self.0.secrets.write().unwrap_or_else(PoisonError::into_inner).add(secrets);
    }

    /// A line or lines for people. A standard error that can't be written is not worth failing for.
    pub fn note(&self, note: impl Into<Note>) {
        let note = note.into();
        let stream = &self.0.stderr;
        let text = stream.paint(note.style, &stream.harmless(&self.redacted(&note.text)));
        let _ = stream.write(&format!("{text}\n"));
    }

    /// What scripts read, exactly as given. A reader that has gone (`cargo xtask list | head -1`) is nobody's fault.
    ///
    /// # Errors
    /// The disk is full, say.
    pub fn data(&self, text: &str) -> Result<(), Fault> {
        let stream = &self.0.stdout;
        // Both streams may be the same terminal.
        let pause = stream.terminal.then(|| self.asks());
        let written = stream.write(&stream.harmless(&self.redacted(text)));
        drop(pause);
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Fault::new(Cause::Io, format!("writing to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// An error, and what helps. Whoever interrupts a run knows that it didn't fail.
    pub fn fault(&self, fault: &Fault) {
        if fault.cause == Cause::Interrupted {
            return self.note(fault.what.as_str());
        }
        self.labelled(Style::Bad, "error:", &fault.what);
        if let Some(help) = &fault.help {
            // Each line below the first.
            self.labelled(Style::Good, " help:", &help.replace('\n', "\n       "));
        }
    }

    fn labelled(&self, style: Style, label: &str, text: &str) {
        let stream = &self.0.stderr;
        let text = stream.harmless(&self.redacted(text));
        let _ = stream.write(&format!("{} {text}\n", stream.paint(style, label)));
    }

    /// Has GitHub Actions show a failure beside the run; elsewhere nothing.
    pub fn annotate(&self, title: &str, what: &str) {
        if self.0.groups {
            // What GitHub's workflow commands escape.
            let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
            let title = escape(title).replace(':', "%3A").replace(',', "%2C");
            self.note(format!("::error title={title}::{}", escape(what)));
        }
    }

    /// The columns of the terminal that standard output is; none where it doesn't say, or is none.
    pub(crate) fn width(&self) -> Option<usize> {
        let size = self.0.stdout.terminal.then(|| tcgetwinsize(io::stdout()))?.ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// May a tool draw on standard error?
    pub(crate) fn can_draw(&self) -> bool {
        self.0.stderr.terminal && !self.0.groups
    }

    pub(crate) fn groups(&self) -> bool {
        self.0.groups
    }

    /// What a tool drew, or a question that it has not ended with a line.
    pub(crate) fn drawn(&self, text: &str) {
        let text = harmless(&self.redacted(text), Allow::Drawing);
        let _ = self.0.stderr.write(&text);
    }

    fn redacted(&self, text: &str) -> String {
        self.0.secrets.read().unwrap_or_else(PoisonError::into_inner).redacted(text)
    }
}

/// Panics print a line as everything else does, and no path of whoever compiled this.
pub fn report_panics(ui: &Ui) {
    let ui = ui.clone();
    std::panic::set_hook(Box::new(move |panic| {
        ui.note(Note::styled(Style::Bad, format!("a mistake in the xtask itself: {panic}")));
    }));
}
