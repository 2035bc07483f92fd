//! What is printed, and where.

use super::{World, plan};
use crate::output::{Stream, Ui};
use plan::{Action, Compute, EnvValue, Invocation, Note, Plan, Report, Step, Style};
use project::error::{Cause, Fault};
use std::{collections::BTreeSet, fs::File};

#[test]
fn what_is_echoed_can_be_pasted_and_is_short() {
    let world = World::new();
    let asked =
        Invocation::new("sh", ["-c", "echo sha256:1; echo asked >>\"$0\"", world.path("asked").to_str().unwrap()]);
    let run = Invocation::new("sh", ["-c", "echo got $DIGEST"]).env("DIGEST", EnvValue::Printed(Box::new(asked)));
    assert_eq!(world.run(&plan([Step::new("a", Action::Run(run))])), Ok(()));
    assert_eq!(world.stderr.text(), "$ DIGEST=sha256:1 sh -c 'echo got $DIGEST'\ngot sha256:1\n");
    assert_eq!(world.read("asked"), "asked\n", "asked once");
}

#[test]
fn credentials_are_named_and_never_shown() {
    let world = World::new().with(|settings| settings.ui.hide(&crate::output::secrets_of(["https://T0KEN@host/"])));
    let file = world.path("index");
    std::fs::write(&file, "https://T0KEN@host/simple\n").unwrap();
    let run = world.sh("echo \"$URL\" refused; exit 1").env("URL", EnvValue::FromFile(file));
    let fault = world.run(&plan([Step::new("a", Action::Run(run))])).unwrap_err();
    world.executor.settings.ui.fault(&fault);
    world.executor.settings.ui.data(&fault.what).unwrap();
    let said = world.stderr.text() + &world.stdout.text();
    assert!(!said.contains("T0KEN") && said.contains("\nhttps://***@host/simple refused\n"), "{said}");
    assert!(said.contains("$ URL=\"$(cat "), "{said}");
}

#[test]
fn each_stream_has_the_colours_that_it_can_show() {
    for (out, err) in [(true, false), (false, true)] {
        let (stdout, stderr) = (super::Written::default(), super::Written::default());
        let ui = Ui::new(Stream::of(stdout.clone(), out), Stream::of(stderr.clone(), err), false, false);
        ui.note(Note::styled(Style::Good, "a\x1b]0;title\x07"));
        ui.data("b\x1b[2Jc\n").unwrap();
        assert_eq!(stderr.text(), if err { "\x1b[32ma\x1b[0m\n" } else { "a\x1b]0;title\x07\n" });
        assert_eq!(stdout.text(), if out { "bc\n" } else { "b\x1b[2Jc\n" });
    }
}

#[test]
fn a_full_disk_is_an_error_and_a_reader_that_has_gone_is_not() {
    let ui = |stdout: File| Ui::new(Stream::of(stdout, false), Stream::of(std::io::sink(), false), false, false);
    let fault = ui(File::create("/dev/full").unwrap()).data("x").unwrap_err();
    assert_eq!(fault.cause, Cause::Io);
    assert!(fault.what.starts_with("writing to standard output: No space left"), "{fault}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(ui(File::from(std::os::fd::OwnedFd::from(writer))).data("x"), Ok(()));
}

#[test]
fn a_computation_says_prints_and_writes() {
    let world = World::new();
    let to = world.path("made/file");
    let compute = Compute::new(
        "# computes",
        [plan::Source::File(world.path("none")), plan::Source::Output(world.sh("echo out; echo err >&2; exit 3"))],
        move |inputs| {
            let output = inputs.output(1).unwrap();
            Report::default()
                .note(format!("{:?} {} {} {}", inputs.read[0], output.code, output.stdout, output.stderr))
                .data("data\n")
                .write(to.clone(), "text")
                .fail(Fault::new(Cause::Busy, "no"))
        },
    );
    let fault = world.run(&plan([Step::new("a", Action::Compute(compute))])).unwrap_err();
    assert_eq!(fault, Fault::new(Cause::Busy, "no"));
    assert!(world.stderr.text().contains("Missing 3 out err\n"), "{}", world.stderr.text());
    assert_eq!((world.stdout.text().as_str(), world.read("made/file").as_str()), ("data\n", "text"));
}

#[test]
fn github_folds_each_step_and_not_what_is_reported() {
    for jobs in [1, 4] {
        let world = World::on(false, true).with(|settings| settings.jobs = jobs);
        let report = Compute::new("# reports", [], |_| Report::default().note("reported"));
        let steps = [
            world.step("a", "echo one"),
            world.step("b, c", "echo two; echo 100%; exit 1"),
            Step::new("d", Action::Compute(report)).after_end([0, 1]),
        ];
        assert!(world.run(&plan(steps)).is_err());
        let said = world.stderr.text();
        let mut open = false;
        for line in said.lines() {
            assert!(!(line.starts_with("::group::") && open), "a group in a group: {said}");
            open = (open || line.starts_with("::group::")) && line != "::endgroup::";
            assert!(line != "one" || open, "{said}");
            assert!(line != "reported" || !open, "{said}");
        }
        assert!(said.contains("::error title=b%2C c::b, c: `sh …` ended with exit code 1: 100%25\n"), "{said}");
    }
}

#[test]
fn progress_leaves_its_last_state() {
    let world = World::new();
    assert_eq!(world.run(&plan([world.step("a", "printf '10 %%\\r20 %%\\r\\n'")])), Ok(()));
    assert!(world.stderr.text().ends_with("'\n20 %\n"), "{}", world.stderr.text());
}

#[test]
fn side_by_side_each_line_has_its_name() {
    let world = World::new();
    let empty = "echo; printf ' \\r\n\\033[0m\n'";
    let steps = [world.step("a", &format!("{empty}; echo one; {empty}")), world.step("b", "echo two")];
    assert_eq!(world.run(&plan(steps)), Ok(()));
    let said = world.stderr.text();
    let mut named: Vec<&str> = said.lines().filter(|line| line.contains(" │ ") && !line.contains(" │ $ ")).collect();
    named.sort_unstable();
    assert_eq!(named, ["a │ one", "b │ two"], "no empty lines: {said}");
}

#[test]
fn the_lines_of_a_step_stay_together_unless_all_are_to_be_seen_at_once() {
    // Each prints its second line after the other's first.
    let script = |own: &str, other: &str| {
        format!("echo one; : >{own}; until [ -e {other} ]; do sleep 0.01; done; sleep 0.2; echo two")
    };
    let order = |verbose: bool| -> Vec<String> {
        let world = World::new().with(|settings| settings.verbose = verbose);
        let steps = [world.step("a", &script("a", "b")), world.step("b", &script("b", "a"))];
        assert_eq!(world.run(&plan(steps)), Ok(()));
        let said = world.stderr.text();
        let names = said.lines().filter(|line| line.ends_with("│ one") || line.ends_with("│ two"));
        names.map(|line| line[..1].to_owned()).collect()
    };
    let together = order(false);
    assert!(together == ["a", "a", "b", "b"] || together == ["b", "b", "a", "a"], "{together:?}");
    assert_eq!(order(true)[..2].iter().collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn whoever_wants_it_quiet_sees_results_and_what_failed() {
    for jobs in [1, 4] {
        let quiet = || {
            World::new().with(|settings| {
                (settings.quiet, settings.jobs) = (true, jobs);
            })
        };
        let world = quiet();
        let mut well = Plan { summary: true, ..plan([world.step("a", "echo log"), world.step("b", "echo log")]) };
        well.note("careful");
        let result = Compute::new("# says", [], |_| Report::default().note("a result").data("data\n"));
        well.then(Step::new("says", Action::Compute(result)));
        assert_eq!(world.run(&well), Ok(()));
        assert_eq!((world.stderr.text().as_str(), world.stdout.text().as_str()), ("a result\n", "data\n"));

        let world = quiet();
        let badly =
            plan([world.step("a", "echo log"), world.step("b", "echo why; exit 3"), world.step("c", ":").after([1])]);
        world.run(&badly).unwrap_err();
        let said = world.stderr.text();
        assert!(said.contains("b │ why\n") && said.contains("\n✗ b failed ("), "{said}");
        assert!(said.ends_with("\n· c not run\n") && !said.contains("│ log") && !said.contains("✓"), "{said}");
    }
}

#[test]
fn side_by_side_nothing_steers_the_terminal_or_shows_a_credential() {
    let world = World::on(true, false).with(|settings| settings.ui.hide(&["T0KEN".to_owned()]));
    let says = "printf '\\033]0;title\\007one T0KEN\\n'";
    assert_eq!(world.run(&plan([world.step("a", says), world.step("b", ":")])), Ok(()));
    let said = world.stderr.text();
    assert!(said.contains(" │ one ***\n") && !said.contains("\x1b]"), "{said:?}");
}

#[test]
fn a_computations_tools_are_asked_side_by_side() {
    let world = World::new();
    // Each waits for the other.
    let wait = |own: &str, other: &str| {
        plan::Source::Output(world.sh(&format!(": >{own}; until [ -e {other} ]; do sleep 0.01; done; echo {own}")))
    };
    let compute = Compute::new("# asks", [wait("a", "b"), wait("b", "a")], |inputs| {
        Report::default().data(format!("{:?} {:?}", inputs.stdout(0), inputs.stdout(1)))
    });
    assert_eq!(world.run(&plan([Step::new("ask", Action::Compute(compute))])), Ok(()));
    assert_eq!(world.stdout.text(), r#"Some("a") Some("b")"#);
}
