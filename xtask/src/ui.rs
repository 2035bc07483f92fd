//! What a person sees: everything here goes to standard error, standard output is for data.

use std::{
    env,
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

/// Writes to standard output, as `print!` does, but all at once rather than line by line, and for a reader that has gone
/// (`cargo xtask list | head -1`), which is nobody's fault.
macro_rules! data {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = std::io::stdout().lock().write_all(format!($($what)*).as_bytes());
    }};
}

/// `data!` with a line's end.
macro_rules! data_line {
    ($($what:tt)*) => { data!("{}\n", format_args!($($what)*)) };
}

/// How to write to this terminal, log or CI.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    colour: bool,
    pub terminal: bool,
    /// GitHub Actions folds what stands between `::group::` and `::endgroup::`.
    pub groups: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Style {
    Good,
    Bad,
    Dim,
    /// One of a handful of colours, to tell interleaved logs apart.
    Nth(usize),
}

impl Ui {
    pub fn detect() -> Ui {
        let terminal = stderr().is_terminal();
        // https://no-color.org: any value that isn't empty.
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let groups = env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        Ui { colour: terminal && !no_colour && !dumb, terminal, groups }
    }

    pub fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            _ if !self.colour => return text.to_owned(),
            Style::Good => "32",
            Style::Bad => "31",
            Style::Dim => "2",
            Style::Nth(n) => ["36", "35", "33", "34", "32"][n % 5],
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Has GitHub Actions show a failure beside the run; elsewhere nothing.
    pub fn annotate(self, title: &str, what: &str) {
        if self.groups {
            // What GitHub's workflow commands escape.
            let what = what.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
            self.line(&format!("::error title={title}::{what}"));
        }
    }

    /// One write a line, so that lines of parallel steps don't tear. A closed standard error is nobody's loss.
    pub fn line(self, text: &str) {
        let _ = stderr().lock().write_all(format!("{text}\n").as_bytes());
    }
}

/// `0.8 s`, `12.3 s`, `4 min 05 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f32())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Columns padded to their widest cell, two spaces between; the last one as it is.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_tables() {
        assert_eq!(duration(Duration::from_millis(840)), "0.8 s");
        assert_eq!(duration(Duration::from_secs(245)), "4 min 05 s");
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(table(&rows), "a       b\nlonger\n");
    }
}
