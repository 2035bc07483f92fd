//! What the failures of a run mean: each is explained, and one of them means that nothing changes.

use super::{
    Locked,
    requirements::{self, Ancestor, Requirements},
    staging,
    steps::base_lock,
};
use crate::common::enumerate;
use plan::{
    Action, Compute, Facts, Inputs, Outcome, Plan, Report, Source, Step,
    tools::{diagnose, poetry::Task},
};
use project::{
    ImageName, PackageName, Project,
    coupling::pins_of,
    error::{Cause, Fault},
    lockfile::Lockfile,
    pin::Pins,
};
use std::{collections::BTreeMap, path::PathBuf};

/// An image that was tried, with what its failure is explained by.
struct Tried {
    name: ImageName,
    is_check: bool,
    /// How many steps it took.
    steps: usize,
    pyproject: Requirements,
    base: Option<Base>,
    /// The base, what that keeps to, and so on.
    line: Vec<Ancestor>,
    exceptions: BTreeMap<PackageName, String>,
}

/// The image whose versions it keeps to.
struct Base {
    name: ImageName,
    lock: PathBuf,
    /// Where the lock is among what is read.
    source: usize,
}

/// Adds the step that judges how the steps of each image (`tried`) ended, and its index. When it fails, it removes what
/// poetry worked in.
pub fn step(project: &Project, facts: &Facts, images: &[Locked], steps: &[Vec<usize>], plan: &mut Plan) -> usize {
    let mut sources = Vec::new();
    let tried = images.iter().zip(steps).map(|(locked, steps)| {
        let base = locked.base.zip(base_lock(facts, images, locked)).map(|(base, lock)| {
            sources.push(Source::File(lock.clone()));
            Base { name: base.name.clone(), lock, source: sources.len() - 1 }
        });
        Tried {
            name: locked.image.name.clone(),
            is_check: locked.task == Task::Check,
            steps: steps.len(),
            pyproject: Requirements::of(facts, locked.image),
            base,
            line: requirements::line(project, facts, locked.base),
            exceptions: locked.pyproject.exceptions().unwrap_or_default(),
        }
    });
    let tried: Vec<Tried> = tried.collect();
    let is_check = tried.iter().all(|tried| tried.is_check);
    let shown = if is_check { "# explains what failed" } else { "# explains what failed; then nothing is replaced" };
    let judge = Compute::new(shown, sources, move |inputs| judge(&tried, inputs));
    let title = if is_check { "see whether all are fresh" } else { "see whether all are resolved" };
    let step = Step::new(title, Action::Compute(judge)).after_end(steps.iter().flatten().copied());
    let folders = images.iter().filter(|_| !is_check).map(|locked| staging(locked.image));
    plan.push(step.cleanup(folders.map(|folder| Action::Remove(facts.shown(folder)))))
}

fn judge(tried: &[Tried], inputs: &Inputs) -> Report {
    let mut outcomes = inputs.after.iter();
    let (mut failed, mut not_run, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for image in tried {
        let ends: Vec<&Outcome> = outcomes.by_ref().take(image.steps).collect();
        let fault = ends.iter().find_map(|end| if let Outcome::Failed(fault) = end { Some(fault) } else { None });
        if let Some(fault) = fault {
            failed.push(&image.name);
            let lock = image.base.as_ref().and_then(|base| inputs.text(base.source));
            faults.push(image.explain(fault, lock));
        } else if ends.iter().any(|end| **end == Outcome::NotRun) {
            not_run.push(&image.name);
        }
    }
    let Some((first, others)) = faults.split_first() else {
        if not_run.is_empty() {
            return Report::default();
        }
        return Report::default().fail(Fault::new(Cause::Interrupted, "lock: interrupted"));
    };
    let mut report = Report::default();
    for fault in others {
        report = report.note(format!("also: {}", fault.what));
    }
    if tried.len() > 1 && !tried.iter().all(|image| image.is_check) {
        let not_run = (!not_run.is_empty()).then(|| format!("; not run: {}", enumerate(&not_run)));
        report = report.note(format!(
            "no lock was changed, of any image; failed: {}{}",
            enumerate(&failed),
            not_run.unwrap_or_default()
        ));
    }
    report.fail(first.clone())
}

impl Tried {
    /// A failure with what helps. Where versions clash: which pins of the base are in it, and the ways out.
    fn explain(&self, fault: &Fault, base_lock: Option<&str>) -> Fault {
        let name = &self.name;
        if self.is_check {
            return Fault {
                help: fault.help.clone().or_else(|| Some(format!("cargo xtask lock {name}"))),
                ..fault.clone()
            };
        }
        let Cause::Tool { said, .. } = &fault.cause else { return fault.clone() };
        let Some(reason) = diagnose::conflict(said) else { return fault.clone() };
        let own = self.pyproject.place(&self.pyproject.asked_in(&reason));
        let Some((base, held)) =
            self.base.as_ref().and_then(|base| Some((base, self.held(base, base_lock?, &reason)?)))
        else {
            return fault.clone().help(format!("change one of the requirements named above: {own}"));
        };
        let packages: Vec<String> = held.iter().map(|(package, version)| format!("{package} {version}")).collect();
        let held: Vec<PackageName> = held.into_keys().collect();
        let first = held.first().map_or("", PackageName::as_str);
        // The image whose lock decides the version; those between have it pinned.
        let decides = self.line.iter().find(|image| !image.pins.contains(first)).or(self.line.last());
        let theirs = decides.map_or_else(String::new, |image| {
            format!("what {} requires ({}) or ", image.name, image.pyproject.place(&held))
        });
        Fault {
            what: format!("lock {name}: {} has {}, and that doesn't fit: {reason}", base.name, packages.join(", ")),
            help: Some(format!(
                "change {theirs}what {name} requires ({own}); or let them differ: \
                 [tool.core-images.exceptions] {first} = \"<reason>\" in {}",
                self.pyproject.path.display()
            )),
            ..fault.clone()
        }
    }

    /// The packages of the base that are in the clash, with their versions.
    fn held(&self, base: &Base, lock: &str, reason: &str) -> Option<BTreeMap<PackageName, String>> {
        let lock = Lockfile::parse(&base.lock, lock).ok()?;
        let held = held_in(reason, &pins_of(&lock, &self.exceptions), &self.name);
        (!held.is_empty()).then_some(held)
    }
}

/// The pinned packages that a resolver's explanation speaks of as pinned, with their versions.
fn held_in(reason: &str, pins: &Pins, image: &ImageName) -> BTreeMap<PackageName, String> {
    let project = PackageName::from(image.as_str());
    let words: Vec<&str> = reason.split_whitespace().collect();
    let held = words.windows(2).filter_map(|pair| {
        let (package, version) =
            (PackageName::from(pair[0]), pair[1].trim_matches(['(', ')', ',', '.']).trim_start_matches('='));
        let pinned = pins.get(&package)?.iter().any(|pin| pin.version == version);
        (pinned && package != project).then(|| (package, version.to_owned()))
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lock;
    use plan::compute::Input;

    const BASE: &str = "[project]\nname = \"base\"\nrequires-python = \">=3.13\"\ndependencies = [\n  \"idna ==3.10\",\n  \
                        \"Requests ==2.34\",\n]\n";
    const CHILD: &str = "[project]\nname = \"child\"\ndependencies = [\"old-client[tls] <3\", \"certifi\"]\n\n\
                         [tool.poetry.group.coupled.dependencies]\nold-client = \"2\"\n";
    const CLASH: &str = "Because old-client (2.9) depends on requests (<2.30)\n and child depends on requests (2.34), \
                         old-client is forbidden.\nSo, because child depends on old-client (<3), version solving failed.\n";

    fn image(name: &str, base: Option<&str>, text: &str) -> Tried {
        Tried {
            name: name.parse().unwrap(),
            is_check: false,
            steps: 1,
            pyproject: Requirements::of_text(name, text),
            base: base.map(|base| Base {
                name: base.parse().unwrap(),
                lock: format!("images/.lock-{base}/poetry.lock").into(),
                source: 0,
            }),
            line: base.map(|base| Ancestor::of_text(base, BASE)).into_iter().collect(),
            exceptions: BTreeMap::new(),
        }
    }

    fn failed(said: &str) -> Outcome {
        let cause = Cause::Tool { code: 1, said: said.to_owned() };
        Outcome::Failed(Fault::new(cause, format!("`poetry lock` ended with exit code 1: {said}")))
    }

    fn notes(report: &Report) -> Vec<&str> {
        report.notes.iter().map(|note| note.text.as_str()).collect()
    }

    #[test]
    fn a_clash_names_both_sides_and_the_lines_to_change() {
        let family = [image("base", None, BASE), image("child", Some("base"), CHILD)];
        let read = vec![Input::Text(lock(&[("idna", "3.10"), ("requests", "2.34")]))];
        let report = judge(&family, &Inputs { read, after: vec![Outcome::Done, failed(CLASH)] });
        let fault = report.fault.clone().unwrap();
        assert!(
            fault.what.starts_with("lock child: base has requests 2.34, and that doesn't fit: Because old"),
            "{fault}"
        );
        assert_eq!(fault.cause.exit_code(), 1);
        assert_eq!(
            fault.help.as_deref(),
            Some(
                "change what base requires (images/base/pyproject.toml:6) or what child requires \
                 (images/child/pyproject.toml:3); or let them differ: [tool.core-images.exceptions] requests = \
                 \"<reason>\" in images/child/pyproject.toml"
            )
        );
        assert_eq!(notes(&report), ["no lock was changed, of any image; failed: child"]);
    }

    #[test]
    fn the_line_to_change_is_that_of_the_image_which_decides() {
        let middle = "[project]\ndependencies = [\"certifi\"]\n\n[tool.poetry.group.coupled.dependencies]\n\
                      requests = \"2.34\"\n";
        let line = vec![Ancestor::of_text("middle", middle), Ancestor::of_text("base", BASE)];
        let child = Tried { line, ..image("child", Some("middle"), CHILD) };
        let read = vec![Input::Text(lock(&[("requests", "2.34")]))];
        let fault = judge(&[child], &Inputs { read, after: vec![failed(CLASH)] }).fault.unwrap();
        assert!(fault.what.starts_with("lock child: middle has requests 2.34, "), "{fault}");
        let help = fault.help.unwrap();
        assert!(help.starts_with("change what base requires (images/base/pyproject.toml:6) or "), "{help}");
    }

    #[test]
    fn a_clash_within_one_image_names_its_own_line() {
        let clash = "Because base depends on both idna (3.10)\n and requests (2.34), version solving failed.";
        let report = judge(&[image("base", None, BASE)], &Inputs { read: Vec::new(), after: vec![failed(clash)] });
        let fault = report.fault.clone().unwrap();
        assert_eq!(
            fault.help.as_deref(),
            Some("change one of the requirements named above: images/base/pyproject.toml:5")
        );
        assert_eq!(notes(&report), [""; 0]);
    }

    #[test]
    fn what_failed_and_what_was_not_run_are_named_as_such() {
        let family = ["a", "b", "c", "d"].map(|name| image(name, None, BASE));
        let after = vec![Outcome::Done, failed("no network"), failed("disk full"), Outcome::NotRun];
        let report = judge(&family, &Inputs { read: Vec::new(), after });
        assert_eq!(report.fault.clone().unwrap().what, "`poetry lock` ended with exit code 1: no network");
        assert_eq!(
            notes(&report),
            [
                "also: `poetry lock` ended with exit code 1: disk full",
                "no lock was changed, of any image; failed: b and c; not run: d"
            ]
        );
        let done = Inputs { read: Vec::new(), after: vec![Outcome::Done; 4] };
        assert_eq!(judge(&family, &done), Report::default());
    }

    #[test]
    fn a_stale_lock_is_made_fresh_by_lock() {
        let check = Tried { is_check: true, ..image("a", None, BASE) };
        let report = judge(&[check], &Inputs { read: Vec::new(), after: vec![failed("changed significantly")] });
        assert_eq!(report.fault.unwrap().help.as_deref(), Some("cargo xtask lock a"));
    }
}
