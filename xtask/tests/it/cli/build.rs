//! `build`: order, bases, helpers, and what a failure stops.

use crate::support::{
    Call, Image, PREFLIGHT, REGISTRY, Reply, Repo, asks_what_is_there, calls, ci, dev, effects, identified, labelled,
};

#[test]
fn build_makes_the_missing_bases_first() {
    let repo = Repo::new();
    let ran = repo.run(&["build", "fastapi-serve"]).succeeds();
    let expected = [dev("build build-tools"), dev("build python-base"), dev("build fastapi-serve")];
    assert_eq!(calls(&repo), expected);
    assert_eq!(ran.stdout, "");
    let echoed = [
        identified(&expected[0]),
        labelled("debian:trixie-slim", &expected[1]),
        labelled(&format!("{REGISTRY}/python-base:latest"), &expected[2]),
    ];
    assert_eq!(ran.echoed_builds(), echoed);
}

#[test]
fn build_asks_for_the_tools_once_and_before_any_work() {
    let repo = Repo::new();
    repo.run(&["build", "fastapi-serve"]).succeeds();
    let all: Vec<String> = repo.all_calls().iter().map(Call::line).collect();
    let work = all.iter().position(|call| *call == dev("build build-tools")).unwrap();
    let mut asked: Vec<&String> = all[..work].iter().filter(|call| !asks_what_is_there(call)).collect();
    asked.sort();
    assert_eq!(asked, PREFLIGHT.iter().collect::<Vec<_>>());
    assert_eq!(all.len(), 2 + repo.calls().len());
}

#[test]
fn build_leaves_a_base_that_is_there_at_the_same_stage() {
    for (environment, label, rebuilt) in [
        ("dev", &[("core-images.stage", "development")][..], false),
        ("ci", &[][..], false),
        ("dev", &[][..], true),
        ("ci", &[("core-images.stage", "development")][..], true),
    ] {
        let repo = Repo::new();
        repo.engine_has("python-base", "sha256:1", label);
        repo.run(&["build", "--environment", environment, "fastapi-serve"]).succeeds();
        let built = repo.calls().iter().any(|call| call.ends_with("build python-base"));
        assert_eq!(built, rebuilt, "{environment} with {label:?}: {:#?}", repo.calls());
        assert_eq!(
            calls(&repo).last().unwrap(),
            &if environment == "ci" { ci("build fastapi-serve") } else { dev("build fastapi-serve") }
        );
    }
}

#[test]
fn build_rebuilds_the_named_image_and_every_helper() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
    repo.run(&["build", "python-base"]).succeeds();
    assert_eq!(effects(&repo), [dev("build build-tools"), dev("build python-base")]);
}

#[test]
fn build_labels_an_image_with_its_origin() {
    let repo = Repo::new();
    repo.install("git");
    let changed = r":000000 100644 0 a A\0images/python-base/pyproject.toml\0";
    let history = format!(r"printf '/commit abc 2026-11-22T20:00:00+00:00 (HEAD -> main)\0{changed}'");
    repo.on("git log *", Reply::does(&format!("{history}; exit 0")));
    repo.on("git status *", Reply::does(r"printf ' M images/python-base/poetry.lock\0'; exit 0"));
    repo.engine_has_at("debian:trixie-slim", "sha256:1", &[]);
    let built =
        |repo: &Repo| repo.all_calls().into_iter().rfind(|call| call.line() == dev("build python-base")).unwrap();
    repo.run(&["build", "python-base"]).succeeds();
    for (name, value) in [
        ("OCI_REVISION", "abc-dirty"),
        ("OCI_CREATED", "2026-11-22T20:00:00+00:00"),
        ("OCI_BASE_NAME", "debian:trixie-slim"),
        // This git knows no remote.
        ("OCI_SOURCE", ""),
    ] {
        assert_eq!(built(&repo).var(name), Some(value), "{name}");
    }
    // No registry has given it one.
    assert_eq!(built(&repo).var("OCI_BASE_DIGEST"), None);
    repo.xtask(&["build", "python-base"]).env("OCI_REVISION", "mine").run().succeeds();
    assert_eq!(built(&repo).var("OCI_REVISION"), Some("mine"));
}

#[test]
fn a_clone_that_is_a_part_of_a_larger_repository_knows_its_commits() {
    let repo = Repo::new();
    repo.install("git");
    let changed = r":000000 100644 0 a A\0teams/img/images/python-base/pyproject.toml\0";
    repo.on("git log *", Reply::does(&format!(r"printf '/commit abc T\0{changed}'; exit 0")));
    repo.on("git -C . rev-parse --show-prefix", Reply::prints("teams/img/"));
    repo.run(&["build", "python-base"]).succeeds();
    let built = repo.all_calls().into_iter().rfind(|call| call.line() == dev("build python-base")).unwrap();
    assert_eq!(built.var("OCI_REVISION"), Some("abc"));
}

#[test]
fn build_takes_another_base_version_as_it_is() {
    let repo = Repo::new();
    repo.run(&["build", "--base-image-tag", "1.4", "fastapi-serve"]).succeeds();
    assert_eq!(calls(&repo), [dev("build build-tools"), dev("build fastapi-serve")]);
    assert_eq!(repo.all_calls().last().unwrap().var("BASE_IMAGE_TAG"), Some("1.4"));
}

#[test]
fn build_without_cache() {
    for args in [&["build", "fastapi-serve", "--use-docker-cache", "false"][..], &["build", "fastapi-serve"]] {
        let repo = Repo::new();
        repo.xtask(args).env("USE_DOCKER_CACHE", if args.len() > 2 { "true" } else { "0" }).run().succeeds();
        let builds: Vec<String> = repo.calls().into_iter().filter(|call| !call.contains("inspect")).collect();
        assert_eq!(
            builds,
            [dev("build build-tools"), dev("build --no-cache python-base"), dev("build --no-cache fastapi-serve")]
        );
    }
}

#[test]
fn several_images_globs_and_all() {
    for (args, built) in [
        (&["kubeflow-b", "python-base"][..], &["python-base", "kubeflow-b"][..]),
        (&["kubeflow-*"], &["kubeflow-a", "kubeflow-b"]),
        (&["kubeflow-?", "kubeflow-b"], &["kubeflow-a", "kubeflow-b"]),
        (&["--all"], &["kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"]),
        (&["python-base", "--with-dependents"], &["kubeflow-a", "python-base", "fastapi-serve"]),
        (&["build-tools"], &["build-tools"]),
    ] {
        let repo = Repo::new();
        repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
        repo.run(&[&["build", "--jobs", "1"], args].concat()).succeeds();
        let mut calls = effects(&repo);
        let mut expected: Vec<String> = built.iter().map(|image| dev(&format!("build {image}"))).collect();
        if built != ["build-tools"] {
            expected.push(dev("build build-tools"));
        }
        calls.sort();
        expected.sort();
        assert_eq!(calls, expected, "{args:?}");
    }
}

#[test]
fn side_by_side_a_base_still_comes_first() {
    let repo = Repo::new();
    // The base is slow, and its children must wait for it.
    let slow = "command -p sleep 0.2; printf '%s\\0' done 0 '' '' >>\"$home/calls\"; exit 0";
    repo.on("docker compose * build python-base", Reply::does(slow));
    repo.run(&["build", "--all", "--jobs", "4"]).succeeds();
    let calls = repo.calls();
    let at = |line: &str| calls.iter().position(|call| call == line).unwrap_or_else(|| panic!("{line} in {calls:#?}"));
    for child in ["kubeflow-a", "fastapi-serve"] {
        assert!(at("done") < at(&dev(&format!("build {child}"))), "{calls:#?}");
    }
    assert!(at(&dev("build kubeflow-b")) < at("done"), "an image of its own needn't wait: {calls:#?}");
}

#[test]
fn images_on_a_failed_base_are_skipped_and_the_others_built() {
    for jobs in ["1", "3"] {
        let repo = Repo::new();
        repo.on("docker compose * build python-base", Reply::fails(17, "failed to solve: process exited with 1"));
        let ran = repo.run(&["build", "--all", "--jobs", jobs]);
        let ran = ran.fails(17, &["build python-base` ended with exit code 17", "failed to solve"]);
        let mut built = effects(&repo);
        built.sort();
        assert_eq!(built, [dev("build build-tools"), dev("build kubeflow-b"), dev("build python-base")]);
        for line in ["✗ build python-base failed", "· build fastapi-serve not run", "· build kubeflow-a not run"] {
            assert!(ran.stderr.contains(line), "no {line} in {}", ran.stderr);
        }
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn after_a_failure_every_step_is_listed_with_how_it_ended() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
    repo.on("docker compose * build fastapi-serve", Reply::fails(17, "no space left"));
    let ran = repo.run(&["start", "fastapi-serve"]).fails(17, &["no space left"]);
    let listed: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with(['✓', '✗', '·'])).collect();
    // Each with the time it took, where it ran.
    let starts = ["✓ build build-tools (", "✗ build fastapi-serve failed (", "· start fastapi-serve not run"];
    assert_eq!(listed.len(), starts.len(), "{}", ran.stderr);
    for (line, start) in listed.iter().zip(starts) {
        assert!(line.starts_with(start), "{line:?} is not {start:?}");
    }
    assert_eq!(
        ran.stderr.matches("ended with exit code 17: no space left").count(),
        1,
        "why is said once: {}",
        ran.stderr
    );
}

#[test]
fn a_failed_helper_stops_all_that_need_it() {
    let repo = Repo::new();
    repo.on("docker compose * build build-tools", Reply::fails(1, "no"));
    repo.run(&["build", "--all"]).fails(1, &["build-tools"]);
    assert_eq!(effects(&repo), [dev("build build-tools")]);
}

#[test]
fn an_engine_that_goes_away_is_not_a_failed_build() {
    let repo = Repo::new();
    let gone = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    repo.on("docker compose * build *", Reply::fails(1, gone));
    let ran = repo.run(&["build", "python-base"]).fails(69, &["the docker engine doesn't answer"]);
    assert!(ran.help().contains("cargo xtask setup"));
}

#[test]
fn a_cycle_elsewhere_does_not_hide_a_builds_result() {
    let image = |name, base| Image { name, base, port: None, suite: true, pyproject: false };
    let repo = Repo::with(&[image("base", None), image("x", Some("y")), image("y", Some("x"))]);
    repo.run(&["build", "base"]).succeeds();
    repo.on("docker compose * build base", Reply::fails(17, "no space left"));
    repo.run(&["build", "base"]).fails(17, &["no space left"]);
}
