//! `deploy`: pushes, retries, and what it prints.

use crate::support::{EXPIRED, REGISTRY, Reply, SECRET, effects, push, ready_to_deploy, what_of};

#[test]
fn deploy_pushes_bases_first_and_prints_the_digests() {
    let repo = ready_to_deploy();
    let ran = repo.run(&["deploy", "fastapi-serve", "python-base"]).succeeds();
    let raw = |image| format!("docker buildx imagetools inspect --raw {REGISTRY}/{image}:latest");
    let id = |image| format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/{image}:latest");
    let digest =
        |image| format!("docker buildx imagetools inspect --format <{{{{json .Manifest}}}}> {REGISTRY}/{image}:latest");
    // What is asked side by side comes in any order.
    let mut calls = repo.calls();
    for asked in [0..3, 7..11] {
        calls[asked].sort();
    }
    assert_eq!(
        calls,
        [
            raw("fastapi-serve"),
            raw("python-base"),
            what_of(&["python-base", "fastapi-serve"]),
            id("python-base"),
            push("python-base"),
            id("fastapi-serve"),
            push("fastapi-serve"),
            digest("fastapi-serve"),
            digest("python-base"),
            raw("fastapi-serve"),
            raw("python-base"),
        ]
    );
    let line = |image| format!("{REGISTRY}/{image}:latest@sha256:d19e57-{image}\n");
    assert_eq!(ran.stdout, line("python-base") + &line("fastapi-serve"));
}

#[test]
fn what_ecr_would_refuse_is_said_before_anything_is_pushed() {
    let repo = ready_to_deploy();
    repo.install("timeout");
    let taken = format!("docker buildx imagetools inspect --raw {REGISTRY}/python-base:latest");
    repo.on(&taken, Reply::prints("{\"config\":{\"digest\":\"sha256:other\"}}"));
    let descriptor = "docker buildx imagetools inspect --format *python-base:latest";
    repo.on(descriptor, Reply::prints("{\"digest\":\"sha256:m\"}"));
    repo.on("timeout 20 aws ecr describe-repositories *", Reply::prints(r#"[["python-base", "IMMUTABLE"]]"#));
    let ran = repo.run(&["deploy", "python-base", "fastapi-serve"]).fails(
        77,
        &["nothing was pushed", "python-base: the registry has another image", "no repository fastapi-serve"],
    );
    for help in ["choose another IMAGE_TAG", "aws ecr create-repository --repository-name fastapi-serve"] {
        assert!(ran.help().contains(help), "no {help} in {}", ran.stderr);
    }
    assert!(!effects(&repo).iter().any(|call| call.contains(" push ")), "{:?}", effects(&repo));
}

#[test]
fn deploy_prints_json_lines() {
    let repo = ready_to_deploy();
    let ran = repo.run(&["deploy", "python-base", "--json"]).succeeds();
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["image"], &line["digest"]), (&"python-base".into(), &"sha256:d19e57-python-base".into()));
}

#[test]
fn a_transient_error_is_retried() {
    let repo = ready_to_deploy();
    let words = "received unexpected HTTP status: 503 Service Unavailable";
    repo.on("docker compose * push python-base", Reply::fails(1, words).times(1));
    let ran = repo.run(&["deploy", "python-base"]).succeeds();
    assert_eq!(effects(&repo), [push("python-base"), push("python-base")]);
    assert!(ran.stderr.contains("push python-base: a transient error; again in 0 s (retry 1 of 4; "), "{}", ran.stderr);
}

/// Slow, because of the waits between retries; so both run at the same time.
#[test]
fn a_registry_that_stays_down_is_given_up() {
    let repo = ready_to_deploy();
    let words = "received unexpected HTTP status: 503 Service Unavailable";
    repo.on("docker compose * push *", Reply::fails(1, words));
    repo.on("docker login *", Reply::fails(1, words));
    for args in [&["deploy", "python-base", "fastapi-serve"][..], &["login"]] {
        assert!(repo.run(args).fails(69, &["503 Service Unavailable"]).help().contains("REGISTRY"));
    }
    let count = |line: &str| effects(&repo).iter().filter(|call| call.ends_with(line)).count();
    assert_eq!((count("push python-base"), count("push fastapi-serve"), count(REGISTRY)), (5, 0, 5));
}

#[test]
fn an_expired_login_is_renewed_and_the_push_tried_again() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push python-base", Reply::fails(1, EXPIRED).times(1));
    repo.on("aws *", Reply::prints(SECRET));
    let ran = repo.run(&["deploy", "python-base"]).succeeds();
    let login = format!("docker login --username AWS --password-stdin {REGISTRY}");
    let aws = "aws ecr get-login-password --region us-east-1".to_owned();
    assert_eq!(effects(&repo), [push("python-base"), aws, login, push("python-base")]);
    assert!(!ran.stderr.contains("p4ss"), "{}", ran.stderr);
}

#[test]
fn deploy_reports_why_it_failed() {
    let again = ["push", "aws", "login", "push"];
    for (words, code, why, help, calls) in [
        ("unauthorized: authentication required", 77, "unauthorized", "cargo xtask login", &again[..]),
        (EXPIRED, 77, "token has expired", "cargo xtask login", &again),
        ("denied: requested access to the resource is denied", 77, "denied", "may push", &["push"]),
        ("unexpected status from PUT request: 403 Forbidden", 77, "403 Forbidden", "may push", &["push"]),
        ("dial tcp 127.0.0.1:9: connect: connection refused", 69, "connection refused", "REGISTRY", &["push"]),
        ("something new", 18, "something new", "deploy python-base", &["push"]),
    ] {
        let repo = ready_to_deploy();
        repo.on("docker compose * push *", Reply::fails(18, words));
        let ran = repo.run(&["deploy", "python-base"]).fails(code, &[why]);
        assert!(ran.help().contains(help) && ran.help().contains("cargo xtask deploy python-base"), "{}", ran.stderr);
        assert!(ran.stderr.contains("not in the registry: python-base"), "{}", ran.stderr);
        let done = effects(&repo);
        assert!(
            done.len() == calls.len() && done.iter().zip(calls).all(|(call, word)| call.contains(word)),
            "{done:?}"
        );
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_refused_push_is_reported_as_such_where_nobody_can_log_in() {
    for aws in [false, true] {
        let repo = ready_to_deploy();
        repo.on("docker compose * push *", Reply::fails(1, "unauthorized: authentication required"));
        repo.on("aws *", Reply::fails(255, "Unable to locate credentials"));
        if !aws {
            repo.uninstall(&["aws"]);
        }
        let ran = repo.run(&["deploy", "python-base"]).fails(77, &["push python-base", "unauthorized"]);
        assert!(ran.help().contains("cargo xtask login"), "{}", ran.stderr);
    }
}

#[test]
fn an_image_that_is_there_already_is_not_pushed() {
    let repo = ready_to_deploy();
    repo.run(&["deploy", "python-base"]).succeeds();
    let again = repo.run(&["deploy", "python-base", "fastapi-serve"]).succeeds();
    assert_eq!(effects(&repo), [push("python-base"), push("fastapi-serve")]);
    assert!(again.stderr.contains("python-base: the registry has this very image already"), "{}", again.stderr);
    assert_eq!(again.stdout.lines().count(), 2);
}

#[test]
fn a_push_that_fails_after_another_reports_what_arrived() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push fastapi-serve", Reply::fails(5, "something new"));
    let ran = repo.run(&["deploy", "python-base", "fastapi-serve"]).fails(5, &["push fastapi-serve", "something new"]);
    assert_eq!(ran.stdout, format!("{REGISTRY}/python-base:latest@sha256:d19e57-python-base\n"));
    assert!(ran.stderr.contains("not in the registry: fastapi-serve\n"), "{}", ran.stderr);
    assert!(ran.help().contains("cargo xtask deploy fastapi-serve"), "{}", ran.stderr);
}

#[test]
fn nothing_is_pushed_after_a_push_that_failed() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push python-base", Reply::fails(5, "something new"));
    let ran = repo.run(&["deploy", "python-base", "fastapi-serve"]).fails(5, &["push python-base"]);
    assert_eq!(effects(&repo), [push("python-base")]);
    assert!(ran.stderr.contains("not in the registry: python-base, fastapi-serve\n"), "{}", ran.stderr);
}

#[test]
fn a_push_that_the_registry_does_not_confirm_is_a_failure() {
    let repo = ready_to_deploy();
    repo.on("docker buildx imagetools inspect --raw *", Reply::prints("{\"config\":{\"digest\":\"sha256:other\"}}"));
    let ran = repo.run(&["deploy", "python-base"]).fails(69, &["doesn't confirm python-base"]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_registry_that_wants_a_login_has_not_said_no() {
    let repo = ready_to_deploy();
    repo.on("docker buildx imagetools inspect *", Reply::fails(1, "ERROR: unexpected status: 401 Unauthorized"));
    repo.on("docker compose * push *", Reply::fails(1, EXPIRED));
    repo.on("aws *", Reply::fails(255, "Unable to locate credentials"));
    let ran = repo.run(&["deploy", "python-base"]).fails(77, &["token has expired"]);
    assert!(ran.stderr.contains("the registry doesn't say whether it has python-base: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("not in the registry"), "{}", ran.stderr);
}
