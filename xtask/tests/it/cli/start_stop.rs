//! `start` and `stop`.

use crate::support::{Reply, Repo, calls, dev, effects};

#[test]
fn start_builds_what_is_missing_and_prints_the_address() {
    let repo = Repo::new();
    repo.on("docker compose * port fastapi-serve 8000", Reply::prints("0.0.0.0:8000"));
    let ran = repo.run(&["start", "fastapi-serve"]).succeeds();
    assert_eq!(
        calls(&repo),
        [
            dev("build build-tools"),
            dev("build python-base"),
            dev("build fastapi-serve"),
            dev("up --detach --force-recreate --no-build --wait fastapi-serve"),
            dev("port fastapi-serve 8000"),
        ]
    );
    assert_eq!(ran.stdout, "http://127.0.0.1:8000\n");
    for command in ["logs fastapi-serve --follow", "shell fastapi-serve", "stop fastapi-serve"] {
        assert!(ran.stderr.contains(&format!(" cargo xtask {command}\n")), "{command}: {}", ran.stderr);
    }
}

#[test]
fn start_says_where_there_is_no_address() {
    let ran = Repo::new().run(&["start", "kubeflow-a"]).succeeds();
    assert!(
        ran.stderr.contains("\nkubeflow-a has no ports: there is no address to open\nwhat it prints:  "),
        "{}",
        ran.stderr
    );
}

#[test]
fn start_builds_nothing_that_is_there() {
    let repo = Repo::new();
    for image in ["python-base", "fastapi-serve"] {
        repo.engine_has(image, "sha256:1", &[("core-images.stage", "development")]);
    }
    repo.run(&["start", "fastapi-serve"]).succeeds();
    let up = dev("up --detach --force-recreate --no-build --wait fastapi-serve");
    assert_eq!(effects(&repo), [up, dev("port fastapi-serve 8000")]);
}

#[test]
fn a_start_that_fails_shows_the_log_and_the_app_s_own_error_and_cleans_up() {
    let repo = Repo::new();
    repo.on("docker compose * up *", Reply::fails(1, "container core-images-fastapi-serve-1 is unhealthy"));
    repo.on("docker compose * logs *", Reply::prints("ImportError: no module named demo\nINFO: waiting"));
    let shell = "a shell in it:  IMAGE_TAG=1.4 WORKSPACE=../shop cargo xtask shell fastapi-serve";
    let why = "is unhealthy: it says `ImportError: no module named demo`";
    let ran = repo.xtask(&["start", "fastapi-serve", "--image-tag", "1.4"]).env("WORKSPACE", "../shop").run();
    let ran = ran.fails(1, &[why, shell]);
    assert!(ran.stderr.contains("INFO: waiting"), "{}", ran.stderr);
    let calls = repo.calls();
    let logs = dev("logs --no-color --no-log-prefix --tail 50 fastapi-serve");
    assert_eq!(calls[calls.len() - 2..], [logs, dev("rm --stop --force --volumes fastapi-serve")]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_module_that_no_lock_has_is_an_error_with_the_help_that_day_md_shows() {
    let repo = Repo::new();
    repo.on("docker compose * up *", Reply::fails(1, "container core-images-fastapi-serve-1 is unhealthy"));
    repo.on("docker compose * logs *", Reply::prints("ModuleNotFoundError: No module named 'arrow'"));
    let ran = repo.xtask(&["start", "fastapi-serve"]).env("WORKSPACE", "../shop").run();
    let ran = ran.fails(1, &["is unhealthy: it says `ModuleNotFoundError: No module named 'arrow'`"]);
    let page = include_str!("../../../../docs/day.md");
    assert!(page.contains(&format!("\n help: {}\n", ran.help())), "{}", ran.help());
}

#[test]
fn a_service_whose_project_has_a_lock_that_moves_the_image_is_not_started() {
    let repo = Repo::new();
    let moves = "poetry.lock moves 1 of the image's packages:";
    repo.on("docker compose * project-packages", Reply::fails(1, moves));
    let ran = repo.xtask(&["start", "fastapi-serve"]).env("WORKSPACE", ".").run();
    ran.fails(1, &["install the packages of .", moves]);
    assert!(!repo.calls().iter().any(|call| call.contains(" up ")), "{:?}", repo.calls());
    assert!(repo.calls().last().unwrap().starts_with("docker rm --force --volumes fastapi-serve-packages-"));
}

#[test]
fn start_is_not_tried_after_a_failed_build() {
    let repo = Repo::new();
    repo.on("docker compose * build fastapi-serve", Reply::fails(3, "no"));
    repo.run(&["start", "fastapi-serve"]).fails(3, &["build fastapi-serve"]);
    assert_eq!(repo.calls().last().unwrap(), &dev("build fastapi-serve"));
}

#[test]
fn stop_removes_the_named_images_containers_only() {
    let repo = Repo::new();
    repo.run(&["stop", "fastapi-serve", "kubeflow-b", "--jobs", "1"]).succeeds();
    let rm = |image| dev(&format!("rm --stop --force --volumes {image}"));
    assert_eq!(repo.calls(), [rm("fastapi-serve"), rm("kubeflow-b")]);
}
