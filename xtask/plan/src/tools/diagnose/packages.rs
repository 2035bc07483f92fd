//! Words of poetry, pip and uv.

use super::{Why, last_lines, line_with, lower, registry};
use project::error::Cause;

/// How much of poetry's derivation is shown; all of it can take pages, and is in the log.
const SHOWN: usize = 500;

pub fn why(tail: &str) -> Option<Why> {
    let change = "change one of the requirements named above in its pyproject.toml, then lock again";
    if let Some(why) = conflict(tail) {
        return Some(Why::advice(why, change));
    }
    let line = line_with(last_lines(tail, 20), &registry::UNKNOWN_CA)?;
    let help = "have the tools trust the index's certificate authority: set CA_BUNDLE to a file that holds it";
    Some(Why::new(Cause::Unavailable, line, help))
}

/// Why poetry or uv finds no versions that fit together, on one line: the end of poetry's derivation, back to a
/// sentence's beginning; nothing where that isn't the trouble.
pub fn conflict(text: &str) -> Option<String> {
    let lower = lower(text);
    let shown = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(end) = lower.find("version solving failed") else {
        let words = ["incompatible constraints in requirements", "no solution found when resolving dependencies"];
        let start = words.iter().find_map(|words| lower.find(words))?;
        let end = lower[start..].find("\n\n").map_or(text.len(), |at| start + at);
        return Some(shown(&text[start..end]));
    };
    let end = end + "version solving failed".len();
    // Each sentence begins a line with "Because", "And because", "So, because" …
    let begins =
        lower[..end].match_indices("because").map(|(at, _)| lower[..at].rfind('\n').map_or(0, |newline| newline + 1));
    let begins: Vec<usize> = begins.collect();
    let last = begins.last().copied().unwrap_or(0);
    let start = begins.iter().copied().find(|start| end - start <= SHOWN).unwrap_or(last);
    Some(shown(&text[start..end]))
}
