//! What the registry has at the end, and what that means for the run.

use crate::common::rerun::rerun;
use plan::{
    Action, Compute, Facts, Inputs, Outcome, Output, Report, Source, Step,
    compute::Input,
    facts::Published,
    tools::{docker, registry::published},
};
use project::{
    Image, ImageName, ImageRef, Project,
    error::{Cause, Fault},
};
use serde_json::json;

/// An image that was to be pushed.
#[derive(Debug, Clone)]
struct Wanted {
    name: ImageName,
    reference: ImageRef,
    /// Of the image that the engine has; not known in a dry run.
    id: String,
}

/// Asks the registry for every image, also after a push that failed: what did arrive is there, and a person must know.
pub fn step(project: &Project, facts: &Facts, images: &[&Image], json: bool) -> Step {
    let wanted = images.iter().map(|image| Wanted {
        name: image.name.clone(),
        reference: image.reference.clone(),
        id: facts.engine.find(&image.reference).map(|found| found.id.clone()).unwrap_or_default(),
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let questions = wanted
        .iter()
        .flat_map(|image| [docker::registry_manifest(&image.reference), docker::registry_descriptor(&image.reference)]);
    let sources: Vec<Source> = questions.map(Source::Output).collect();
    let shown = wanted.iter().map(|image| docker::registry_descriptor(&image.reference).to_string());
    let shown = shown.collect::<Vec<_>>().join("\n");
    let project = project.clone();
    let confirm = Compute::new(shown, sources, move |inputs| report(&project, &wanted, inputs, json));
    Step::new("confirm what the registry has", Action::Compute(confirm))
}

/// What is not confirmed.
#[derive(Default)]
struct Unconfirmed<'a> {
    /// The registry says that it doesn't have them as this machine does.
    missing: Vec<&'a ImageName>,
    /// The registry doesn't say.
    unknown: Vec<&'a ImageName>,
    /// Why it doesn't say.
    why: String,
}

/// The two answers for each image, after the ends of the pushes.
fn report(project: &Project, wanted: &[Wanted], inputs: &Inputs, json: bool) -> Report {
    let mut report = Report::default();
    if !inputs.after.is_empty() && inputs.after.iter().all(|outcome| *outcome == Outcome::NotRun) {
        // An earlier step has said why nothing was pushed.
        return report;
    }
    let mut unconfirmed = Unconfirmed::default();
    for (image, answers) in wanted.iter().zip(inputs.read.chunks(2)) {
        let answers: Vec<Output> = answers.iter().map(output).collect();
        let [manifest, descriptor] = &answers[..] else { continue };
        let published = published(manifest, descriptor);
        match &published {
            Published::Image { digest, .. } if published.is_image(&image.id) => {
                report = report.data(line(image, digest, json));
            }
            Published::Image { .. } | Published::Missing | Published::NoRepository => {
                unconfirmed.missing.push(&image.name);
            }
            Published::Refused(why) | Published::Unreachable(why) => {
                unconfirmed.unknown.push(&image.name);
                unconfirmed.why = format!(": {why}");
            }
        }
    }
    let failed = inputs.after.iter().find_map(|outcome| match outcome {
        Outcome::Failed(fault) => Some(fault),
        _ => None,
    });
    if !unconfirmed.missing.is_empty() || !unconfirmed.unknown.is_empty() {
        return unconfirmed.report(project, report, failed);
    }
    match failed {
        // A tag that can't be overwritten, say, with this very image behind it.
        Some(fault) => report.note(format!("a push failed, but everything is there: {fault}")),
        None => report,
    }
}

impl Unconfirmed<'_> {
    fn report(self, project: &Project, mut report: Report, failed: Option<&Fault>) -> Report {
        let Unconfirmed { missing, unknown, why } = self;
        let list = |names: &[&ImageName], separator| {
            names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(separator)
        };
        let all = [&missing[..], &unknown].concat();
        let command = rerun(project, project.environment, &format!("cargo xtask deploy {}", list(&all, " ")));
        let retry = format!("run `{command}` again; what is there already is left alone");
        let Some(fault) = failed else {
            let what = format!("deploy: the registry doesn't confirm {} as this machine has it{why}", list(&all, ", "));
            return report.fail(Fault::new(Cause::Unavailable, what).help(retry));
        };
        if !missing.is_empty() {
            report = report.note(format!("not in the registry: {}", list(&missing, ", ")));
        }
        // No answer is not a no.
        if !unknown.is_empty() {
            report = report.note(format!("the registry doesn't say whether it has {}{why}", list(&unknown, ", ")));
        }
        let help = fault.help.as_ref().map_or(retry.clone(), |help| format!("{help}; then {retry}"));
        report.fail(fault.clone().help(help))
    }
}

/// A tool that can't be started gives no answer.
fn output(input: &Input) -> Output {
    match input {
        Input::Printed(output) => output.clone(),
        Input::NotStarted(why) => Output { code: 1, stderr: why.clone(), ..Output::default() },
        _ => Output { code: 1, ..Output::default() },
    }
}

fn line(image: &Wanted, digest: &str, json: bool) -> String {
    if json {
        let line = json!({"image": image.name.as_str(), "reference": image.reference.to_string(), "digest": digest});
        return format!("{line}\n");
    }
    format!("{}@{digest}\n", image.reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use project::{Environment, vars::Vars};

    const NOT_FOUND: &str = "ERROR: r.io/a:latest: not found";
    const UNAUTHORIZED: &str = "ERROR: unexpected status from HEAD request to https://r.io/v2/a: 401 Unauthorized";

    fn there(id: &str) -> [Input; 2] {
        let printed = |stdout: String| Input::Printed(Output { stdout, ..Output::default() });
        [printed(format!(r#"{{"config": {{"digest": "{id}"}}}}"#)), printed(r#"{"digest": "sha256:m"}"#.to_owned())]
    }

    fn failed(stderr: &str) -> [Input; 2] {
        let output = Output { code: 1, stderr: stderr.to_owned(), ..Output::default() };
        [Input::Printed(output.clone()), Input::Printed(output)]
    }

    fn push_failed() -> Outcome {
        let cause = Cause::Tool { code: 5, said: "no".to_owned() };
        Outcome::Failed(Fault::new(cause, "push a: no").help("do this"))
    }

    /// The report for the images a, b …, which have the ids 1, 2 ….
    fn report(answers: &[[Input; 2]], after: &[Outcome], json: bool) -> Report {
        let project = testing::family().facts.project(Environment::Dev, Vars::default()).unwrap();
        let wanted = ["a", "b"].iter().zip(["1", "2"]).take(answers.len()).map(|(name, id)| Wanted {
            name: name.parse().unwrap(),
            reference: format!("r.io/{name}:latest").parse().unwrap(),
            id: id.to_owned(),
        });
        let wanted: Vec<Wanted> = wanted.collect();
        super::report(&project, &wanted, &Inputs { read: answers.concat(), after: after.to_vec() }, json)
    }

    #[test]
    fn confirmed_digests_are_data() {
        let done = [Outcome::Done, Outcome::Done];
        let both = report(&[there("1"), there("2")], &done, false);
        assert_eq!(both.data, "r.io/a:latest@sha256:m\nr.io/b:latest@sha256:m\n");
        assert_eq!((both.notes.len(), both.fault), (0, None));
        let line = report(&[there("1")], &done[..1], true).data;
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["image"], &line["digest"]), (&"a".into(), &"sha256:m".into()));
    }

    #[test]
    fn a_push_that_failed_is_none_where_everything_is_there() {
        let report = report(&[there("1")], &[push_failed()], false);
        assert_eq!(
            (report.notes[0].text.as_str(), report.fault),
            ("a push failed, but everything is there: push a: no", None)
        );
    }

    #[test]
    fn what_is_missing_is_named_with_the_push_s_own_fault() {
        let after = [push_failed(), Outcome::NotRun];
        let report = report(&[failed(NOT_FOUND), there("other")], &after, false);
        assert_eq!(report.notes[0].text, "not in the registry: a, b");
        let fault = report.fault.unwrap();
        assert_eq!((fault.cause.exit_code(), fault.what.as_str()), (5, "push a: no"));
        let help = "do this; then run `cargo xtask deploy a b` again; what is there already is left alone";
        assert_eq!(fault.help.as_deref(), Some(help));
    }

    #[test]
    fn nothing_is_said_of_pushes_that_were_not_begun() {
        assert_eq!(report(&[failed(NOT_FOUND)], &[Outcome::NotRun], false), Report::default());
    }

    #[test]
    fn no_answer_is_not_a_no() {
        let refused = report(&[failed(UNAUTHORIZED)], &[push_failed()], false);
        let notes: Vec<&str> = refused.notes.iter().map(|note| note.text.as_str()).collect();
        assert!(
            matches!(notes[..], [note] if note.starts_with("the registry doesn't say whether it has a: ")),
            "{notes:?}"
        );
        for (answer, why) in [(failed(UNAUTHORIZED), "401 Unauthorized"), (failed(NOT_FOUND), ""), (there("other"), "")]
        {
            let fault = report(&[answer], &[Outcome::Done], false).fault.unwrap();
            assert_eq!(fault.cause.exit_code(), 69);
            assert!(
                fault.what.contains("doesn't confirm a as this machine has it") && fault.what.ends_with(why),
                "{fault}"
            );
        }
    }
}
