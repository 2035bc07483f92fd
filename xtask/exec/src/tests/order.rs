//! What runs when, and what a run's result is.

use super::{World, plan};
use plan::{Action, Compute, OnFailure, Outcome, Plan, Report, Source, Step};
use project::error::{Cause, Fault};

#[test]
fn nothing_that_needs_a_failed_step_is_run() {
    let world = World::new();
    let plan = plan([
        world.step("a", "exit 3"),
        world.step("b", ": >b").after([0]),
        world.step("c", ": >c").after([1]),
        world.step("d", ": >d"),
    ]);
    let fault = world.run(&plan).unwrap_err();
    assert_eq!((fault.cause.exit_code(), fault.what.as_str()), (3, "a: `sh …` ended with exit code 3"));
    assert!(!world.path("b").exists() && !world.path("c").exists() && world.path("d").exists());
    let said = world.stderr.text();
    assert!(said.contains("✗ a failed (") && said.contains("· b not run\n· c not run\n"), "{said}");
}

#[test]
fn what_may_fail_does_not_keep_others_from_running() {
    let world = World::new();
    let plan = plan([
        world.step("a", "echo why >&2; exit 3").on_failure(OnFailure::Continue),
        world.step("b", ": >b").after([0]),
    ]);
    assert_eq!(world.run(&plan), Ok(()));
    assert!(world.path("b").exists());
    assert!(world.stderr.text().contains("a: `sh …` ended with exit code 3: why; going on without\n"));
}

fn judge(title: &str, after: &[usize], fault: Option<Fault>) -> Step {
    let judge = Compute::new("# judges", [], move |inputs| {
        let ends = inputs.after.iter().map(|end| match end {
            Outcome::Failed(fault) => format!("failed {}", fault.cause.exit_code()),
            other => format!("{other:?}"),
        });
        let report = Report::default().note(format!("ends: {}", ends.collect::<Vec<_>>().join(", ")));
        Report { fault: fault.clone(), ..report }
    });
    Step::new(title, Action::Compute(judge)).after_end(after.iter().copied())
}

#[test]
fn a_judge_has_the_last_word_on_the_failure_that_it_judges() {
    let world = World::new();
    let judged = |script: &str| world.step("suite", script).on_failure(OnFailure::Judged);
    let needs = || world.step("needs it", ": >needs").after([0]);
    let mild = plan([judged("exit 5"), needs(), judge("judge", &[0, 1], None)]);
    assert_eq!(world.run(&mild), Ok(()));
    assert!(world.stderr.text().contains("ends: failed 5, NotRun\n"), "{}", world.stderr.text());
    assert!(!world.path("needs").exists());

    let strict = Some(Fault::new(Cause::Refused, "judge: no"));
    let strict = plan([judged("exit 5"), judge("judge", &[0], strict)]);
    assert_eq!(world.run(&strict).unwrap_err().what, "judge: no");

    // Nobody judges it.
    let alone = plan([judged("exit 5"), judge("another", &[], None)]);
    assert_eq!(world.run(&alone).unwrap_err().cause.exit_code(), 5);
}

#[test]
fn a_judge_runs_before_further_steps() {
    let world = World::new().with(|settings| settings.jobs = 1);
    let steps = [world.step("a", "echo a runs"), world.step("b", "echo b runs"), judge("judge of a", &[0], None)];
    assert_eq!(world.run(&plan(steps)), Ok(()));
    let said = world.stderr.text();
    let line =
        |text: &str| said.lines().position(|line| line.ends_with(text)).unwrap_or_else(|| panic!("{text}: {said}"));
    assert!(line("ends: Done") < line("b runs"), "{said}");
}

#[test]
fn steps_run_side_by_side_up_to_the_limit() {
    // Each waits for the other.
    let both = |world: &World| {
        plan([
            world.step("a", ": >a; until [ -e b ]; do sleep 0.01; done"),
            world.step("b", ": >b; until [ -e a ]; do sleep 0.01; done"),
        ])
    };
    let world = World::new();
    assert_eq!(world.run(&both(&world)), Ok(()));
    // One at a time: each sees that no other runs.
    let world = World::new().with(|settings| settings.jobs = 1);
    let alone = "[ ! -e busy ] && : >busy && rm busy && echo done >>log";
    assert_eq!(world.run(&plan((0..4).map(|_| world.step("alone", alone)))), Ok(()));
    assert_eq!(world.read("log").lines().count(), 4);
}

#[test]
fn a_plan_that_can_never_end_is_a_mistake_and_no_hang() {
    let world = World::new();
    let circle =
        plan([world.step("a", ":").after([1]), world.step("b", ":").after([0]), world.step("c", ":").after([7])]);
    assert_eq!(world.run(&circle).unwrap_err().cause, Cause::Internal);
}

#[test]
fn a_panic_is_a_fault_and_cleaned_up_after() {
    for jobs in [1, 4] {
        let world = World::new().with(|settings| settings.jobs = jobs);
        let panics = Compute::new("# panics", [Source::File("/dev/null".into())], |_| panic!("at the disco"));
        let clean = Action::Run(world.sh(": >cleaned"));
        let mut plan = plan([Step::new("a", Action::Compute(panics)).cleanup([clean])]);
        plan.push(world.step("b", ": >b").after([0]));
        plan.push(world.step("c", ": >c"));
        let fault = world.run(&plan).unwrap_err();
        assert_eq!(fault.cause, Cause::Internal);
        assert!(fault.what.contains("at the disco"), "{fault}");
        assert!(world.path("cleaned").exists() && world.path("c").exists() && !world.path("b").exists());
    }
}

#[test]
fn notes_come_first_and_a_summary_last() {
    let world = World::new();
    let mut plan = Plan { summary: true, ..plan([world.step("a", "echo b")]) };
    plan.note("careful");
    assert_eq!(world.run(&plan), Ok(()));
    let said = world.stderr.text();
    assert!(said.starts_with("careful\n$ sh -c ") && said.contains("\nb\n✓ a ("), "{said}");
}
