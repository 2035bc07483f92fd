//! `build`: the images that were named, after their bases where those are missing.

use crate::{
    Verb,
    common::{
        local::{self, outdated, rebuild},
        provenance,
        rerun::rerun,
        uses_cache,
    },
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Outcome, Plan, Report, Role, Source, Step, facts::Engine, tools::docker};
use project::{ImageName, Project, error::Fault};
use std::collections::{HashMap, HashSet};

/// Which of the named images are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Named {
    All,
    Missing,
}

impl Verb for flags::Build {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        needs(project, &self.wanted(project)?)
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let wanted = self.wanted(project)?;
        let mut plan = plan(project, facts, &wanted, Named::All, uses_cache(project, globals)?)?;
        note_outdated(project, &mut plan);
        Ok(plan)
    }
}

impl flags::Build {
    fn wanted(&self, project: &Project) -> Result<Vec<ImageName>, Fault> {
        let named = self.images.of(project)?;
        if self.with_dependents { project.with_dependents(&named) } else { Ok(named) }
    }
}

/// What has to be known to build these. Helpers are not claimed: the engine itself sees to it that two builds of one are
/// one.
///
/// # Errors
/// Bases that go round in a circle.
pub fn needs(project: &Project, wanted: &[ImageName]) -> Result<Needs, Fault> {
    let images = project.with_bases(wanted)?;
    let claims = images.iter().filter(|image| !image.helper).map(|image| image.name.clone());
    Ok(Needs {
        claims: claims.collect(),
        docker: true,
        git: true,
        files: Project::dockerfiles(images.iter().copied()),
        ..Needs::default()
    })
}

/// Bases first. A base is built where the engine hasn't got it at the same stage. A helper is always built: it has no
/// version of its own to go by, and an unchanged one costs a second.
///
/// # Errors
/// A cycle, a folder, Dockerfile or stage that isn't there.
pub fn plan(project: &Project, facts: &Facts, wanted: &[ImageName], named: Named, cache: bool) -> Result<Plan, Fault> {
    let compose = facts.compose(project);
    let mut plan = provenance::plan(project, facts);
    let mut index = HashMap::new();
    let images = project.with_bases(wanted)?;
    let wanted: HashSet<&ImageName> = wanted.iter().collect();
    project.check_stages(&images, &facts.files)?;
    for image in images {
        let is_named = wanted.contains(&image.name);
        let base = project.standing_on(image).next().filter(|_| !image.helper);
        let build = compose.build(&image.name, base, cache || image.helper && !is_named);
        let action = if image.helper || is_named && named == Named::All {
            Action::Run(build)
        } else {
            Action::Unless(docker::is_present_at(&image.reference, image.stage.as_deref()), build)
        };
        let step = Step::new(format!("build {}", image.name), action).image(&image.name).role(Role::Build);
        let bases = image.family_bases().filter_map(|base| index.get(base)).copied();
        index.insert(&image.name, plan.push(step.after(bases)));
    }
    plan.summary = plan.steps.len() > 1;
    Ok(plan)
}

/// Adds a step that says what to build next, where a change stopped half-way through the family: at what is built on
/// what was built, or below it. It runs whatever the end of the builds was, adds to it, and never takes its place.
fn note_outdated(project: &Project, plan: &mut Plan) {
    let builds: Vec<(usize, ImageName)> = plan
        .steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| {
            let name = step.image.clone()?;
            project.image(&name).is_ok_and(|image| !image.helper).then_some((at, name))
        })
        .collect();
    let names: Vec<ImageName> = builds.iter().map(|(_, name)| name.clone()).collect();
    // A circle of bases elsewhere in the family is for `check` to report.
    let Ok(affected) = project.with_dependents(&names) else { return };
    if !affected.iter().any(|name| project.image(name).is_ok_and(|image| project.base(image).is_some())) {
        return;
    }
    let Ok(references) = local::with_bases(project, &affected) else { return };
    let question = docker::inspect_all(&references.iter().collect::<Vec<_>>());
    let asked = question.clone();
    let family = project.clone();
    let tell = Compute::new("# says what is outdated now", [Source::Output(question)], move |inputs| {
        let engine = Engine::of(&asked, inputs.output(0));
        let built = names.iter().zip(&inputs.after).filter(|(_, outcome)| **outcome == Outcome::Done);
        outdated_now(&family, &engine, &built.map(|(name, _)| name.clone()).collect::<Vec<_>>())
    });
    let step = Step::new("look for outdated images", Action::Compute(tell));
    plan.push(step.after_end(builds.into_iter().map(|(at, _)| at)));
}

fn outdated_now(project: &Project, engine: &Engine, built: &[ImageName]) -> Report {
    let affected = project.with_dependents(built).unwrap_or_default();
    let images = affected.iter().filter_map(|name| project.image(name).ok());
    let found: Vec<_> = images.filter_map(|image| Some((&image.name, outdated(engine, project, image)?))).collect();
    if found.is_empty() {
        return Report::default();
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    let command = rebuild(found.iter().map(|(_, outdated)| outdated));
    Report::default()
        .note(format!("built on a base that was built again since: {}", names.join(", ")))
        .note(format!("to build these as well: {}", rerun(project, project.environment, &command)))
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};

    #[test]
    fn plans() {
        expect_plan!("build", testing::outline(&["build", "fastapi-serve"]));
        expect_plan!("build_all_ci", testing::outline(&["build", "--all", "--environment", "ci"]));
        expect_plan!("build_with_dependents", testing::outline(&["build", "python-base", "--with-dependents"]));
        expect_plan!("build_base_tag", testing::outline(&["build", "fastapi-serve", "--base-image-tag", "1.4"]));
        expect_plan!("build_no_cache", testing::outline(&["build", "fastapi-serve", "--use-docker-cache", "false"]));
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = testing::family().without("images/python-base/Dockerfile").fault(&["build", "fastapi-serve"]);
        assert!(fault.what.contains("/r/images/python-base/Dockerfile: no such file"), "{fault}");
    }
}
