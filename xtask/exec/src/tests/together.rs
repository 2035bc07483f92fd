//! Several images in one process, whose lines say whose they are.

use super::{World, plan};
use plan::{Invocation, Plan, Role, Step};
use project::ImageName;

/// What stands in for BuildKit: for each name it runs `script`, and notes that it was called.
fn builder(world: &World, script: &str) -> Invocation {
    let script = format!("cd {}; echo \"$@\" >>calls; {script}", world.folder.display());
    Invocation::new("bash", ["-c".to_owned(), script, "bake".to_owned()])
}

/// Steps that build these images: the name, and the indexes of the steps that it needs.
fn builds(world: &World, command: &Invocation, images: &[(&str, &[usize])]) -> Plan {
    plan(images.iter().map(|(name, after)| {
        let step = world.step(&format!("build {name}"), &format!("echo alone {name} >>calls"));
        let step = Step { image: Some(name.parse::<ImageName>().unwrap()), ..step };
        step.role(Role::Build).after(after.iter().copied()).together(Some(command))
    }))
}

/// What BuildKit prints of an image that is built.
const BUILT: &str = r##"n=$((n + 1)); printf "#$n [$name] exporting to image\n#$n DONE 0.1s\n""##;

#[test]
fn what_is_ready_is_built_in_one_process() {
    let world = World::new();
    let command = builder(&world, &format!("for name; do {BUILT}; done"));
    // Both wait for the one that is told last: what is told in two pieces starts in two.
    let images = [("a", &[][..]), ("b", &[]), ("c", &[1]), ("d", &[1, 0]), ("e", &[2])];
    assert_eq!(world.run(&builds(&world, &command, &images)), Ok(()));
    // One alone needs none.
    assert_eq!(world.read("calls"), "a b\nc d\nalone e\n");
    let said = world.stderr.text();
    assert!(said.contains("a │ #1 DONE 0.1s\n") && said.contains("b │ #2 DONE 0.1s\n"), "{said}");
}

#[test]
fn a_child_does_not_wait_for_those_that_are_built_beside_its_base() {
    let world = World::new();
    // It ends when another process has built the child.
    let waits = r#"[ "$name" != slow ] || until [ -e c ]; do sleep 0.01; done; : >"$name""#;
    let command = builder(&world, &format!("for name; do {waits}; {BUILT}; done"));
    let images = [("a", &[][..]), ("slow", &[]), ("c", &[0]), ("d", &[0])];
    assert_eq!(world.run(&builds(&world, &command, &images)), Ok(()));
    assert_eq!(world.read("calls"), "a slow\nc d\n");
}

#[test]
fn a_failure_stops_only_what_needs_it() {
    let world = World::new();
    let fails = r#"[ "$name" != b ] || { printf -- '------\n > [b 1/2] RUN x:\n0.1 it broke\n------\nERROR: failed\n'; exit 5; }"#;
    let command = builder(&world, &format!("for name; do {fails}; {BUILT}; done"));
    let images = [("a", &[][..]), ("b", &[]), ("c", &[]), ("of-b", &[1]), ("of-c", &[2])];
    let fault = world.run(&builds(&world, &command, &images)).unwrap_err();
    assert_eq!(fault.cause.exit_code(), 5);
    assert!(fault.what.starts_with("build b: ") && fault.what.ends_with(": it broke"), "{}", fault.what);
    // Where it failed, it is not built again; what it stopped is.
    assert_eq!(world.read("calls"), "a b c\nalone c\nalone of-c\n");
    assert!(world.stderr.text().contains("· build of-b not run\n"), "{}", world.stderr.text());
}

#[test]
fn what_fails_as_a_whole_is_done_one_by_one() {
    let world = World::new();
    let command = builder(&world, "echo ERROR: unknown flag; exit 1");
    assert_eq!(world.run(&builds(&world, &command, &[("a", &[]), ("b", &[])])), Ok(()));
    let calls = world.read("calls");
    let mut alone: Vec<&str> = calls.lines().skip(1).collect();
    alone.sort_unstable();
    assert_eq!((calls.lines().next(), alone), (Some("a b"), vec!["alone a", "alone b"]));
}

#[test]
fn no_credential_is_shown_of_any_image() {
    let world = World::new();
    let says = r##"echo "#7 [$name 1/2] RUN x https://user:s3cret@host/$name"; echo "https://user:s3cret@host/all""##;
    let command = builder(&world, &format!("for name; do {says}; {BUILT}; done"));
    assert_eq!(world.run(&builds(&world, &command, &[("a", &[]), ("b", &[])])), Ok(()));
    let said = world.stderr.text();
    let lines = said.lines().filter(|line| !line.starts_with("$ "));
    let shown: Vec<&str> = lines.filter_map(|line| line.split_once("https://")).map(|(_, url)| url).collect();
    assert_eq!(shown, ["***@host/all", "***@host/a", "***@host/all", "***@host/b"]);
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn on_github_each_image_has_a_block_of_its_own() {
    let world = World::on(false, true);
    let command = builder(&world, &format!("for name; do {BUILT}; done"));
    assert_eq!(world.run(&builds(&world, &command, &[("a", &[]), ("b", &[])])), Ok(()));
    let said = world.stderr.text();
    assert!(said.contains("::group::build a\n#1 [a] exporting to image\n#1 DONE 0.1s\n::endgroup::\n"), "{said}");
}
