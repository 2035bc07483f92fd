//! What a build leaves outdated.

use crate::common::{
    identity::known,
    local::{self, outdated, rebuild},
    rerun::rerun,
};
use plan::{Action, Compute, Facts, OnFailure, Outcome, Plan, Report, Source, Step, facts::Engine, tools::docker};
use project::{ImageName, Project};

/// Adds a step that says what to build next, where a change stopped half-way through the family: at what is built on
/// what was built, or below it. It runs whatever the end of the builds was, adds to it, and never takes its place.
pub fn note(project: &Project, facts: &Facts, plan: &mut Plan) {
    let builds: Vec<(usize, ImageName)> = plan
        .steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| {
            // What only keeps an image elsewhere changes none here.
            let name = step.image.clone().filter(|_| step.on_failure == OnFailure::Fail)?;
            project.image(&name).is_ok_and(|image| !image.helper).then_some((at, name))
        })
        .collect();
    let names: Vec<ImageName> = builds.iter().map(|(_, name)| name.clone()).collect();
    // A circle of bases elsewhere in the family is for `check` to report.
    let Ok(affected) = project.with_dependents(&names) else { return };
    if !affected.iter().any(|name| project.image(name).is_ok_and(|image| project.base(image).is_some())) {
        return;
    }
    let Some(tell) = tell(project, facts, names, &affected) else { return };
    let step = Step::new("look for outdated images", Action::Compute(tell));
    plan.push(step.after_end(builds.into_iter().map(|(at, _)| at)));
}

/// What says it; nothing where bases go round in a circle.
fn tell(project: &Project, facts: &Facts, names: Vec<ImageName>, affected: &[ImageName]) -> Option<Compute> {
    let shown = "# says what is outdated now";
    if facts.engine == Engine::NotAsked {
        // A dry run shows it and runs nothing: a family of thousands is not copied for that.
        return Some(Compute::new(shown, [], |_| Report::default()));
    }
    let references = local::with_bases(project, affected).ok()?;
    let question = docker::inspect_all(&references.iter().collect::<Vec<_>>());
    let asked = question.clone();
    let (family, facts) = (project.clone(), facts.clone());
    Some(Compute::new(shown, [Source::Output(question)], move |inputs| {
        let engine = Engine::of(&asked, inputs.output(0));
        let built = names.iter().zip(&inputs.after).filter(|(_, outcome)| **outcome == Outcome::Done);
        outdated_now(&family, &facts, &engine, &built.map(|(name, _)| name.clone()).collect::<Vec<_>>())
    }))
}

fn outdated_now(project: &Project, facts: &Facts, engine: &Engine, built: &[ImageName]) -> Report {
    let affected = project.with_dependents(built).unwrap_or_default();
    let known = known(project, facts, engine, &affected);
    let images = affected.iter().filter_map(|name| project.image(name).ok());
    let found: Vec<_> =
        images.filter_map(|image| Some((&image.name, outdated(engine, project, &known, image)?))).collect();
    if found.is_empty() {
        return Report::default();
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let command = rebuild(found.iter().map(|(_, outdated)| outdated));
    Report::default()
        .note(format!("outdated now: {}", names.join(", ")))
        .note(format!("to build these as well: {}", rerun(project, project.environment, &command)))
}
