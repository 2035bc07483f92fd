//! What keeps `deploy` from pushing.

use crate::support::{REGISTRY, Reply, Repo, effects, is_ready, push, ready_to_deploy, registry_takes, suite_reports};

#[test]
fn deploy_guards() {
    let development = ("core-images.stage", "development");
    let stand_in = ("core-images.stand-in", "debian:trixie-slim");
    for (labels, validated, flags, why) in [
        (Some(&[][..]), true, &[][..], None),
        (None, false, &["--force-unvalidated", "--force-development"], Some("the engine has no image")),
        (Some(&[development]), true, &["--force-unvalidated"], Some("the development stage")),
        (Some(&[development]), true, &["--force-development"], None),
        (
            Some(&[stand_in]),
            true,
            &["--force-unvalidated", "--force-development"],
            Some("stand-in (debian:trixie-slim)"),
        ),
        (Some(&[]), false, &["--force-development"], Some("its suite, as it is now, has not passed for sha256:1")),
        (Some(&[]), false, &["--force-unvalidated"], None),
    ] {
        let repo = Repo::new();
        if validated {
            is_ready(&repo, "python-base", "sha256:1");
        }
        if let Some(labels) = labels {
            repo.engine_has("python-base", "sha256:1", labels);
            if validated && labels == [development] {
                repo.run(&["validate", "python-base"]).succeeds();
                repo.forget();
            }
        }
        registry_takes(&repo, "python-base", "sha256:1");
        let ran = repo.run(&[&["deploy", "python-base"], flags].concat());
        match why {
            None => assert!(ran.succeeds().stdout.contains("sha256:d19e57-python-base")),
            Some(why) => {
                let ran = ran.fails(77, &["nothing was pushed", why]);
                assert!(ran.help().contains("python-base") || why.contains("stand-in"), "{}", ran.stderr);
                assert_eq!(effects(&repo), [""; 0], "{flags:?}");
                assert_eq!(ran.stdout, "");
            }
        }
    }
}

#[test]
fn a_stand_in_may_go_to_a_registry_on_this_machine_only() {
    for (registry, goes) in [("localhost:5000", true), ("127.0.0.1:5000", true), ("10.0.0.1:5000", false)] {
        let repo = Repo::new();
        let reference = format!("{registry}/python-base:latest");
        repo.engine_has_at(&reference, "sha256:1", &[("core-images.stand-in", "debian")]);
        registry_takes(&repo, "python-base", "sha256:1");
        let ran = repo.run(&["deploy", "python-base", "--force-unvalidated", "--registry", registry]);
        assert_eq!(ran.code, if goes { 0 } else { 77 }, "{registry}: {}", ran.stderr);
        assert_eq!(effects(&repo).len(), usize::from(goes), "{registry}");
    }
}

#[test]
fn deploy_lists_every_objection_and_pushes_nothing() {
    let repo = Repo::new();
    is_ready(&repo, "python-base", "sha256:1");
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    repo.engine_has("kubeflow-a", "sha256:3", &[("core-images.stage", "development")]);
    registry_takes(&repo, "python-base", "sha256:1");
    let ran = repo.run(&["deploy", "--all"]).fails(
        77,
        &[
            "fastapi-serve: its suite, as it is now, has not passed",
            "kubeflow-a: built at the development",
            "kubeflow-b: the engine has no",
        ],
    );
    let help = "`ENVIRONMENT=ci cargo xtask build kubeflow-a kubeflow-b && \
                ENVIRONMENT=ci cargo xtask validate kubeflow-a fastapi-serve`\n       \
                or, if you mean it, `deploy` with --force-development --force-unvalidated";
    assert_eq!(ran.help(), help);
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn a_suite_that_passed_for_another_build_does_not_count() {
    let repo = ready_to_deploy();
    repo.engine_has("python-base", "sha256:newer", &[]);
    repo.run(&["deploy", "python-base"]).fails(77, &["its suite, as it is now, has not passed for sha256:newer"]);
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn a_suite_that_passed_before_a_test_was_tightened_does_not_count() {
    let repo = ready_to_deploy();
    repo.write("images/python-base/tests/test_it.py", "assert 1 < 2");
    let ran = repo.run(&["deploy", "python-base"]).fails(77, &["its suite, as it is now, has not passed for sha256:1"]);
    assert!(ran.help().contains("cargo xtask validate python-base"), "{}", ran.stderr);
    assert_eq!(effects(&repo), [""; 0]);
    repo.run(&["validate", "python-base", "--environment", "ci"]).succeeds();
    repo.run(&["deploy", "python-base"]).succeeds();
}

#[test]
fn a_production_image_tested_as_a_development_one_has_not_passed() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[]);
    suite_reports(&repo, "python-base", 0, 0);
    repo.run(&["validate", "python-base"]).succeeds();
    repo.run(&["deploy", "python-base"]).fails(77, &["its suite, as it is now, has not passed for sha256:1"]);
}

#[test]
fn a_helper_is_never_pushed() {
    let repo = Repo::new();
    repo.run(&["deploy", "build-tools"]).fails(2, &["never published"]);
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn deploy_does_not_push_an_image_rebuilt_after_it_was_checked() {
    let repo = ready_to_deploy();
    // Another clone builds fastapi-serve while python-base is pushed.
    let id = format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/fastapi-serve:latest");
    repo.on(&id, Reply::prints("sha256:anew"));
    let ran = repo.run(&["deploy", "fastapi-serve", "python-base"]);
    let ran = ran.fails(75, &["push fastapi-serve: the engine no longer has it as it was checked"]);
    for help in ["cargo xtask validate fastapi-serve", "cargo xtask deploy fastapi-serve"] {
        assert!(ran.help().contains(help), "{}", ran.stderr);
    }
    assert_eq!(effects(&repo), [push("python-base")]);
    assert_eq!(ran.stdout, format!("{REGISTRY}/python-base:latest@sha256:d19e57-python-base\n"));
}

#[test]
fn an_engine_that_is_gone_before_a_push_is_not_a_changed_image() {
    let repo = ready_to_deploy();
    let id = format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/python-base:latest");
    repo.on(&id, Reply::fails(1, "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"));
    repo.run(&["deploy", "python-base"]).fails(69, &["the docker engine doesn't answer"]);
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn an_image_that_is_gone_before_its_push_is_reported_as_gone() {
    let repo = ready_to_deploy();
    let id = format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/python-base:latest");
    repo.on(&id, Reply::fails(1, "Error response from daemon: No such image: python-base:latest"));
    let ran = repo.run(&["deploy", "python-base"]).fails(75, &["the engine no longer has it as it was checked"]);
    assert!(ran.help().contains("run `cargo xtask deploy python-base` again"), "{}", ran.stderr);
    assert_eq!(effects(&repo), [""; 0]);
    let ran = repo.run(&["validate", "kubeflow-a", "--environment", "ci", "--image-tag", "1"]).fails(2, &["no image"]);
    assert!(ran.help().contains("`ENVIRONMENT=ci IMAGE_TAG=1 cargo xtask build kubeflow-a`"), "{}", ran.stderr);
}
