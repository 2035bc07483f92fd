//! What the end of a tool means: a failure's cause, why, and what helps; or no failure at all.
//!
//! An error is judged by who said it. Words of a registry or of the engine count where docker itself says them, and never
//! where a build's RUN or a suite printed them: those speak of other things, and keep their exit code.

mod aws;
mod build;
mod engine;
mod packages;
mod registry;

pub use build::failed as failed_build;
pub use engine::{image_missing, is_gone};
pub use packages::conflict;
pub use registry::login_refused;

use crate::{Invocation, Role};
use project::error::{Cause, Fault};

/// A tool that has ended with another code than 0.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    pub role: &'a Role,
    pub run: &'a Invocation,
    pub code: u8,
    /// Its last lines, without colours.
    pub tail: &'a str,
    /// The AWS profile that it used, where one is named.
    pub profile: Option<&'a str>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is well in spite of the code. Why.
    Done(String),
    Failed(Box<Diagnosis>),
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    pub fault: Fault,
    /// It may go by itself: worth another try.
    pub transient: bool,
    /// A new login may help.
    pub login_refused: bool,
    /// A question to ask before the fault is believed: where it fails, too, this other fault is the truth.
    pub second_look: Option<(Invocation, Fault)>,
}

/// Why a tool failed, as far as its words tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Why {
    /// None where the tool's own code says enough.
    cause: Option<Cause>,
    words: String,
    help: Option<String>,
}

impl Why {
    fn new(cause: Cause, words: impl Into<String>, help: impl Into<String>) -> Why {
        Why { cause: Some(cause), words: words.into(), help: Some(help.into()) }
    }

    /// The tool's own code, with advice.
    fn advice(words: impl Into<String>, help: impl Into<String>) -> Why {
        Why { cause: None, words: words.into(), help: Some(help.into()) }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Build,
    Suite,
    /// A tool in a container that docker runs, perhaps after building its image.
    Container,
    /// docker, of a registry.
    Registry,
    /// docker, of anything else.
    Docker,
    Aws,
    Other,
}

fn speaker(ended: &Ended) -> Speaker {
    match (ended.role, program(ended.run)) {
        (Role::Build, _) => Speaker::Build,
        (Role::Suite, _) => Speaker::Suite,
        (_, "docker") if ["push", "pull", "login", "imagetools"].contains(&subcommand(ended.run)) => Speaker::Registry,
        (_, "docker") if subcommand(ended.run) == "run" => Speaker::Container,
        (_, "docker") => Speaker::Docker,
        (_, "aws") => Speaker::Aws,
        _ => Speaker::Other,
    }
}

pub fn verdict(ended: &Ended) -> Verdict {
    let speaker = speaker(ended);
    let tail = ended.tail;
    if speaker == Speaker::Registry && registry::helper_logs_in(ended.run, tail) {
        return Verdict::Done("docker's credential helper stores no login: it logs in by itself".to_owned());
    }
    let why = match speaker {
        Speaker::Build => engine::lost(tail).or_else(|| Some(build::why(tail))),
        Speaker::Suite => engine::lost(tail).or_else(|| Some(engine::complaint(tail).unwrap_or_default())),
        Speaker::Container => engine::lost(tail)
            .or_else(|| engine::complaint(tail))
            .or_else(|| packages::why(tail))
            .or_else(|| last_line(tail).starts_with("failed to solve: ").then(|| build::why(tail))),
        Speaker::Registry => engine::silent(tail).or_else(|| registry::why(ended.run, tail)),
        Speaker::Docker => engine::silent(tail).or_else(|| engine::pull_refused(tail)),
        Speaker::Aws => aws::why(ended),
        Speaker::Other => sudo(ended.run, tail).or_else(|| packages::why(tail)),
    };
    let what = format!("`{}` ended with exit code {}", ended.run.brief(), ended.code);
    let own = || Cause::Tool { code: ended.code, said: tail.to_owned() };
    let is_explained = why.as_ref().is_some_and(|why| why.cause.is_some());
    let why = why.or_else(|| advice(last_lines(tail, 5))).unwrap_or_else(|| {
        let (words, help) = last_words(tail);
        Why { cause: None, words: words.unwrap_or_default().to_owned(), help: help.map(str::to_owned) }
    });
    let what = if why.words.is_empty() { what } else { format!("{what}: {}", shortened(&why.words)) };
    let fault = Fault { cause: why.cause.unwrap_or_else(own), what, help: why.help };
    let of_docker = !matches!(speaker, Speaker::Aws | Speaker::Other);
    let tried = !matches!(speaker, Speaker::Build | Speaker::Suite);
    Verdict::Failed(Box::new(Diagnosis {
        fault,
        transient: tried && registry::transient(tail),
        login_refused: speaker == Speaker::Registry && registry::login_refused(tail),
        second_look: (of_docker && !is_explained).then(|| engine::second_look(ended)),
    }))
}

/// sudo wanted a password, and there was nobody to give it.
fn sudo(run: &Invocation, tail: &str) -> Option<Why> {
    let asks = ["a password is required", "a terminal is required", "unable to read password"];
    (program(run) == "sudo" && says(last_lines(tail, 5), &asks)).then(|| {
        let help = "run it in a terminal where a password can be typed, or as root";
        Why::new(Cause::Refused, "sudo asks for a password", help)
    })
}

/// The name of the program, wherever it is.
fn program(run: &Invocation) -> &str {
    run.program.rsplit('/').next().unwrap_or_default()
}

/// What docker is told to do: `push` of `docker push` and `docker compose … push`.
fn subcommand(run: &Invocation) -> &str {
    let mut args = run.args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "compose" | "buildx" | "image" => {}
            "--file" | "--project-directory" | "--env-file" => {
                args.next();
            }
            option if option.starts_with('-') => {}
            word => return word,
        }
    }
    ""
}

/// Lower case, with every byte where it was, so that an index into it is one into the text.
fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn says(text: &str, any: &[&str]) -> bool {
    let text = lower(text);
    any.iter().any(|phrase| text.contains(phrase))
}

/// The last line that says one of these.
fn line_with<'a>(tail: &'a str, any: &[&str]) -> Option<&'a str> {
    tail.lines().rev().find(|line| says(line, any)).map(str::trim)
}

fn last_line(tail: &str) -> &str {
    tail.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// Only the end counts: a log may speak of an old trouble.
fn last_lines(text: &str, count: usize) -> &str {
    let start = text.rmatch_indices('\n').nth(count - 1).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

/// Why a tool failed, in its own words: the error that it marks as one, else its last line; and what it says that helps,
/// where it is ours (`ci` runs other verbs).
fn last_words(tail: &str) -> (Option<&str>, Option<&str>) {
    let said = || last_lines(tail.trim_end(), 5).lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let help = said().next().and_then(|line| line.strip_prefix("help: "));
    let error = said().find_map(|line| line.strip_prefix("error: "));
    (error.or_else(|| said().next()), error.and(help))
}

/// What helps against troubles of the machine, whoever met them.
fn advice(said: &str) -> Option<Why> {
    let no_space = ["no space left on device"];
    let names = [
        "temporary failure resolving",
        "temporary failure in name resolution",
        "could not resolve host",
        "failed to lookup address",
        "name or service not known",
    ];
    if let Some(line) = line_with(said, &no_space) {
        let help = "`docker system df` shows what takes the disk, `docker system prune` frees what nobody uses";
        return Some(Why::advice(line, help));
    }
    let help = "names can't be looked up: `cargo xtask doctor` shows what this machine reaches, `cargo xtask setup` notes what \
                it doesn't; for a build, check the engine's `dns`";
    line_with(said, &names).map(|line| Why::advice(line, help))
}

/// An error is read, and the log has it all.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 600;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{} …", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
