//! Who said what, and what it means.

use super::*;

fn diagnosis(role: &Role, run: &str, code: u8, tail: &str) -> Diagnosis {
    let mut words = run.split(' ');
    let run = Invocation::new(words.next().unwrap(), words);
    match verdict(&Ended { role, run: &run, code, tail, profile: Some("p") }) {
        Verdict::Failed(diagnosis) => *diagnosis,
        Verdict::Done(note) => panic!("{note}"),
    }
}

const BUILD: &str = "docker compose --file f build a";
const PUSH: &str = "docker compose --file f push a";
const SUITE: &str = "docker compose --file f run --rm a-tests";
const AWS: &str = "/t/bin/aws ecr get-login-password";
const LOGIN: &str = "docker login --username AWS host";
const REGISTRY: Role = Role::Registry { login: None };

#[test]
fn a_credential_helper_that_fails_is_named() {
    for tail in [
        "Error saving credentials: mkdir /x: read-only file system",
        "error getting credentials - err: exec: \"docker-credential-x\": executable file not found in $PATH",
    ] {
        let Diagnosis { fault, .. } = diagnosis(&Role::Login, LOGIN, 1, tail);
        assert_eq!(fault.cause.exit_code(), 69, "{fault}");
        assert!(fault.help.as_deref().unwrap_or_default().contains("credsStore"), "{fault:?}");
    }
}

#[test]
fn codes_and_advice() {
    for (role, run, code, tail, expected, help) in [
        (REGISTRY, PUSH, 1, "unauthorized: authentication required", 77, "cargo xtask login"),
        (REGISTRY, PUSH, 1, "denied: requested access to the resource is denied", 77, "may push"),
        (REGISTRY, PUSH, 1, "dial tcp 127.0.0.1:9: connect: connection refused", 69, "REGISTRY"),
        (REGISTRY, PUSH, 1, "x509: certificate signed by unknown authority", 69, "certs.d"),
        (REGISTRY, PUSH, 1, "Cannot connect to the Docker daemon at unix:///x", 69, "setup"),
        (REGISTRY, "docker pull a", 18, "something new", 18, ""),
        (REGISTRY, "docker pull a", 1, "write /var/lib/docker/tmp/x: no space left on device", 1, "docker system df"),
        (
            Role::Packages,
            "apt-get install",
            100,
            "E: Failed to fetch x  Temporary failure resolving 'y'",
            100,
            "doctor",
        ),
        (Role::Login, LOGIN, 1, "Error: unauthorized: incorrect username or password", 77, "AWS_ACCOUNT_ID"),
        (Role::Login, AWS, 253, "Unable to locate credentials. You can configure", 77, "AWS_PROFILE"),
        (Role::Login, AWS, 255, "The config profile (nosuch) could not be found", 77, "list-profiles"),
        (
            Role::Login,
            AWS,
            255,
            "Error loading SSO Token: Token for s does not exist",
            77,
            "/t/bin/aws sso login --profile p",
        ),
        (
            Role::Login,
            AWS,
            255,
            "Error when retrieving credentials from custom-process: ",
            77,
            "credential_process --profile p",
        ),
        (Role::Login, AWS, 255, "EOF when reading a line", 77, "in a terminal"),
        (Role::Login, AWS, 254, "SSL validation failed for x [SSL: CERTIFICATE_VERIFY_FAILED] y", 69, "AWS_CA_BUNDLE"),
        (
            Role::Build,
            BUILD,
            1,
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            69,
            "setup",
        ),
        (Role::Build, BUILD, 1, "failed to receive status: rpc error: code = Unavailable desc = EOF", 69, "doctor"),
        (Role::Build, BUILD, 17, "failed to solve: Unavailable: error reading from server: EOF", 69, "doctor"),
        (Role::Login, AWS, 255, "Warning: echoed\nEnter MFA code for arn:x: \n\n", 77, "in a terminal"),
        (
            Role::Login,
            AWS,
            255,
            "Enter MFA code for arn:x: \nCould not connect to the endpoint URL: x",
            69,
            "AWS_REGION",
        ),
        (Role::Build, BUILD, 17, "connection refused", 17, ""),
        (Role::Suite, SUITE, 1, "denied: 401 Unauthorized\n1 failed in 0.1s", 1, ""),
        (
            Role::Suite,
            SUITE,
            125,
            "time=\"2026\" level=error msg=\"error waiting for container: unexpected EOF\"",
            69,
            "doctor",
        ),
        (Role::Command, "docker compose up", 1, "Error response from daemon: pull access denied for a", 77, "log in"),
        (Role::Command, "docker compose up", 1, "container a: 401 Unauthorized", 1, ""),
        (Role::Packages, "poetry lock", 1, "[SSL: CERTIFICATE_VERIFY_FAILED]", 69, "CA_BUNDLE"),
        (
            Role::Command,
            "poetry lock",
            1,
            "Because a needs b (1)\n and c b (2), version solving failed.",
            1,
            "lock again",
        ),
        (
            Role::Command,
            "poetry lock",
            1,
            "Incompatible constraints in requirements of x (0):\na (<1)",
            1,
            "lock again",
        ),
        (Role::Command, "poetry lock", 3, "something else", 3, ""),
        (Role::Login, "sudo --validate", 1, "sudo: a terminal is required to read the password", 77, "in a terminal"),
        (Role::Command, "sudo apt-get x", 9, "apt-get: no", 9, ""),
    ] {
        let fault = diagnosis(&role, run, code, tail).fault;
        assert_eq!(fault.cause.exit_code(), expected, "{run}: {tail}: {fault}");
        let advice = fault.help.unwrap_or_default();
        assert!(advice.contains(help) && advice.is_empty() == help.is_empty(), "{tail}: {advice}");
    }
}

/// What a RUN prints is repeated at the end of the build, behind its time.
fn failed_run(command: &str, said: &str) -> String {
    let said: String = said.lines().map(|line| format!("0.238 {line}\n")).collect();
    format!(
        "#5 [2/2] RUN {command}\n#5 ERROR: process \"/bin/sh -c {command}\" did not complete successfully: exit code: 1\n\
         ------\n > [2/2] RUN {command}:\n{said}------\n\
         failed to solve: process \"/bin/sh -c {command}\" did not complete successfully: exit code: 1"
    )
}

#[test]
fn a_run_that_says_nothing_is_named_by_its_beginning() {
    let told = |command: &str| diagnosis(&Role::Build, BUILD, 1, &failed_run(command, "")).fault.what;
    assert!(
        told("false")
            .ends_with(": failed to solve: process \"/bin/sh -c false\" did not complete successfully: exit code: 1")
    );
    let long = told(&format!("false && {}", "true && ".repeat(50)));
    assert!(long.contains("process \"/bin/sh -c false && true ") && long.len() < 250, "{long}");
    assert!(long.ends_with(" …\" did not complete successfully: exit code: 1"), "{long}");
}

#[test]
fn what_is_gone_is_no_failure_of_a_clean_up() {
    assert!(is_gone("Error response from daemon: No such container: a-tests-7\n") && is_gone(""));
    assert!(!is_gone("Error: No such container: a\nCannot connect to the Docker daemon"));
}

#[test]
fn a_builds_failure_is_its_own() {
    for (said, why, help) in [
        ("cat: /d/x: Permission denied", "cat: /d/x: Permission denied", ""),
        (
            "ERROR: HTTP error 401 Unauthorized while getting x",
            "ERROR: HTTP error 401 Unauthorized while getting x",
            "",
        ),
        ("error: dpkg: docker.sock, is the docker daemon running", "is the docker daemon running", ""),
        ("Cannot connect to the Docker daemon at unix:///x", "Cannot connect", ""),
        ("dd: No space left on device\n0 bytes copied", "17: dd: No space left on device", "docker system df"),
        ("W: Temporary failure resolving 'a'\nE: no package", "17: W: Temporary", "cargo xtask doctor"),
        (
            "× Failed to fetch\n  cause: failed to lookup address information: Name or service not known",
            "cause: failed to lookup address information: Name or service not known",
            "cargo xtask setup",
        ),
        ("E: no package\nthat is it", "17: E: no package", ""),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because a==1 and b==2, no",
            "a==1 and b==2",
            "lock again",
        ),
    ] {
        let found = diagnosis(&Role::Build, BUILD, 17, &failed_run("x denied: 403 Forbidden", said));
        let (fault, advice) = (&found.fault, found.fault.help.as_deref().unwrap_or_default());
        assert_eq!(fault.cause.exit_code(), 17, "{fault}");
        assert!(fault.what.starts_with("`docker compose build a` ended with exit code 17: "), "{fault}");
        assert!(fault.what.contains(why) && !fault.what.contains("did not complete"), "{fault}");
        assert!(advice.contains(help) && advice.is_empty() == help.is_empty(), "{said}: {advice}");
        assert!(!found.transient && !found.login_refused && found.second_look.is_some(), "{found:?}");
    }
}

#[test]
fn what_speaks_in_a_container_is_not_docker() {
    let run = "docker compose --file f run --rm --build build-tools poetry lock";
    for (tail, code, why) in [
        ("ERROR: is the docker daemon running\nunauthorized: no", 9, "unauthorized: no"),
        ("Because a, version solving failed.\n\n", 9, "Because a, version solving failed"),
        ("Error response from daemon: Conflict. The container name is in use", 9, "Conflict"),
        (&failed_run("x", "no"), 9, ": no"),
        ("Cannot connect to the Docker daemon at unix:///x", 69, "doesn't answer"),
    ] {
        let found = diagnosis(&Role::Packages, run, 9, tail);
        assert_eq!(found.fault.cause.exit_code(), code, "{tail}");
        assert!(found.fault.what.contains(why) && !found.login_refused, "{}", found.fault);
    }
    assert!(diagnosis(&Role::Packages, run, 9, "Read: connection reset by peer").transient);
}

#[test]
fn a_base_that_cannot_be_pulled_is_a_registrys_word() {
    for (why, code) in [
        ("unexpected status from HEAD request to https://r/v2/b/manifests/1: 401 Unauthorized", 77),
        ("pull access denied, repository does not exist or may require authorization", 77),
        ("dial tcp: lookup r: no such host", 69),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", 69),
        ("r/b:1: not found", 17),
    ] {
        let tail = format!("failed to solve: r/b:1: failed to resolve source metadata for r/b:1: {why}");
        assert_eq!(diagnosis(&Role::Build, BUILD, 17, &tail).fault.cause.exit_code(), code, "{why}");
        // The same words, printed by a RUN.
        let tail = failed_run(&format!("echo failed to solve: a: failed to resolve source metadata: {why}"), &tail);
        assert_eq!(diagnosis(&Role::Build, BUILD, 17, &tail).fault.cause.exit_code(), 17, "{why}");
    }
}

#[test]
fn a_disk_that_is_full_for_buildkit_itself_gets_the_same_advice() {
    let tail = "failed to solve: failed to register layer: write /x: no space left on device";
    let fault = diagnosis(&Role::Build, BUILD, 17, tail).fault;
    assert!(fault.help.unwrap().contains("docker system df") && fault.what.ends_with(tail), "{}", fault.what);
    // The command's own text is no word of the disk's.
    let tail = failed_run("grep 'no space left on device' log", "no");
    assert_eq!(diagnosis(&Role::Build, BUILD, 17, &tail).fault.help, None);
}

/// BuildKit 0.12 cuts the beginning off the first line.
#[test]
fn a_first_line_without_its_time_is_shown() {
    let tail =
        "------\n > [2/2] RUN x:\n/d/x: Permission denied\n------\nfailed to solve: process \"x\" did not complete";
    let what = diagnosis(&Role::Build, BUILD, 17, tail).fault.what;
    assert_eq!(what, "`docker compose build a` ended with exit code 17: /d/x: Permission denied");
}

#[test]
fn a_long_command_is_not_repeated() {
    let command = "x".repeat(400);
    let what = diagnosis(&Role::Build, BUILD, 17, &failed_run(&command, "no")).fault.what;
    assert_eq!(what, "`docker compose build a` ended with exit code 17: no");
}

#[test]
fn ecrs_words() {
    let refers = "The push refers to repository [1.dkr.ecr.eu-west-1.amazonaws.com/a]\n";
    let missing = "name unknown: The repository with name 'a' does not exist in the registry with id '1'";
    let fault = diagnosis(&REGISTRY, PUSH, 1, &format!("{refers}{missing}")).fault;
    assert_eq!((fault.cause.exit_code(), fault.what.ends_with(missing)), (69, true), "{fault}");
    let command = "create it: `aws ecr create-repository --repository-name a --region eu-west-1`";
    assert_eq!(fault.help.as_deref(), Some(command));
    let taken = "tag invalid: The image tag '1' already exists in the 'a' repository and cannot be overwritten because the tag is immutable.";
    let fault = diagnosis(&REGISTRY, PUSH, 1, taken).fault;
    assert_eq!(fault.cause.exit_code(), 77);
    assert!(fault.help.unwrap().contains("another IMAGE_TAG"));
}

#[test]
fn only_ecr_is_logged_in_to_by_us() {
    for (host, expected) in [
        ("1.dkr.ecr.eu-west-1.amazonaws.com", "log in again: `cargo xtask login`"),
        ("ghcr.io", "log in: `docker login ghcr.io`"),
        ("localhost:5000", "log in: `docker login localhost:5000`"),
    ] {
        for says in [
            format!("The push refers to repository [{host}/acme/a]\n5f70: Pushing [==>]  1kB"),
            // Compose's own words.
            format!(" Pushing {host}/acme/a:1: d2cacdd2d0fc Preparing"),
        ] {
            let fault = diagnosis(&REGISTRY, PUSH, 1, &format!("{says}\nunauthorized: authentication required")).fault;
            assert_eq!((fault.cause.exit_code(), fault.help.as_deref()), (77, Some(expected)));
        }
    }
}

#[test]
fn a_helper_that_logs_in_by_itself_is_no_failure() {
    let run = Invocation::new("docker", ["login", "host"]);
    let says = |role, run, tail| verdict(&Ended { role, run, code: 1, tail, profile: None });
    let tail = "Error saving credentials: error storing credentials - err: exit status 1, out: `not implemented`";
    assert!(matches!(says(&Role::Login, &run, tail), Verdict::Done(_)));
    let other = "Error saving credentials: error storing credentials - err: exit status 1, out: `no keychain`";
    assert!(matches!(says(&Role::Login, &run, other), Verdict::Failed(_)));
    assert!(matches!(says(&REGISTRY, &Invocation::new("docker", ["push", "login"]), tail), Verdict::Failed(_)));
}

#[test]
fn the_end_of_a_derivation_is_shown() {
    let short = "x\nBecause a depends on b (1)\n and c on b (2), a is forbidden.\nSo, because p depends on a, version solving failed.\n";
    let shown =
        "Because a depends on b (1) and c on b (2), a is forbidden. So, because p depends on a, version solving failed";
    assert_eq!(conflict(short).as_deref(), Some(shown));
    let long = format!("Because {} is long.\nSo, because p depends on a, version solving failed.", "a ".repeat(500));
    assert_eq!(conflict(&long).as_deref(), Some("So, because p depends on a, version solving failed"));
    assert_eq!(conflict("all is well"), None);
    // Its lower case is longer than it is.
    let text = "/home/İİİİ/p\nBecause a, version solving failed.";
    assert_eq!(conflict(text).as_deref(), Some("Because a, version solving failed"));
    let text = "İncompatible: Incompatible constraints in requirements of ß (0):\nß";
    assert_eq!(conflict(text).as_deref(), Some("Incompatible constraints in requirements of ß (0): ß"));
}

#[test]
fn a_marked_error_is_shown_before_what_came_last() {
    assert_eq!(last_words("a\nerror: b\n help: do c\n\n"), (Some("b"), Some("do c")));
    assert_eq!(last_words("error: b\nerror: c\nd\n"), (Some("c"), None));
    assert_eq!(last_words("error: old\n1\n2\n3\n4\n5"), (Some("5"), None));
    assert_eq!(last_words("help: nothing failed"), (Some("help: nothing failed"), None));
    assert_eq!(last_words("\n"), (None, None));
}

#[test]
fn only_the_end_is_transient() {
    let found = |tail: &str| diagnosis(&REGISTRY, PUSH, 1, tail);
    assert!(found("x\nreceived unexpected HTTP status: 503 Service Unavailable").transient);
    assert!(!found("connection reset by peer\na\nb\nc\nd\ne\nfailed for good").transient);
    assert!(found("denied: Your authorization token has expired. Reauthenticate and try again.").login_refused);
}
