//! Words of docker's client and of the engine.

use super::{Ended, Why, last_line, last_lines, lower, says};
use crate::{Invocation, tools::docker};
use project::error::{Cause, Fault};

const START: &str = "start it: `cargo xtask setup`";

/// The client, when no engine answers it.
const SILENT: [&str; 4] = [
    "cannot connect to the docker daemon",
    "is the docker daemon running",
    "failed to connect to the docker api",
    "error during connect:",
];

/// Where docker's client says nothing but its own: the engine doesn't answer, or compose isn't there.
pub fn silent(tail: &str) -> Option<Why> {
    if says(last_lines(tail, 5), &SILENT) {
        return Some(Why::new(Cause::Unavailable, "the docker engine doesn't answer", START));
    }
    let no_compose =
        ["is not a docker command", "unknown command: docker compose", "unknown shorthand flag: 'f' in -f"];
    says(tail, &no_compose)
        .then(|| Why::new(Cause::Unavailable, "docker has no compose plugin", "install it: `cargo xtask setup`"))
}

/// Where others speak before it: the client's last word is that the engine has gone. A RUN's output never begins a line,
/// and a suite never has the last one.
pub fn lost(tail: &str) -> Option<Why> {
    let last = lower(last_line(tail));
    let last = last.strip_prefix("error: ").unwrap_or(&last);
    // docker run's word has the form of a log.
    let last =
        last.split_once(" level=error msg=\"").filter(|_| last.starts_with("time=")).map_or(last, |(_, said)| said);
    let gone = [
        "failed to receive status: rpc error: code = unavailable",
        "failed to solve: unavailable: ",
        "error waiting for container:",
    ];
    if SILENT.iter().any(|words| last.starts_with(words)) {
        Some(Why::new(Cause::Unavailable, "the docker engine doesn't answer", START))
    } else if gone.iter().any(|words| last.starts_with(words)) {
        let help = "`cargo xtask doctor` shows whether it answers; then try again";
        Some(Why::new(Cause::Unavailable, format!("the docker engine went away: {}", last_line(tail)), help))
    } else {
        None
    }
}

/// The engine's last word on why it didn't run what it was to run.
pub fn complaint(tail: &str) -> Option<Why> {
    let last = last_line(tail);
    lower(last).starts_with("error response from daemon").then(|| Why { words: last.to_owned(), ..Why::default() })
}

/// The engine had to pull an image, and couldn't.
pub fn pull_refused(tail: &str) -> Option<Why> {
    let said = tail.lines().rev().find(|line| lower(line).starts_with("error response from daemon: "))?;
    super::registry::of_pull(said)
}

/// Does the engine say that it has no such image, rather than that something is wrong?
pub fn image_missing(stderr: &str) -> bool {
    says(stderr, &["no such image"])
}

/// Does docker say no more than that what was to be removed isn't there?
pub fn is_gone(said: &str) -> bool {
    let is_gone = |line: &str| says(line, &["no such container", "no such image", "no such volume"]);
    said.lines().filter(|line| !line.trim().is_empty()).all(is_gone)
}

/// Whatever docker ended by: where the engine doesn't answer now, that is why.
pub fn second_look(ended: &Ended) -> (Invocation, Fault) {
    let what = format!("`{}` ended with exit code {}: the docker engine doesn't answer", ended.run.brief(), ended.code);
    (docker::engine_version(), Fault::new(Cause::Unavailable, what).help(START))
}
