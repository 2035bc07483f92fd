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
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(part);
            if part.ends_with(b"\n") || self.pending.len() >= LONGEST {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// What came without a line's end.
    pub fn rest(&mut self) -> Option<String> {
        let pending = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&pending);
        (!pending.is_empty()).then(|| text.trim_end_matches('\n').trim_end_matches('\r').to_owned())
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
