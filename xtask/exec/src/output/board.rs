//! What goes on, on a terminal: a line a step, drawn again and again below all that is printed.

use crate::summary::duration;
use plan::Style;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The steps of a run, by their index in the plan.
pub struct Board {
    rows: BTreeMap<usize, Row>,
    began: Instant,
    /// How long each line is that is on the screen.
    drawn: Vec<usize>,
    /// How many have taken it away, to ask a person something.
    paused: u32,
}

pub struct Row {
    pub title: String,
    /// Whom it waits for: the index of a row, and how people call it.
    pub waits_for: Vec<(usize, String)>,
    pub state: State,
}

pub enum State {
    Waits,
    /// Since when, and what it does now.
    Runs(Instant, String),
    Ended(Style, Duration),
}

/// Columns and lines of a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub columns: usize,
    pub lines: usize,
}

/// A line, in a style of its own.
type Line = (Style, String);

impl Board {
    pub fn new(rows: BTreeMap<usize, Row>) -> Board {
        Board { rows, began: Instant::now(), drawn: Vec::new(), paused: 0 }
    }

    pub fn started(&mut self, step: usize) {
        self.set(step, State::Runs(Instant::now(), String::new()));
    }

    /// A line that the step has printed.
    pub fn printed(&mut self, step: usize, line: &str) {
        if let Some(Row { state: State::Runs(_, doing), .. }) = self.rows.get_mut(&step)
            && let Some(what) = doing_of(line)
        {
            *doing = what;
        }
    }

    pub fn ended(&mut self, step: usize, style: Style) {
        let time = match self.rows.get(&step) {
            Some(Row { state: State::Runs(since, _), .. }) => since.elapsed(),
            _ => return,
        };
        self.set(step, State::Ended(style, time));
    }

    /// What runs waits again; what has ended has.
    pub fn left(&mut self, step: usize) {
        if matches!(self.rows.get(&step), Some(Row { state: State::Runs(..), .. })) {
            self.set(step, State::Waits);
        }
    }

    fn set(&mut self, step: usize, state: State) {
        if let Some(row) = self.rows.get_mut(&step) {
            row.state = state;
        }
    }

    pub fn pause(&mut self) {
        self.paused += 1;
    }

    pub fn go_on(&mut self) {
        self.paused = self.paused.saturating_sub(1);
    }

    /// What takes the board off the screen, leaving the cursor where it began.
    pub fn erase(&mut self, size: Size) -> String {
        // A terminal that has become narrower since breaks lines.
        let lines: usize = self.drawn.drain(..).map(|length| length.max(1).div_ceil(size.columns.max(1))).sum();
        if lines == 0 { String::new() } else { format!("\x1b[{lines}A\r\x1b[J") }
    }

    /// What puts it on the screen.
    pub fn draw(&mut self, size: Size, paint: impl Fn(Style, &str) -> String) -> String {
        if self.paused > 0 {
            return String::new();
        }
        let lines = self.lines(Instant::now(), size);
        self.drawn = lines.iter().map(|(_, text)| text.chars().count()).collect();
        let text: String = lines.iter().map(|(style, text)| paint(*style, text) + "\n").collect();
        // No line breaks, also where a character is wider than one column.
        format!("\x1b[?7l{text}\x1b[?7h")
    }

    /// A line a step, as far as the screen goes, and one with the total.
    fn lines(&self, now: Instant, size: Size) -> Vec<Line> {
        let room = size.lines.saturating_sub(2).max(1);
        let rank = |row: &Row| match row.state {
            State::Runs(..) => 0,
            State::Waits => 1,
            State::Ended(..) => 2,
        };
        let mut shown: Vec<(&usize, &Row)> = self.rows.iter().collect();
        shown.sort_by_key(|(_, row)| rank(row));
        let hidden = shown.len().saturating_sub(room);
        shown.truncate(room);
        shown.sort_by_key(|(step, _)| **step);
        let width = shown.iter().map(|(_, row)| row.title.len()).max().unwrap_or_default();
        let mut lines: Vec<Line> = shown.iter().map(|(_, row)| self.line(row, width, now)).collect();
        let done = self.rows.values().filter(|row| matches!(row.state, State::Ended(..))).count();
        let more = if hidden > 0 { format!(", {hidden} not shown") } else { String::new() };
        let total = format!("{done} of {} done, {}{more}", self.rows.len(), duration(now - self.began));
        lines.push((Style::Plain, total));
        for (_, text) in &mut lines {
            if text.chars().count() >= size.columns {
                *text = text.chars().take(size.columns.saturating_sub(2)).collect::<String>() + "…";
            }
        }
        lines
    }

    fn line(&self, Row { title, waits_for, state }: &Row, width: usize, now: Instant) -> Line {
        match state {
            State::Waits => {
                let is_open = |step: &usize| !matches!(self.rows.get(step), Some(Row { state: State::Ended(..), .. }));
                let names: Vec<&str> =
                    waits_for.iter().filter(|(step, _)| is_open(step)).map(|(_, name)| name.as_str()).collect();
                let why = if names.is_empty() { String::new() } else { format!("waits for {}", names.join(", ")) };
                (Style::Dim, format!("· {title:width$}  {:>6}  {why}", "").trim_end().to_owned())
            }
            State::Runs(since, doing) => {
                let time = duration(now - *since);
                (Style::Plain, format!("▸ {title:width$}  {time:>6}  {doing}").trim_end().to_owned())
            }
            State::Ended(style, time) => {
                let mark = if *style == Style::Bad { '✗' } else { '✓' };
                (*style, format!("{mark} {title:width$}  {:>6}", duration(*time)))
            }
        }
    }
}

/// What a line says of what goes on: `2/5 RUN pip install` of BuildKit's `#12 [python-base 2/5] RUN --mount=… pip install`,
/// which begins a step, and nothing of the lines that a step prints; any other line as it is.
fn doing_of(line: &str) -> Option<String> {
    let line = line.trim();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = line.strip_prefix('#').and_then(|rest| rest.split_once(' ')).filter(|(number, _)| is_number(number));
    let Some((_, rest)) = numbered else { return (!line.is_empty()).then(|| line.to_owned()) };
    let (place, what) = rest.strip_prefix('[')?.split_once("] ")?;
    let count = place.rsplit(' ').next().filter(|word| word.split('/').all(is_number));
    // The options of RUN and COPY say less than what follows.
    let what = what.split(' ').filter(|word| !word.starts_with("--mount=") && !word.starts_with("--chmod="));
    Some(count.into_iter().chain(what).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 50, lines: 24 };

    fn board() -> Board {
        let row = |title: &str, waits_for: &[(usize, &str)]| Row {
            title: title.to_owned(),
            waits_for: waits_for.iter().map(|(step, name)| (*step, (*name).to_owned())).collect(),
            state: State::Waits,
        };
        Board::new(BTreeMap::from([
            (0, row("build a", &[])),
            (2, row("build bb", &[(0, "a")])),
            (3, row("build c", &[(0, "a"), (2, "bb")])),
        ]))
    }

    fn text(board: &Board, after: u64, size: Size) -> Vec<String> {
        let now = board.began + Duration::from_secs(after);
        board.lines(now, size).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_line_a_step_and_a_total() {
        let mut board = board();
        let began = board.began;
        assert_eq!(
            text(&board, 0, SIZE),
            [
                "· build a",
                "· build bb          waits for a",
                "· build c           waits for a, bb",
                "0 of 3 done, 0.0 s"
            ]
        );
        board.set(0, State::Ended(Style::Good, Duration::from_millis(1200)));
        board.set(2, State::Runs(began, String::new()));
        board.printed(2, "#7 [bb 2/5] RUN --mount=type=cache,target=/x pip install --no-deps --requirement x");
        board.printed(2, "#7 0.123 Collecting x");
        assert_eq!(
            text(&board, 65, SIZE),
            [
                "✓ build a    1.2 s",
                "▸ build bb  1 min 05 s  2/5 RUN pip install --no…",
                "· build c           waits for bb",
                "1 of 3 done, 1 min 05 s"
            ]
        );
    }

    #[test]
    fn what_runs_is_shown_where_there_is_no_room_for_all() {
        let mut board = board();
        board.set(3, State::Runs(board.began, String::new()));
        let size = Size { lines: 4, ..SIZE };
        assert_eq!(text(&board, 3, size), ["· build a", "▸ build c   3.0 s", "0 of 3 done, 3.0 s, 1 not shown"]);
    }

    #[test]
    fn it_is_taken_off_the_screen_line_by_line_also_from_a_narrower_one() {
        let mut board = board();
        assert_eq!(board.erase(SIZE), "");
        let drawn = board.draw(SIZE, |_, text| text.to_owned());
        assert!(drawn.starts_with("\x1b[?7l· build a\n") && drawn.ends_with(" s\n\x1b[?7h"), "{drawn:?}");
        // Of 9, 31, 35 and 18 characters.
        assert_eq!(board.erase(Size { columns: 14, ..SIZE }), "\x1b[9A\r\x1b[J");
        assert_eq!(board.erase(SIZE), "");
        board.pause();
        assert_eq!(board.draw(SIZE, |_, text| text.to_owned()), "");
    }

    #[test]
    fn what_a_line_says_of_what_goes_on() {
        for (line, expected) in [
            ("#12 [python-base 2/5] RUN pip install", Some("2/5 RUN pip install")),
            ("#12 [python-base production 12/15] COPY --chmod=0644 a b", Some("12/15 COPY a b")),
            ("#12 [a] RUN", Some("RUN")),
            ("#2 [internal] load build definition", Some("load build definition")),
            ("#12 0.345 Collecting x", None),
            ("#12 DONE 0.3s", None),
            ("#9 [a] exporting to image", Some("exporting to image")),
            ("test_a.py ...  [ 40%]", Some("test_a.py ...  [ 40%]")),
            ("# a comment", Some("# a comment")),
            ("", None),
        ] {
            assert_eq!(doing_of(line).as_deref(), expected, "{line}");
        }
    }
}
