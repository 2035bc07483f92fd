//! Several steps at a terminal: a line each, and no log but of what fails.

use super::{World, plan};
use plan::{Action, Compute, OnFailure, Plan, Report, Role, Step};

/// What is on the screen after all that was written: knows what a board is drawn with.
fn screen(written: &str) -> Vec<String> {
    let (mut lines, mut at) = (vec![String::new()], 0);
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => {
                at += 1;
                lines.resize(lines.len().max(at + 1), String::new());
            }
            '\r' => {}
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (parameter, last) = (&rest[1..end], &rest[end..=end]);
                match last {
                    "A" => at -= parameter.parse::<usize>().unwrap(),
                    "J" => {
                        lines.truncate(at);
                        lines.push(String::new());
                    }
                    "m" | "l" | "h" => {}
                    other => panic!("{other}"),
                }
                rest = &rest[end + 1..];
            }
            c => lines[at].push(c),
        }
    }
    lines.pop();
    lines
}

/// The screen, with `T` in the place of times.
fn shown(world: &World) -> Vec<String> {
    let time = |line: String| match (line.split_once(" ("), line.split_once(" s)")) {
        (Some((head, _)), Some((_, tail))) => format!("{head} (T){tail}"),
        _ => line,
    };
    screen(&world.stderr.text()).into_iter().map(time).collect()
}

fn builds(world: &World, second: &str) -> Plan {
    plan([
        world.step("a", "printf '\\033]0;owned\\007log\\tof a\\n'; until [ -e b ]; do sleep 0.01; done; sleep 0.3"),
        world.step("b", &format!(": >b; echo log of b; {second}")),
        world.step("c", "echo log of c").after([0]),
    ])
}

#[test]
fn what_goes_on_has_a_line_each_and_leaves_the_summary() {
    let world = World::live();
    assert_eq!(world.run(&builds(&world, ":")), Ok(()));
    let written = world.stderr.text();
    for seen in ["▸ a", "  log of a\n", "· c          waits for a\x1b[0m\n", "✓ b", "1 of 3 done, "] {
        assert!(written.contains(seen), "{seen}: {written}");
    }
    assert!(!written.contains("owned"), "a tool must not set a title: {written:?}");
    assert_eq!(shown(&world), ["✓ a (T)", "✓ b (T)", "✓ c (T)"]);
}

#[test]
fn of_what_fails_its_own_end_is_shown_once() {
    let world = World::live();
    let fault = world.run(&builds(&world, "seq 100; echo why >&2; exit 3")).unwrap_err();
    assert_eq!(fault.cause.exit_code(), 3);
    let shown = shown(&world);
    let log: Vec<&str> = shown.iter().filter_map(|line| line.strip_prefix("b │ ")).collect();
    let before = "… 43 lines before these (`--verbose` shows all)";
    assert_eq!((log.len(), log[0], log[1], log[log.len() - 1]), (61, before, "42", "why"), "{shown:?}");
    assert_eq!(shown.len(), 64, "nothing of the others but their ends: {shown:?}");
    assert!(shown[61].starts_with("✓ a (") && shown[62] == "✗ b failed (T)", "{shown:?}");
}

#[test]
fn no_credential_is_shown_of_what_goes_on_or_fails() {
    let world = World::live();
    let says = "echo https://user:s3cret@host/; sleep 0.3; exit 3";
    world.run(&builds(&world, says)).unwrap_err();
    let written = world.stderr.text();
    assert!(written.contains("  https://***@host/\n") && written.contains("│ https://***@host/\n"), "{written}");
    assert!(!written.contains("s3cret"), "{written}");
}

/// Two steps may fail at the same time.
#[test]
fn nothing_comes_between_the_lines_of_what_fails() {
    let world = World::live();
    world.run(&builds(&world, "echo one; echo two; exit 3")).unwrap_err();
    let written = world.stderr.text();
    let between = written.split_once("│ one\n").and_then(|(_, rest)| rest.split_once("│ two\n")).unwrap().0;
    assert!(!between.contains('\n'), "{between:?}");
}

#[test]
fn of_a_build_that_fails_only_what_buildkit_says_at_the_end_is_shown() {
    let world = World::live();
    let end = "echo '#1 why'; printf -- '------\\n > [x 1/2] RUN y:\\nwhy\\n------\\n'; exit 3";
    world.run(&builds(&world, end)).unwrap_err();
    let shown = shown(&world);
    let log: Vec<&str> = shown.iter().filter_map(|line| line.strip_prefix("b │ ")).collect();
    let before = "… 3 lines before these (`--verbose` shows all)";
    assert_eq!(log, [before, "------", " > [x 1/2] RUN y:", "why", "------"]);
}

#[test]
fn what_comes_one_after_the_other_has_a_line_each_too() {
    let world = World::live();
    let draws = || world.step("a", "[ -t 1 ] && echo draws || echo prints; sleep 0.3").role(Role::Build);
    let chain = plan([draws(), draws().after([0])]);
    assert_eq!(world.run(&chain), Ok(()));
    assert_eq!(shown(&world), ["✓ a (T)", "✓ a (T)"]);
    assert!(world.stderr.text().contains("▸ a") && !world.stderr.text().contains("draws"));
    // Alone, a build draws itself.
    assert_eq!(world.run(&plan([draws()])), Ok(()));
    assert!(world.stderr.text().contains("draws"));
}

#[test]
fn all_that_is_printed_is_shown_to_whoever_asks() {
    let world = World::live().with(|settings| settings.verbose = true);
    assert_eq!(world.run(&builds(&world, ":")), Ok(()));
    let shown = shown(&world);
    for seen in ["a │ log\tof a", "b │ log of b", "c │ log of c"] {
        assert!(shown.iter().any(|line| line == seen), "{seen}: {shown:?}");
    }
}

#[test]
fn why_the_run_goes_on_without_a_step_is_said() {
    let world = World::live();
    let keep = world.step("keep", "echo log; echo why >&2; exit 3").on_failure(OnFailure::Continue);
    assert_eq!(world.run(&plan([keep, world.step("b", ":").after([0])])), Ok(()));
    let shown = shown(&world);
    assert!(shown[0].starts_with("keep │ keep: ") && shown[0].ends_with(": why; going on without"), "{shown:?}");
    assert_eq!(shown[1..], ["· keep failed, went on without", "✓ b (T)"]);
}

#[test]
fn what_could_not_be_cleaned_up_is_said() {
    let world = World::live();
    let Step { action: cleanup, .. } = world.step("remove", "echo it is stuck; exit 1");
    let fails = world.step("a", "echo why; exit 3").cleanup([cleanup]);
    world.run(&plan([fails, world.step("b", ":").after([0])])).unwrap_err();
    let shown = shown(&world);
    let of_a = |line: &String| line.starts_with("a │ ");
    assert_eq!(shown.iter().rfind(|line| of_a(line)).map(String::as_str), Some("a │ it is stuck"), "{shown:?}");
}

/// The board must not be drawn over it.
#[test]
fn what_is_said_meanwhile_stands_above() {
    let world = World::live();
    let mut plan = builds(&world, ":");
    let says = Compute::new("# says", [], |_| Report::default().note("meanwhile"));
    plan.push(Step::new("says", Action::Compute(says)).after([1]));
    assert_eq!(world.run(&plan), Ok(()));
    assert_eq!(shown(&world), ["meanwhile", "✓ a (T)", "✓ b (T)", "✓ c (T)"]);
}
