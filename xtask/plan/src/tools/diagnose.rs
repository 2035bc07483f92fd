//! What a tool's last lines say about why it failed.

use crate::invocation::Invocation;
use project::error::Cause;

/// Errors that go by themselves: the engine's, BuildKit's and registries' words for them.
const TRANSIENT: [&str; 16] = [
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
];

/// A registry's words for a login that is missing, wrong or worn out.
const LOGIN: [&str; 6] = [
    "authorization token has expired",
    "no basic auth credentials",
    "401 unauthorized",
    "authentication required",
    "unauthorized:",
    "incorrect username or password",
];

fn says(text: &str, any: &[&str]) -> bool {
    let text = text.to_lowercase();
    any.iter().any(|phrase| text.contains(phrase))
}

/// Is it worth another try, by the last lines of the output? Only the end counts: a log may speak of an old trouble.
pub fn transient(tail: &str) -> bool {
    says(last_lines(tail, 5), &TRANSIENT)
}

pub fn login_refused(tail: &str) -> bool {
    says(last_lines(tail, 5), &LOGIN)
}

/// Did the engine fail, rather than what ran in a container?
pub fn engine_failed(tail: &str) -> bool {
    says(last_lines(tail, 5), &["cannot connect to the docker daemon", "error response from daemon", "no such image"])
}

/// Does the engine say that it has no such image, rather than that something is wrong?
pub fn image_missing(stderr: &str) -> bool {
    says(stderr, &["no such image"])
}

fn last_lines(text: &str, count: usize) -> &str {
    let start = text.rmatch_indices('\n').nth(count - 1).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

/// Why a tool failed, in its own words: the error that it marks as one, else its last line; and what it says that helps,
/// where it is ours (`ci` runs other verbs).
pub fn last_words(tail: &str) -> (Option<&str>, Option<&str>) {
    let said = || last_lines(tail.trim_end(), 5).lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let help = said().next().and_then(|line| line.strip_prefix("help: "));
    let error = said().find_map(|line| line.strip_prefix("error: "));
    (error.or_else(|| said().next()), error.and(help))
}

/// The kind of failure, why in a few words, and what helps; nothing where the tool's own words must do.
pub fn explain(run: &Invocation, tail: &str) -> Option<(Cause, String, String)> {
    let found = |kind, why: &str, help: &str| Some((kind, why.to_owned(), help.to_owned()));
    let last = |phrases: &[&str]| -> String {
        let line = tail.lines().rev().find(|line| says(line, phrases)).unwrap_or_default();
        line.trim().to_owned()
    };
    let tool = run.program.rsplit('/').next().unwrap_or_default();
    if tool == "docker" {
        let daemon = ["cannot connect to the docker daemon", "is the docker daemon running", "docker.sock"];
        if says(tail, &daemon) {
            return found(Cause::Unavailable, "the docker engine doesn't answer", "start it: `cargo xtask setup`");
        }
        if says(
            tail,
            &["is not a docker command", "unknown command: docker compose", "unknown shorthand flag: 'f' in -f"],
        ) {
            return found(Cause::Unavailable, "docker has no compose plugin", "install it: `cargo xtask setup`");
        }
        if login_refused(tail) {
            let help = match run.args.iter().any(|arg| arg == "login") {
                true => "check that REGISTRY, AWS_ACCOUNT_ID and AWS_REGION are those of the AWS credentials in use",
                false => "log in again: `cargo xtask login`",
            };
            return Some((Cause::Refused, last(&LOGIN), help.to_owned()));
        }
        let denied = ["403 forbidden", "denied:", "access denied"];
        if says(last_lines(tail, 5), &denied) {
            let help = "check that the account may push there, and that the repository exists; `cargo xtask login` renews the login";
            return Some((Cause::Refused, last(&denied), help.to_owned()));
        }
        let unreachable = ["connection refused", "no such host", "no route to host", "network is unreachable"];
        let unreachable = [&unreachable[..], &TRANSIENT].concat();
        let registry = run.args.iter().any(|arg| matches!(arg.as_str(), "push" | "pull" | "login" | "imagetools"));
        if registry && says(last_lines(tail, 5), &unreachable) {
            return Some((
                Cause::Unavailable,
                last(&unreachable),
                "check REGISTRY and the network, then try again".to_owned(),
            ));
        }
    }
    if tool == "aws" {
        if says(tail, &["unable to locate credentials", "nocredentials", "partial credentials"]) {
            return found(
                Cause::Refused,
                "the aws CLI finds no credentials",
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` tests them",
            );
        }
        let refused =
            ["expiredtoken", "accessdenied", "invalidclienttokenid", "unrecognizedclient", "signaturedoesnotmatch"];
        if says(tail, &refused) {
            return Some((
                Cause::Refused,
                last(&refused),
                "renew the AWS credentials; `aws sts get-caller-identity` tests them".to_owned(),
            ));
        }
        let unreachable = ["could not connect to the endpoint", "connect timeout", "connection was closed"];
        if says(tail, &unreachable) {
            return Some((Cause::Unavailable, last(&unreachable), "check AWS_REGION and the network".to_owned()));
        }
    }
    conflict(tail).map(|why| {
        let help = "change one of the requirements named above in its pyproject.toml, then lock again";
        (Cause::Tool { code: 1, said: String::new() }, why, help.to_owned())
    })
}

/// How much of poetry's derivation is told; all of it can take pages, and is in the log.
const TOLD: usize = 500;

/// Why poetry finds no versions that fit together, on one line: the end of its derivation, back to a sentence's beginning;
/// nothing where that isn't the trouble.
pub fn conflict(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let told = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(end) = lower.find("version solving failed") else {
        let start = lower.find("incompatible constraints in requirements")?;
        let end = lower[start..].find("\n\n").map_or(text.len(), |at| start + at);
        return Some(told(&text[start..end]));
    };
    let end = end + "version solving failed".len();
    // Each sentence begins a line with "Because", "And because", "So, because" …
    let begins =
        lower[..end].match_indices("because").map(|(at, _)| lower[..at].rfind('\n').map_or(0, |newline| newline + 1));
    let begins: Vec<usize> = begins.collect();
    let last = begins.last().copied().unwrap_or(0);
    let start = begins.iter().copied().find(|start| end - start <= TOLD).unwrap_or(last);
    Some(told(&text[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations() {
        let kind = |program: &str, args: &[&str], tail: &str| {
            explain(&Invocation::new(program, args.iter().copied()), tail).map(|(kind, ..)| kind)
        };
        for (program, args, tail, expected) in [
            ("docker", &["push"][..], "unauthorized: authentication required", Some(Cause::Refused)),
            ("docker", &["push"], "denied: requested access to the resource is denied", Some(Cause::Refused)),
            ("docker", &["push"], "dial tcp 127.0.0.1:9: connect: connection refused", Some(Cause::Unavailable)),
            ("docker", &["build"], "Cannot connect to the Docker daemon at unix:///x", Some(Cause::Unavailable)),
            ("docker", &["build"], "connection refused", None),
            ("/t/bin/aws", &["ecr"], "Unable to locate credentials. You can configure", Some(Cause::Refused)),
            (
                "poetry",
                &["lock"],
                "Because a needs b (1)\n and c needs b (2), version solving failed.",
                Some(Cause::Tool { code: 1, said: String::new() }),
            ),
            (
                "poetry",
                &["lock"],
                "Incompatible constraints in requirements of x (0):\na (<1)\na (==2)",
                Some(Cause::Tool { code: 1, said: String::new() }),
            ),
            ("poetry", &["lock"], "something else", None),
        ] {
            assert_eq!(kind(program, args, tail), expected, "{tail}");
        }
    }

    #[test]
    fn the_end_of_a_derivation_is_told() {
        let short = "x\nBecause a depends on b (1)\n and c on b (2), a is forbidden.\nSo, because p depends on a, version solving failed.\n";
        let told = "Because a depends on b (1) and c on b (2), a is forbidden. So, because p depends on a, version solving failed";
        assert_eq!(conflict(short).as_deref(), Some(told));
        let long =
            format!("Because {} is long.\nSo, because p depends on a, version solving failed.", "a ".repeat(TOLD));
        assert_eq!(conflict(&long).as_deref(), Some("So, because p depends on a, version solving failed"));
        assert_eq!(conflict("all is well"), None);
    }

    #[test]
    fn a_marked_error_is_told_before_what_came_last() {
        assert_eq!(last_words("a\nerror: b\n help: do c\n\n"), (Some("b"), Some("do c")));
        assert_eq!(last_words("error: b\nerror: c\nd\n"), (Some("c"), None));
        assert_eq!(last_words("error: old\n1\n2\n3\n4\n5"), (Some("5"), None));
        assert_eq!(last_words("help: nothing failed"), (Some("help: nothing failed"), None));
        assert_eq!(last_words("\n"), (None, None));
    }

    #[test]
    fn only_the_end_is_transient() {
        assert!(transient("x\nreceived unexpected HTTP status: 503 Service Unavailable"));
        assert!(!transient("connection reset by peer\na\nb\nc\nd\ne\nfailed for good"));
        assert!(login_refused("denied: Your authorization token has expired. Reauthenticate and try again."));
    }
}
