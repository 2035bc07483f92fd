//! On a real terminal: one that we make for a tool, and one that a person types at.
#![expect(clippy::disallowed_methods, reason = "starts the tests again, at a terminal")]

use super::{World, plan};
use crate::{Executor, Settings, output::Ui};
use plan::{Action, Invocation, Role, Step};
use std::{
    env,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio, exit},
};

#[test]
fn a_build_alone_on_a_terminal_draws_and_fails_by_the_same_words_as_elsewhere() {
    let script =
        "[ -t 1 ] && [ -t 2 ] && printf '\\033[1Adraws\\r\\n\\033]0;title\\007' || echo prints; echo why; exit 17";
    let run = |terminal| {
        let world = World::on(terminal, false);
        let build = Step::new("build a", Action::Run(Invocation::new("sh", ["-c", script]))).role(Role::Build);
        let fault = world.run(&plan([build])).unwrap_err();
        (fault, world.stderr.text())
    };
    let ((drawn, on_terminal), (printed, elsewhere)) = (run(true), run(false));
    assert!(on_terminal.contains("\x1b[1Adraws\r\nwhy\n"), "{on_terminal:?}");
    assert!(elsewhere.contains("\nprints\nwhy\n"), "{elsewhere:?}");
    assert_eq!((drawn.what.as_str(), drawn.cause.exit_code()), ("build a: `sh …` ended with exit code 17: why", 17));
    assert_eq!((printed.what, printed.help), (drawn.what, drawn.help));
}

#[test]
fn only_a_build_alone_draws() {
    let script = "[ -t 1 ] && echo draws || echo prints";
    let step = |role| Step::new("a", Action::Run(Invocation::new("sh", ["-c", script]))).role(role);
    let said = |world: World, steps: Vec<Step>| {
        world.run(&plan(steps)).unwrap();
        world.stderr.text()
    };
    for role in [Role::Command, Role::Suite, Role::Packages] {
        assert!(said(World::on(true, false), vec![step(role)]).contains("prints\n"));
    }
    assert!(!said(World::on(true, false), vec![step(Role::Build), step(Role::Build)]).contains("draws\n"));
    assert!(!said(World::on(true, true), vec![step(Role::Build)]).contains("draws\n"));
}

/// Says a word, and asks for one at the terminal, as aws does for an MFA code.
const ASKS: &str = "printf 'Code: ' >&2; read code </dev/tty || exit 9; echo $code";

/// Set where the test below has started this again.
const SCENARIO: &str = "EXEC_SCENARIO";

#[test]
#[ignore = "a scenario: run by the tests below"]
fn scenario_log_in() {
    if env::var_os(SCENARIO).is_none() {
        return;
    }
    crate::interrupt::listen().unwrap();
    let ui = Ui::detect();
    let executor = Executor::new(Settings::new(ui.clone(), Vec::new(), 1));
    let sh = |script: &str| Invocation::new("sh", ["-c", script]);
    let login = Action::Pipe(sh(ASKS), sh("read code; echo got $code >&2"));
    let result = executor.run(&plan([Step::new("log in", login).role(Role::Login)]));
    result.as_ref().err().inspect(|fault| ui.fault(fault));
    exit(result.map_or_else(|fault| fault.cause.exit_code().into(), |()| 0));
}

/// `line`, in which `"$@"` is the scenario, in a shell at a terminal that shows what is typed and printed.
fn at_a_terminal(line: &str) -> Child {
    let scenario = format!(
        "set -- '{}' --exact tests::terminal::scenario_log_in --ignored --nocapture; {line}",
        env::current_exe().unwrap().display()
    );
    // What hangs is a failure, too.
    let mut command = Command::new("timeout");
    command.args(["60", "script"]);
    command
        .args(["--quiet", "--return", "--command", &scenario, "/dev/null"])
        .env(SCENARIO, "1")
        .env("SHELL", "/bin/sh");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn read_until(child: &mut Child, words: &str) -> String {
    let stdout = child.stdout.as_mut().unwrap();
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&seen).contains(words) {
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "never said {words}: {}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

fn rest(mut child: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[test]
fn who_logs_in_may_be_asked_at_the_terminal() {
    let mut child = at_a_terminal("exec \"$@\"");
    // The question has no line's end. (The echoed command holds it, too, but not at a line's beginning.)
    read_until(&mut child, "\nCode: ");
    child.stdin.as_mut().unwrap().write_all(b"123456\r").unwrap();
    let (code, text) = rest(child);
    assert!(code == Some(0) && text.contains("got 123456"), "{code:?} {text}");
}

#[test]
fn ctrl_c_at_a_question_ends_the_run() {
    let mut child = at_a_terminal("exec \"$@\"");
    read_until(&mut child, "\nCode: ");
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let (code, text) = rest(child);
    assert!(code == Some(130) && text.contains("interrupted"), "{code:?} {text}");
}

/// A background job must not wait for an answer that nobody can give: the kernel would stop it.
#[test]
fn a_question_that_nobody_can_answer_fails_at_once() {
    for line in ["set -m; \"$@\" & wait $!", "setsid --wait \"$@\""] {
        let (code, text) = rest(at_a_terminal(line));
        assert!(code == Some(9) && text.contains("log in: `sh …` ended with exit code 9"), "{line}: {code:?} {text}");
    }
}
