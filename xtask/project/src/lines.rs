//! From a place in a text to its line.

/// Where the lines of a text begin, found once: a lock has thousands of lines, and asks for hundreds of them.
pub(crate) struct Lines {
    /// The offset behind each line break.
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Lines {
        Lines { starts: text.match_indices('\n').map(|(at, _)| at + 1).collect() }
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_ends_its_own_line() {
        let lines = Lines::of("a\n\nb");
        assert_eq!([0, 1, 2, 3, 9].map(|offset| lines.at(offset)), [1, 1, 2, 3, 3]);
    }
}
