//! `logs` and `shell`: the terminal, the signals and the exit code are the tool's.

use crate::support::{Reply, Repo, calls, dev, effects};

fn started() -> Repo {
    let repo = Repo::new();
    for image in ["python-base", "fastapi-serve"] {
        repo.engine_has(image, "sha256:1", &[("core-images.stage", "development")]);
    }
    repo.on("docker compose * ps *", Reply::prints("0123456789ab"));
    repo
}

#[test]
fn logs_go_to_standard_output() {
    let repo = started();
    repo.on("docker compose * logs *", Reply::prints("fastapi-serve-1  | up"));
    let ran = repo.run(&["logs", "fastapi-serve"]).succeeds();
    assert_eq!(ran.stdout, "fastapi-serve-1  | up\n");
    assert_eq!(calls(&repo), [dev("ps --all --quiet fastapi-serve"), dev("logs fastapi-serve")]);
}

#[test]
fn logs_of_what_is_not_started_say_so() {
    let repo = Repo::new();
    let ran = repo.xtask(&["logs", "fastapi-serve", "--image-tag", "1.4"]).run();
    let ran = ran.fails(2, &["logs fastapi-serve: it isn't started"]);
    assert_eq!(ran.stderr, ran.message(), "the error says it all");
    assert!(ran.help().contains("`IMAGE_TAG=1.4 cargo xtask start fastapi-serve`"), "{}", ran.stderr);
    assert_eq!(calls(&repo), [dev("ps --all --quiet fastapi-serve")]);
}

#[test]
fn ctrl_c_ends_logs_that_are_followed_without_an_error() {
    let repo = started();
    repo.on("docker compose * logs *", Reply::blocks());
    let mut running = repo.terminal("exec cargo xtask logs fastapi-serve --follow").start();
    repo.wait_until_blocked();
    running.types("\x03");
    let seen = running.finish();
    assert_eq!((seen.code, seen.stdout.contains("error:")), (130, false), "{}", seen.stdout);
    assert_eq!(repo.signals(), [dev("logs --follow fastapi-serve")]);
}

#[test]
fn a_shell_is_in_the_container_that_is_up_and_its_exit_code_is_no_error() {
    let repo = started();
    repo.on("docker compose * exec fastapi-serve bash", Reply::fails(3, "exit"));
    let ran = repo.run(&["shell", "fastapi-serve"]);
    assert_eq!((ran.code, ran.stderr.ends_with("\nexit\n")), (3, true), "{}", ran.stderr);
    assert_eq!(effects(&repo), [dev("exec --no-TTY fastapi-serve true"), dev("exec fastapi-serve bash")]);
}

#[test]
fn without_one_that_is_up_a_shell_is_in_a_container_of_its_own() {
    let repo = Repo::new();
    repo.on("docker compose * exec *", Reply::fails(1, "service \"fastapi-serve\" is not running"));
    let ran = repo.run(&["shell", "fastapi-serve", "--", "pip", "list"]).succeeds();
    assert!(!ran.stderr.contains("is not running"), "{}", ran.stderr);
    let builds = ["build build-tools", "build python-base", "build fastapi-serve"];
    let opened = ["exec --no-TTY fastapi-serve true", "run --rm fastapi-serve pip list"];
    assert_eq!(calls(&repo), builds.iter().chain(&opened).map(|call| dev(call)).collect::<Vec<_>>());
}

#[test]
fn what_a_person_types_goes_to_the_shell() {
    let repo = started();
    let reads = "[ -t 0 ] && [ -t 1 ] && read -r word && echo \"read $word\"; exit 0";
    repo.on("docker compose * exec fastapi-serve bash", Reply::does(reads));
    let mut running = repo.terminal("exec cargo xtask shell fastapi-serve").start();
    running.types("ls\r");
    let seen = running.finish().succeeds();
    assert!(seen.stdout.contains("\nread ls\n"), "{:?}", seen.stdout);
}

#[test]
fn nothing_is_drawn_over_a_shell_in_what_was_just_built() {
    let repo = Repo::new();
    repo.on("docker compose * exec *", Reply::prints("a shell"));
    repo.on("docker compose * build fastapi-serve", Reply::does("command -p sleep 0.3; exit 0"));
    let seen = repo.terminal("cargo xtask shell fastapi-serve").run().succeeds().stdout;
    let (built, shell) = seen.rsplit_once("\x1b[J").unwrap();
    assert!(built.contains("▸ build fastapi-serve") && shell.ends_with("a shell\n"), "{seen:?}");
    assert!(!shell.contains("build") && !shell.contains("done"), "{seen:?}");
}
