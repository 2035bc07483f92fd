//! Tools that are missing, too old, or don't answer.

use crate::support::{Reply, Repo, refuses};

#[test]
fn without_docker_or_aws_both_are_named() {
    let repo = Repo::new();
    repo.uninstall(&["docker", "aws"]);
    let ran = refuses(&repo, &["login"], 69, &["docker is not installed", "aws is not installed"]);
    let lines =
        "error: before starting:\n  aws is not installed\n  docker is not installed\n help: `cargo xtask setup` ";
    assert!(ran.stderr.starts_with(lines), "one a line: {}", ran.stderr);
    for verb in ["build", "validate", "deploy", "start", "stop"] {
        assert!(refuses(&repo, &[verb, "python-base"], 69, &["docker is not installed"]).help().contains("setup"));
    }
    let repo = Repo::new();
    repo.uninstall(&["aws"]);
    assert!(!refuses(&repo, &["login"], 69, &["aws is not installed"]).stderr.contains("docker is"));
}

#[test]
fn compose_must_be_there_and_new_enough() {
    let missing = "docker: 'compose' is not a docker command.\nSee 'docker --help'";
    for (reply, first_version, words) in [
        (Reply::fails(1, missing), false, "docker has no compose plugin"),
        (Reply::fails(1, missing), true, "docker-compose, version 1, is no substitute"),
        (Reply::prints("1.29.2"), false, "docker compose is 1.29.2, 2.20 or newer is needed"),
        (Reply::prints("v2.19.1"), false, "docker compose is v2.19.1, 2.20 or newer is needed"),
        (Reply::prints("dev"), false, "docker compose is dev"),
    ] {
        let repo = Repo::new();
        repo.on("docker compose version --short", reply);
        if first_version {
            repo.install("docker-compose");
        }
        assert!(refuses(&repo, &["build", "python-base"], 69, &[words]).help().contains("cargo xtask setup"));
    }
}

#[test]
fn an_engine_must_answer() {
    let repo = Repo::new();
    let silent = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    repo.on("docker version *", Reply::fails(1, silent));
    for args in [&["build", "python-base"][..], &["validate", "python-base"], &["deploy", "python-base"], &["login"]] {
        let ran = refuses(&repo, args, 69, &["the docker engine doesn't answer", "Is the docker daemon running?"]);
        assert!(ran.help().contains("cargo xtask setup"));
    }
}

#[test]
fn lock_needs_poetry_or_docker() {
    let repo = Repo::new();
    repo.uninstall(&["poetry", "docker"]);
    let ran = refuses(&repo, &["lock", "python-base"], 69, &["poetry is not installed", "docker"]);
    assert!(ran.help().contains("cargo xtask setup"));
}
