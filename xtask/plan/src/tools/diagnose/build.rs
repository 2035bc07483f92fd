//! A build's last words: those of the RUN that failed, which BuildKit repeats at the end.

use super::{Why, advice, last_line, packages, registry};

/// Why a build failed. Its code is compose's own, but where the engine couldn't get an image to build from.
pub fn why(tail: &str) -> Why {
    if let Some(why) = pulled(last_line(tail)).and_then(registry::of_pull) {
        return why;
    }
    let said = run_output(tail);
    if let Some(why) = packages::why(&said) {
        return Why { cause: None, ..why };
    }
    // BuildKit's own last line, too: it may be the one that met a full disk. Of a RUN's failure it only repeats the command.
    let own = last_line(tail);
    let own = if own.contains("did not complete successfully") { "" } else { own };
    advice(&format!("{said}\n{own}")).unwrap_or_else(|| {
        let words = marked(&said).map_or_else(|| without_command(last_line(tail)), str::to_owned);
        Why { words, ..Why::default() }
    })
}

/// BuildKit's own words for an image that it can't get. (A RUN's failure ends in `process "…" did not complete`.)
fn pulled(last: &str) -> Option<&str> {
    let last = last.strip_prefix("ERROR: ").unwrap_or(last);
    let rest = last.split_once("failed to solve: ").filter(|(before, _)| !before.contains('"'))?.1;
    let (reference, why) = rest.split_once(": ")?;
    (!reference.contains([' ', '"']) && why.starts_with("failed to resolve source metadata")).then_some(last)
}

/// What the failed RUN printed last, without the times that BuildKit puts before each line.
fn run_output(tail: &str) -> String {
    let is_rule = |line: &&str| line.len() >= 6 && line.chars().all(|c| c == '-');
    let lines: Vec<&str> = tail.lines().map(str::trim_end).collect();
    let rules: Vec<usize> = lines.iter().enumerate().filter(|(_, line)| is_rule(line)).map(|(at, _)| at).collect();
    let block = rules.windows(2).rev().map(|pair| &lines[pair[0] + 1..pair[1]]);
    let of_run = block.into_iter().find(|block| block.first().is_some_and(|line| line.starts_with(" > ")));
    // BuildKit cuts the beginning off the first line, sometimes.
    let lines = of_run.unwrap_or_default().iter().skip(1).map(|line| match line.split_once(' ') {
        Some((time, text)) if time.parse::<f64>().is_ok() => text,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Which of several images that were built in one process failed, by the step that BuildKit names.
pub fn failed<'a>(tail: &str, images: &[&'a str]) -> Option<&'a str> {
    let of_step = |line: &str| Some(line.strip_prefix(" > [")?.split([' ', ']']).next()?.to_owned());
    let name = tail.lines().rev().find_map(of_step)?;
    images.iter().find(|image| **image == name).copied()
}

/// BuildKit repeats the whole RUN, which the log has already.
fn without_command(line: &str) -> String {
    const LONGEST: usize = 60;
    let parts = line.split_once("process \"").and_then(|(head, rest)| Some((head, rest.rsplit_once("\" did not")?)));
    let long =
        parts.and_then(|(head, (command, end))| Some((head, command.char_indices().nth(LONGEST)?.0, command, end)));
    match long {
        Some((head, at, command, end)) => format!("{head}process \"{} …\" did not{end}", command[..at].trim_end()),
        None => line.to_owned(),
    }
}

/// The last error that a tool marks as one, else its last line.
fn marked(said: &str) -> Option<&str> {
    let lines = || said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let is_marked = |line: &&str| ["error:", "ERROR:", "E: "].iter().any(|mark| line.starts_with(mark));
    lines().take(5).find(is_marked).or_else(|| lines().next())
}
