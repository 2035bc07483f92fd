//! Lines, put together from what a pipe gives.

use crate::output::plain;
use std::collections::VecDeque;

/// How many of a step's last lines are kept to tell why it failed.
const TAIL: usize = 200;
/// A longer line is cut: a tool that prints without an end must not take all memory.
const LONGEST: usize = 64 * 1024;

#[derive(Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Adds what came, and gives the lines that are complete, without their end.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|part| part.chunks(LONGEST)) {
            self.pending.extend_from_slice(part);
            if part.ends_with(b"\n") || self.pending.len() >= LONGEST {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// What came of a line that has no end yet, unless it stops in the middle of a character or an escape sequence.
    pub fn begun(&mut self) -> Option<String> {
        let sequence = self.pending.iter().rposition(|byte| *byte == 0x1b).unwrap_or(self.pending.len());
        let ends = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, 0x07 | b'\\');
        let is_whole = str::from_utf8(&self.pending).is_ok();
        let is_open = sequence < self.pending.len() && !self.pending[sequence..].iter().any(ends);
        if is_whole && !is_open { self.rest() } else { None }
    }

    /// What came without a line's end.
    pub fn rest(&mut self) -> Option<String> {
        let pending = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&pending);
        (!pending.is_empty()).then(|| text.trim_end_matches('\n').to_owned())
    }
}

/// The last lines, as they are read by whoever looks for words in them.
#[derive(Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    pub fn push(&mut self, line: &str) {
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(plain(line).trim_end().to_owned());
    }

    pub fn text(self) -> String {
        Vec::from(self.0).join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_whatever_the_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"a\r\nb"), ["a\r"]);
        assert_eq!(lines.push(b"c\n\nd"), ["bc", ""]);
        assert_eq!((lines.rest().as_deref(), lines.rest()), (Some("d"), None));
        let long = vec![b'x'; 3 * LONGEST];
        assert_eq!(lines.push(&long).iter().map(String::len).collect::<Vec<_>>(), [LONGEST; 3]);
    }

    #[test]
    fn a_question_is_shown_whole() {
        for (bytes, expected) in [
            (&b"Code: "[..], Some("Code: ")),
            (b"Code\xc3", None),
            (b"a\x1b[3", None),
            (b"a\x1b[31m", Some("a\x1b[31m")),
            (b"", None),
        ] {
            let mut lines = Lines::default();
            lines.push(bytes);
            assert_eq!(lines.begun().as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut tail = Tail::default();
        (0..TAIL + 2).for_each(|number| tail.push(&format!("\x1b[31m{number}")));
        let text = tail.text();
        assert!(text.starts_with("2\n") && text.ends_with(&format!("\n{}", TAIL + 1)), "{text}");
    }
}
