//! Ctrl-C, and the signals of a CI runner.

use crate::support::{Reply, Repo, dev, effects, push, ready_to_deploy, record_of, suite_reports};
use nix::sys::signal::Signal;

#[test]
fn an_interrupt_while_the_engine_is_asked_is_not_an_engine_failure() {
    let repo = ready_to_deploy();
    for args in [["deploy", "fastapi-serve"], ["validate", "fastapi-serve"]] {
        repo.on("docker image inspect *", Reply::blocks());
        let running = repo.xtask(&args).start();
        repo.wait_until_blocked();
        running.interrupt();
        running.finish().fails(130, &["interrupted"]);
        assert_eq!(effects(&repo), [""; 0]);
        repo.forget();
    }
}

#[test]
fn an_interrupt_reaches_a_build_once_and_ends_the_run() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let repo = Repo::new();
        repo.on("docker compose * build python-base", Reply::blocks());
        let running = repo.xtask(&["build", "fastapi-serve"]).start();
        repo.wait_until_blocked();
        match signal {
            // As a terminal does it: to the whole process group.
            Signal::SIGINT => running.interrupt(),
            other => running.signal(other),
        }
        running.finish().fails(130, &["interrupted"]);
        let build = dev("build python-base");
        assert_eq!((repo.signals(), repo.wound_down()), (vec![build.clone()], vec![build.clone()]), "{signal}");
        assert_eq!(repo.calls().last().unwrap(), &build);
    }
}

#[test]
fn an_interrupt_reaches_all_that_run_side_by_side() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
    repo.on("docker compose * build fastapi-serve", Reply::does(": >\"$home/second\"; block"));
    let wait = "until [ -e \"$home/second\" ]; do command -p sleep 0.02; done; block";
    repo.on("docker compose * build kubeflow-a", Reply::does(wait));
    let running = repo.xtask(&["build", "fastapi-serve", "kubeflow-a", "--jobs", "2"]).start();
    repo.wait_until_all_blocked(2);
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    let mut signals = repo.signals();
    signals.sort();
    assert_eq!(signals, [dev("build fastapi-serve"), dev("build kubeflow-a")]);
}

#[test]
fn an_interrupted_suite_leaves_no_container() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    repo.on("docker compose * run *", Reply::blocks());
    let running = repo.xtask(&["validate", "fastapi-serve"]).start();
    let container = format!("fastapi-serve-tests-{}", running.pid());
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.signals().len(), 1);
    assert!(repo.calls().contains(&format!("docker rm --force --volumes {container}")), "{:#?}", repo.calls());
    assert!(!repo.has("target/validate/passed"));
}

#[test]
fn an_interrupted_start_leaves_no_container() {
    let repo = Repo::new();
    repo.on("docker compose * up *", Reply::blocks());
    let running = repo.xtask(&["start", "fastapi-serve"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.signals().len(), 1);
    assert_eq!(repo.calls().last().unwrap(), &dev("rm --stop --force --volumes fastapi-serve"));
}

#[test]
fn an_interrupted_lock_leaves_everything_as_it_was() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::blocks());
    let before = repo.snapshot("images");
    let running = repo.xtask(&["lock", "python-base"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.snapshot("images"), before);
    assert!(!repo.has("images/.lock-python-base"));
}

#[test]
fn an_interrupted_lock_of_a_family_leaves_nothing_of_those_that_were_resolved() {
    let repo = Repo::new();
    repo.on("poetry lock * images/.lock-fastapi-serve", Reply::blocks());
    let before = repo.snapshot("images");
    let running = repo.xtask(&["lock", "python-base", "fastapi-serve"]).start();
    repo.wait_until_blocked();
    assert!(repo.has("images/.lock-python-base/poetry.lock"), "resolved, and needed by what is still running");
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.snapshot("images"), before);
    assert!(!repo.has("images/.lock-python-base") && !repo.has("images/.lock-fastapi-serve"));
}

#[test]
fn an_interrupt_ends_the_wait_before_a_retry() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push *", Reply::fails(1, "received unexpected HTTP status: 503 Service Unavailable"));
    let running = repo.xtask(&["deploy", "python-base"]).env("XTASK_BACKOFF_MS", "60000").start();
    running.wait_until_it_says("again in 60 s");
    running.interrupt();
    let ran = running.finish().fails(130, &["interrupted"]);
    assert_eq!(ran.echoed(), [push("python-base")], "no push was begun after it");
}

#[test]
fn an_interrupted_deploy_makes_no_claim_about_the_registry() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push fastapi-serve", Reply::blocks());
    let running = repo.xtask(&["deploy", "python-base", "fastapi-serve"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    let ran = running.finish().fails(130, &["interrupted"]);
    assert_eq!(effects(&repo), [push("python-base"), push("fastapi-serve")]);
    // What the registry has of it is unknown, so nothing is said about it.
    assert_eq!((ran.message().lines().count(), ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(!ran.stderr.contains("in the registry"), "{}", ran.stderr);
}

#[test]
fn an_interrupted_suite_is_neither_passed_nor_failed() {
    let repo = Repo::new();
    for (image, id) in [("python-base", "sha256:1"), ("fastapi-serve", "sha256:2")] {
        repo.engine_has(image, id, &[]);
        suite_reports(&repo, image, 0, 0);
    }
    repo.on("docker compose * run *fastapi-serve-tests", Reply::blocks());
    let running = repo.xtask(&["validate", "python-base", "fastapi-serve", "--jobs", "1"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    let ran = running.finish().fails(130, &["interrupted"]);
    assert_eq!(ran.message().lines().count(), 1, "no verdict of a suite: {}", ran.stderr);
    assert!(ran.stderr.contains("\n· validate fastapi-serve interrupted ("), "{}", ran.stderr);
    let suites = repo.calls().into_iter().filter(|call| call.contains(" run ")).count();
    assert_eq!((suites, repo.signals().len()), (2, 1));
    assert_eq!(record_of(&repo, "sha256:2"), None);
    assert!(record_of(&repo, "sha256:1").is_some(), "what had passed before is remembered");
}

#[test]
fn a_second_interrupt_kills_what_does_not_stop() {
    let repo = Repo::new();
    // Ignores signals, and ends by itself well before the run would kill it.
    repo.on("docker compose * build python-base", Reply::does("block 9 250"));
    let running = repo.xtask(&["build", "python-base"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    repo.wait_for_signals(1);
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.wound_down(), [""; 0], "it was killed, it didn't end by itself");
}
