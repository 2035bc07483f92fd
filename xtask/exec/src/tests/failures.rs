//! Further tries, clean-ups, and errors of our own.

use super::{World, plan};
use crate::interrupt::Target;
use plan::{Action, EnvValue, Invocation, OnFailure, Role, Step};
use project::error::Cause;
use std::{fs, time::Duration};

/// A fake docker that fails by these words as often as `fails` says, and counts.
fn push(world: &World, fails: u32, words: &str) -> Step {
    let script = format!(
        "#!/bin/sh\ncd {}\necho \"$1\" >>calls\n[ $(grep -c push calls) -gt {fails} ] || {{ echo '{words}' >&2; exit 1; }}\n",
        world.folder.display()
    );
    let docker = world.path("docker");
    fs::write(&docker, script).unwrap();
    fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = Invocation::new(docker.to_str().unwrap(), ["push", "a"]);
    Step::new("push a", Action::Run(run)).role(Role::Registry { login: None })
}

const DOWN: &str = "received unexpected HTTP status: 503 Service Unavailable";

#[test]
fn a_transient_error_is_tried_again_but_not_for_ever() {
    let world = World::new();
    assert_eq!(world.run(&plan([push(&world, 2, DOWN)])), Ok(()));
    assert_eq!(world.read("calls").lines().count(), 3);
    let said = world.stderr.text();
    assert!(
        said.contains("push a: a transient error; again in 0 s (retry 2 of 4; none begins after 120 s)\n"),
        "{said}"
    );

    let world = World::new();
    let fault = world.run(&plan([push(&world, 9, DOWN)])).unwrap_err();
    assert_eq!((fault.cause.exit_code(), world.read("calls").matches("push").count()), (69, 5));

    // The whole is bounded, however many tries there could be.
    let world = World::new().with(|settings| settings.backoff = vec![Duration::from_secs(3600)]);
    assert!(world.run(&plan([push(&world, 9, DOWN)])).is_err());
    assert_eq!(world.read("calls").matches("push").count(), 1);

    let world = World::new();
    assert!(world.run(&plan([push(&world, 9, "for good")])).is_err());
    assert_eq!(world.read("calls").matches("push").count(), 1);
}

#[test]
fn a_refused_login_is_renewed_once() {
    let world = World::new();
    let step = |world: &World, fails| {
        let login = Some(Box::new(Action::Run(world.sh("echo login >>calls"))));
        Step { role: Role::Registry { login }, ..push(world, fails, "denied: Your authorization token has expired.") }
    };
    assert_eq!(world.run(&plan([step(&world, 1)])), Ok(()));
    assert_eq!(world.read("calls"), "push\nlogin\npush\n");
    let world = World::new();
    assert_eq!(world.run(&plan([step(&world, 9)])).unwrap_err().cause, Cause::Refused);
    assert_eq!(world.read("calls").matches("login").count(), 1);
}

#[test]
fn a_failure_is_the_engines_where_the_engine_is_gone() {
    for (answers, code) in [("exit 0", 17), ("exit 1", 69)] {
        let world = World::new();
        let docker = world.path("docker");
        fs::write(&docker, format!("#!/bin/sh\n[ $1 != version ] || {answers}\nexit 17\n")).unwrap();
        fs::set_permissions(&docker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        // The second look is for `docker`, which is found on the PATH.
        let path = format!("{}:{}", world.folder.display(), std::env::var("PATH").unwrap());
        let build = Invocation::new("docker", ["compose", "build", "a"]);
        let step = Step::new("build a", Action::Run(build)).role(Role::Build);
        let mut plan = plan([step]);
        plan.exports.push(("PATH".to_owned(), EnvValue::Text(path)));
        let fault = world.run(&plan).unwrap_err();
        assert_eq!(fault.cause.exit_code(), code, "{fault}");
        assert!(fault.what.starts_with("build a: `docker compose build a` ended with exit code 17"), "{fault}");
    }
}

#[test]
fn a_clean_up_that_hangs_is_given_up_with_all_that_it_started() {
    let world = World::new().with(|settings| settings.cleanup_limit = Duration::from_millis(200));
    // The shell's child holds the pipe, and one that left the group does so, too.
    let hangs = "sleep 1000 & echo $! >one; setsid sleep 1000 & echo $! >two; wait";
    let clean = [Action::Run(world.sh(hangs)), Action::Run(world.sh(": >next"))];
    let fault = world.run(&plan([world.step("a", "exit 3").cleanup(clean)])).unwrap_err();
    assert_eq!(fault.cause.exit_code(), 3);
    assert!(world.path("next").exists(), "the next clean-up has run");
    assert!(world.stderr.text().contains("`sh …` takes too long, given up\n"), "{}", world.stderr.text());
    let group = world.read("one");
    let state = fs::read_to_string(format!("/proc/{}/stat", group.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "it was killed: {state}");
    Target::Process(world.read("two").trim().parse().unwrap()).kill();
}

#[test]
fn a_clean_up_is_heard_only_where_it_fails_at_something() {
    let world = World::new();
    let says = |word: &str, code: u8| Action::Run(world.sh(&format!("echo {word} >&2; exit {code}")));
    let clean = [says("done", 0), says("No such container", 1), says("device busy", 1)];
    world.run(&plan([world.step("a", "exit 3").cleanup(clean)])).unwrap_err();
    let said = world.stderr.text();
    let heard = |line: &&str| ["done", "No such container", "device busy"].contains(line);
    assert_eq!(said.lines().filter(heard).collect::<Vec<_>>(), ["device busy"], "{said}");
}

#[test]
fn what_a_tool_leaves_running_is_not_waited_for() {
    let world = World::new();
    let step = world.step("a", "setsid sleep 1000 & echo $! >pid; echo begun; exit 0");
    assert_eq!(world.run(&plan([step])), Ok(()));
    assert!(world.stderr.text().contains("\nbegun\n"));
    let output = world.executor.capture(&world.sh("setsid sleep 1000 & echo $! >>pid; echo begun")).unwrap();
    assert_eq!(output.stdout, "begun");
    world.read("pid").lines().for_each(|pid| Target::Process(pid.parse().unwrap()).kill());
}

/// Nor is the end of one that never stops printing.
#[test]
fn what_a_tool_leaves_printing_is_not_read_for_ever() {
    let world = World::new();
    let output = world.executor.capture(&world.sh("setsid yes & echo $! >pid; sleep 0.1; exit 3")).unwrap();
    assert_eq!(output.code, 3);
    Target::Process(world.read("pid").trim().parse().unwrap()).kill();
}

#[test]
fn a_file_that_cannot_be_written_is_74() {
    let world = World::new();
    let file = world.path("file");
    fs::write(&file, "").unwrap();
    let below = file.join("below");
    for action in [
        Action::Write { to: below.clone(), text: "x".to_owned() },
        Action::OpenFolder(below.clone()),
        Action::Stage { from: vec![world.path("none")], to: world.path("to") },
        Action::Replace(vec![(world.path("none"), world.path("to"))]),
    ] {
        let fault = world.run(&plan([Step::new("write it", action)])).unwrap_err();
        assert_eq!(fault.cause, Cause::Io, "{fault}");
        assert!(fault.what.starts_with("write it: ") && fault.what.contains(world.folder.to_str().unwrap()), "{fault}");
    }
}

#[test]
fn a_file_is_replaced_in_one_go_or_not_at_all() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = World::new();
    let (file, link) = (world.path("file"), world.path("link"));
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    symlink(&file, &link).unwrap();
    let write =
        |to: &std::path::Path| plan([Step::new("w", Action::Write { to: to.to_owned(), text: "new".to_owned() })]);
    assert_eq!(world.run(&write(&link)), Ok(()));
    assert_eq!(world.read("file"), "new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
    // A folder can't be replaced; what was written beside it goes away.
    let folder = world.path("folder");
    fs::create_dir(&folder).unwrap();
    assert!(world.run(&write(&folder)).is_err());
    let mut names: Vec<_> = fs::read_dir(&world.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["file", "folder", "link"]);
}

#[test]
fn files_are_replaced_all_or_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    for name in ["old-a", "new-a", "new-b", "old-c"] {
        fs::write(world.path(name), name).unwrap();
    }
    let pair = |letter: &str| (world.path(&format!("new-{letter}")), world.path(&format!("old-{letter}")));
    let replace = |letters: &[&str]| {
        plan([Step::new("put", Action::Replace(letters.iter().map(|letter| pair(letter)).collect()))])
    };
    // There is no new-c; old-b was not there before.
    assert_eq!(world.run(&replace(&["a", "b", "c"])).unwrap_err().cause, Cause::Io);
    assert_eq!((world.read("old-a").as_str(), world.read("old-c").as_str()), ("old-a", "old-c"));
    assert!(!world.path("old-b").exists());
    fs::write(world.path("new-a"), "new-a").unwrap();
    // As under a strict umask.
    fs::set_permissions(world.path("new-a"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(world.path("old-a"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.run(&replace(&["a"])), Ok(()));
    assert_eq!(world.read("old-a"), "new-a");
    assert_eq!(fs::metadata(world.path("old-a")).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn files_and_folders_are_staged() {
    let world = World::new();
    fs::create_dir_all(world.path("from/below")).unwrap();
    fs::write(world.path("from/below/a"), "a").unwrap();
    fs::write(world.path("b"), "b").unwrap();
    fs::create_dir(world.path("to")).unwrap();
    fs::write(world.path("to/stale"), "").unwrap();
    let stage = Action::Stage { from: vec![world.path("from"), world.path("b")], to: world.path("to") };
    assert_eq!(world.run(&plan([Step::new("stage", stage)])), Ok(()));
    assert_eq!((world.read("to/from/below/a").as_str(), world.read("to/b").as_str()), ("a", "b"));
    assert!(!world.path("to/stale").exists());
}

#[test]
fn a_suite_keeps_its_code_and_a_tool_that_is_missing_is_69() {
    let world = World::new();
    let suite = world.step("validate a", "echo 'denied: 401 Unauthorized'; exit 1").role(Role::Suite);
    assert_eq!(world.run(&plan([suite])).unwrap_err().cause.exit_code(), 1);
    let missing = Step::new("a", Action::Run(Invocation::new("/nowhere/tool", [""; 0])));
    let fault = world.run(&plan([missing])).unwrap_err();
    assert_eq!(fault.cause.exit_code(), 69);
    assert!(fault.what.starts_with("a: starting /nowhere/tool: No such file"), "{fault}");
    let killed = world.step("a", "kill -9 $$");
    assert_eq!(world.run(&plan([killed.on_failure(OnFailure::Fail)])).unwrap_err().cause.exit_code(), 137);
}
