//! Makes text of others harmless on a terminal: what a tool printed or a repository holds must not move the cursor, set
//! the clipboard or turn text around.

/// What a text may do on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allow {
    Nothing,
    Colour,
    /// Colours, and moving within the screen: a tool that draws its own progress.
    Drawing,
}

/// A piece of a text.
enum Piece<'a> {
    Text(char),
    /// An escape sequence of the form that colours and movements have: `ESC [ parameters final`.
    Csi(&'a str),
    /// Any other escape sequence that has an end: a title, a link, the clipboard.
    Other,
}

/// The text with all that isn't allowed written as what it is, such as `\u{1b}`, or, for a whole sequence, left out.
pub fn harmless(text: &str, allow: Allow) -> String {
    let mut out = String::with_capacity(text.len());
    let mut coloured = false;
    for piece in pieces(text) {
        match piece {
            Piece::Text(c @ ('\n' | '\t')) => out.push(c),
            Piece::Text(c @ ('\r' | '\u{8}')) if allow == Allow::Drawing => out.push(c),
            Piece::Text(c) if is_hostile(c) => out.extend(c.escape_unicode()),
            Piece::Text(c) => out.push(c),
            Piece::Csi(sequence) if is_allowed(sequence, allow) => {
                coloured |= sequence.ends_with('m');
                out.push_str(sequence);
            }
            Piece::Csi(_) | Piece::Other => {}
        }
    }
    // A line that forgets to end its colour must not colour the next.
    if coloured && allow == Allow::Colour {
        out.push_str("\x1b[0m");
    }
    out
}

/// The text as somebody reads it who sees no colours: for whoever looks for words in it.
pub fn plain(text: &str) -> String {
    let text: String =
        pieces(text).filter_map(|piece| if let Piece::Text(c) = piece { Some(c) } else { None }).collect();
    // What was drawn over is gone.
    let text = text.trim_end_matches('\r');
    text.rsplit('\r').next().unwrap_or_default().to_owned()
}

/// Controls, and what turns the direction of the text that follows (CVE-2021-42574).
fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_allowed(sequence: &str, allow: Allow) -> bool {
    let Some(last) = sequence.chars().last() else { return false };
    match allow {
        Allow::Nothing => false,
        Allow::Colour => last == 'm',
        // Movements, clearing, and the cursor's visibility.
        Allow::Drawing => matches!(last, 'm' | 'A'..='H' | 'J' | 'K') || matches!(sequence, "\x1b[?25l" | "\x1b[?25h"),
    }
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let c = rest.chars().next()?;
        let (piece, length) = match sequence(rest) {
            Some(length) if rest.starts_with("\x1b[") => (Piece::Csi(&rest[..length]), length),
            Some(length) => (Piece::Other, length),
            None => (Piece::Text(c), c.len_utf8()),
        };
        rest = &rest[length..];
        Some(piece)
    })
}

/// The length of the escape sequence that the text begins with (ECMA-48).
fn sequence(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\x1b')?;
    let end = |rest: &str, is_end: fn(char) -> bool| rest.find(is_end).map(|at| text.len() - rest.len() + at);
    match rest.chars().next()? {
        '[' => {
            let at = end(&rest[1..], |c| !matches!(c, '\x20'..='\x3f'))?;
            matches!(text[at..].chars().next()?, '\x40'..='\x7e').then_some(at + 1)
        }
        // Strings of any length: titles, links, the clipboard. They end with BEL or ESC \.
        ']' | 'P' | 'X' | '^' | '_' => {
            let at = end(&rest[1..], |c| matches!(c, '\x07' | '\x1b'))?;
            Some(at + if text[at..].starts_with("\x1b\\") { 2 } else { 1 })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal() {
        let title = "a\x1b]0;owned\x07b";
        let clipboard = "a\x1b]52;c;cm0gLXJmIC8=\x1b\\b";
        for (text, nothing, colour, drawing) in [
            ("a\tb\n", "a\tb\n", "a\tb\n", "a\tb\n"),
            ("\x1b[31mred", "red", "\x1b[31mred\x1b[0m", "\x1b[31mred"),
            ("up\x1b[2A\x1b[K", "up", "up", "up\x1b[2A\x1b[K"),
            ("\x1b[?1049h", "", "", ""),
            (title, "ab", "ab", "ab"),
            (clipboard, "ab", "ab", "ab"),
            ("\x1bc", "\\u{1b}c", "\\u{1b}c", "\\u{1b}c"),
            ("a\rb\x08\x07", "a\\u{d}b\\u{8}\\u{7}", "a\\u{d}b\\u{8}\\u{7}", "a\rb\x08\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m", "\\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txt", "\\u{202e}txt", "\\u{202e}txt", "\\u{202e}txt"),
            ("\x1b[", "\\u{1b}[", "\\u{1b}[", "\\u{1b}["),
            ("\x1b]0;no end", "\\u{1b}]0;no end", "\\u{1b}]0;no end", "\\u{1b}]0;no end"),
            ("İstanbul \x1b[1mß", "İstanbul ß", "İstanbul \x1b[1mß\x1b[0m", "İstanbul \x1b[1mß"),
        ] {
            assert_eq!(harmless(text, Allow::Nothing), nothing, "{text:?}");
            assert_eq!(harmless(text, Allow::Colour), colour, "{text:?}");
            assert_eq!(harmless(text, Allow::Drawing), drawing, "{text:?}");
        }
    }

    #[test]
    fn words_without_colours() {
        assert_eq!(plain("\x1b[1A\x1b[0G\x1b[31mfailed\x1b[0m to solve\r"), "failed to solve");
        assert_eq!(plain("10 %\r20 %\rdone"), "done");
    }
}
