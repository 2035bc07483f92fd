//! Which files of a folder Docker takes into a build, by its `.dockerignore`.
//!
//! Source: moby/patternmatcher (`ignorefile.ReadAll`, `New`, `Pattern.compile`, `MatchesUsingParentResults`), which
//! BuildKit uses. Its rules are not git's: a pattern is always from the context's root, the last match wins, and a file
//! can be taken back (`!`) although its folder is left out.

use regex_lite::Regex;

/// The patterns of a `.dockerignore`, in their order.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    regex: Regex,
    /// It begins with `!`: what it matches is taken back in.
    takes_back: bool,
}

/// Which patterns matched a folder: what they match, they match with all that is below.
#[derive(Debug, Clone, Default)]
pub struct Matches(Vec<bool>);

impl Ignore {
    /// # Errors
    /// The line, and the pattern that Docker refuses too.
    pub fn parse(text: &str) -> Result<Ignore, (usize, String)> {
        let mut patterns = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let line = line.trim();
            let (takes_back, pattern) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            if pattern.is_empty() {
                return Err((index + 1, format!("'{line}' takes nothing back")));
            }
            let regex = regex(&clean(pattern)).and_then(|regex| Regex::new(&regex).ok());
            let regex = regex.ok_or_else(|| (index + 1, format!("'{line}' is not a pattern")))?;
            patterns.push(Pattern { regex, takes_back });
        }
        Ok(Ignore { patterns })
    }

    /// Is the path, relative to the context and with `/`, left out? `parent` is what matched the folder that it is in.
    pub fn leaves_out(&self, path: &str, parent: &Matches) -> (bool, Matches) {
        let mut left_out = false;
        let matches = self.patterns.iter().enumerate().map(|(index, pattern)| {
            let of_parent = parent.0.get(index).copied().unwrap_or(false);
            // As Docker does it: a pattern that would change nothing is not looked at, and so doesn't count as one that
            // matched the folder when it comes to what is below.
            let matches = of_parent || pattern.takes_back == left_out && pattern.regex.is_match(path);
            if matches {
                left_out = !pattern.takes_back;
            }
            matches
        });
        let matches = Matches(matches.collect());
        (left_out, matches)
    }

    /// Does a build see the path, relative to the context, where it is there?
    pub fn admits(&self, path: &str) -> bool {
        let (mut left_out, mut matches) = (false, Matches::default());
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for end in ends {
            (left_out, matches) = self.leaves_out(&path[..end], &matches);
        }
        !left_out
    }

    /// Can something below a folder that is left out be taken back in?
    pub fn takes_back(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.takes_back)
    }
}

/// As Go's `filepath.Clean` cleans a pattern; a leading `/` is the context's root.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// The regular expression that a pattern stands for; nothing where the pattern ends too early.
fn regex(pattern: &str) -> Option<String> {
    let mut out = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                // `**/` is `**`.
                if chars.peek() == Some(&'/') {
                    chars.next();
                }
                out.push_str(if chars.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '.' | '$' | '+' | '(' | ')' | '|' | '{' | '}' | '^' if !in_class(&out) => {
                out.push('\\');
                out.push(c);
            }
            '\\' => {
                out.push('\\');
                out.push(chars.next()?); // a trailing one has nothing to escape
            }
            other => out.push(other),
        }
    }
    out.push('$');
    Some(out)
}

/// Is a `[` open at the end of the expression?
fn in_class(regex: &str) -> bool {
    let mut open = false;
    let mut escaped = false;
    for c in regex.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => open = true,
            ']' => open = false,
            _ => {}
        }
    }
    open && !regex.ends_with("[^/]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(patterns: &str, path: &str) -> bool {
        !Ignore::parse(patterns).unwrap().admits(path)
    }

    /// The cases are those of moby/patternmatcher's own tests, as facts.
    #[test]
    fn matches_as_docker_does() {
        for (pattern, path, expected) in [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("**/dir", "dir", true),
            ("**/dir", "a/dir/file", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**/file", "dir/file", true),
            ("**/file*.txt", "dir/dir/file.txt", true),
            ("a**b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/b", true),
            ("*", "dir/file", true),
            ("dir", "dir/file", true),
            ("dir/", "dir/file", true),
            ("./dir", "dir", true),
            ("/dir", "dir", true),
            ("x/../dir", "dir", true),
            ("file", "dir/file", false),
            ("*.txt", "dir/a.txt", false),
            ("a.c", "abc", false),
            ("?b", "ab", true),
            ("?", "ab", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a(b)", "a(b)", true),
            ("a{b}", "a{b}", true),
            ("a+b", "a+b", true),
            ("a+b", "aab", false),
            (".*", "dir/.hidden", false),
            (".*", ".hidden", true),
            ("ä*", "äö", true),
        ] {
            assert_eq!(leaves_out(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_match_wins() {
        for (patterns, path, expected) in [
            ("*\n!keep", "keep", false),
            ("*\n!keep", "other", true),
            ("*\n!dir/keep", "dir/keep", false),
            ("*\n!dir/keep", "dir/other", true),
            ("*\n!dir\ndir/no", "dir/no", true),
            ("*\n!dir\ndir/no", "dir/yes", false),
            ("!a\n*", "a", true),
            ("# *\n\n  \n", "a", false),
            ("\u{feff}a", "a", true),
            (" a ", "a", true),
            ("! a\n", "a", false),
            ("dir/**\n!dir", "dir/a", true),
        ] {
            assert_eq!(leaves_out(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        assert_eq!(Ignore::parse("a\n!\n").unwrap_err().0, 2);
        assert!(Ignore::parse("[").is_err() && Ignore::parse("a\\").is_err());
    }
}
