//! Words of registries, as docker passes them on.

use super::{Why, last_lines, line_with, says, subcommand};
use crate::{Invocation, tools::aws::Ecr};
use project::error::Cause;

/// Errors that go by themselves: the engine's, BuildKit's and registries' words for them.
const TRANSIENT: [&str; 17] = [
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway timeout",
    "received unexpected http status: 5",
    "unexpected status: 5",
    "toomanyrequests",
    "429 too many requests",
    "connection reset by peer",
    "broken pipe",
    "unexpected eof",
    ": eof",
    "i/o timeout",
    "tls handshake timeout",
    "net/http: request canceled",
    "temporary failure in name resolution",
    "temporary failure resolving",
];

/// A login that is missing, wrong or has expired.
const LOGIN: [&str; 6] = [
    "authorization token has expired",
    "no basic auth credentials",
    "401 unauthorized",
    "authentication required",
    "unauthorized:",
    "incorrect username or password",
];

const DENIED: [&str; 4] = ["403 forbidden", "denied:", "access denied", "not authorized to perform"];

const UNREACHABLE: [&str; 4] = ["connection refused", "no such host", "no route to host", "network is unreachable"];

/// Nobody whom this machine trusts has signed the certificate.
pub const UNKNOWN_CA: [&str; 4] = [
    "certificate signed by unknown authority",
    "certificate_verify_failed",
    "unable to get local issuer certificate",
    "self-signed certificate",
];

const TRUST: &str =
    "have the engine trust the registry's certificate authority: put it into /etc/docker/certs.d/<registry>/ca.crt";

/// Is it worth another try, by the last lines of the output?
pub fn transient(tail: &str) -> bool {
    says(last_lines(tail, 5), &TRANSIENT)
}

pub fn login_refused(tail: &str) -> bool {
    says(last_lines(tail, 5), &LOGIN)
}

/// ECR's credential helper can't store a login: it makes one itself whenever docker needs it. (Other helpers store them.)
pub fn helper_logs_in(run: &Invocation, tail: &str) -> bool {
    subcommand(run) == "login" && says(tail, &["error storing credentials"]) && says(tail, &["not implemented"])
}

/// Why a push, a pull, a login or a question to a registry failed.
pub fn why(run: &Invocation, tail: &str) -> Option<Why> {
    let end = last_lines(tail, 5);
    let said = |phrases: &[&str]| line_with(end, phrases);
    if let Some(line) = said(&UNKNOWN_CA) {
        return Some(Why::new(Cause::Unavailable, line, TRUST));
    }
    if let Some(line) = said(&["error storing credentials", "error saving credentials", "error getting credentials"]) {
        let help = "check credsStore and credHelpers in docker's config.json: the helper must be on PATH, and the file writable";
        return Some(Why::new(Cause::Unavailable, line, help));
    }
    if let Some(line) = said(&["does not exist in the registry"]) {
        return Some(no_repository(line, tail));
    }
    if let Some(line) = said(&["tag is immutable", "cannot be overwritten"]) {
        return Some(Why::new(
            Cause::Refused,
            line,
            "the registry has another image under this tag already, and never moves a tag: choose another IMAGE_TAG",
        ));
    }
    if let Some(line) = said(&LOGIN) {
        let help = match subcommand(run) {
            "login" => "check that REGISTRY, AWS_ACCOUNT_ID and AWS_REGION are those of the AWS credentials in use",
            _ => match pushed_to(tail) {
                Some(host) if Ecr::of(host).is_none() => &format!("log in: `docker login {host}`"),
                _ => "log in again: `cargo xtask login`",
            },
        };
        return Some(Why::new(Cause::Refused, line, help));
    }
    if let Some(line) = said(&DENIED) {
        let help = "check that the account may push there, and that the repository exists; `cargo xtask login` renews the login";
        return Some(Why::new(Cause::Refused, line, help));
    }
    let unreachable = [&UNREACHABLE[..], &TRANSIENT].concat();
    said(&unreachable).map(|line| Why::new(Cause::Unavailable, line, "check REGISTRY and the network, then try again"))
}

/// Why an image couldn't be pulled that a build or a start needs, from the one line that says so.
pub fn of_pull(line: &str) -> Option<Why> {
    if says(line, &LOGIN) || says(line, &DENIED) {
        return Some(Why::new(
            Cause::Refused,
            line.trim(),
            "log in to its registry: `cargo xtask login`, or `docker login`",
        ));
    }
    if says(line, &UNKNOWN_CA) {
        return Some(Why::new(Cause::Unavailable, line.trim(), TRUST));
    }
    let unreachable = [&UNREACHABLE[..], &TRANSIENT].concat();
    says(line, &unreachable).then(|| {
        Why::new(Cause::Unavailable, line.trim(), "`cargo xtask doctor` shows which registries can be reached")
    })
}

/// ECR's words, with the command that creates what it lacks.
fn no_repository(line: &str, tail: &str) -> Why {
    let name = line.split_once("repository with name '").and_then(|(_, rest)| rest.split_once('\''));
    let name = name.map_or("<name>", |(name, _)| name);
    let region = match pushed_to(tail).and_then(Ecr::of) {
        Some(Ecr::Private { region, .. }) => format!(" --region {region}"),
        Some(Ecr::Public) | None => String::new(),
    };
    let help = format!("create it: `aws ecr create-repository --repository-name {name}{region}`");
    Why::new(Cause::Unavailable, line, help)
}

/// The registry that docker, or compose, says it pushes to.
fn pushed_to(tail: &str) -> Option<&str> {
    let docker = tail.rsplit_once("refers to repository [").map(|(_, rest)| rest);
    let compose = || tail.lines().find_map(|line| line.trim_start().strip_prefix("Pushing "));
    docker.or_else(compose)?.split_once('/').map(|(host, _)| host)
}
