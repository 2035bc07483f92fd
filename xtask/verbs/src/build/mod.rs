//! `build`: the images that were named, after their bases, where the engine doesn't have them as they would be built.

mod choice;
mod keeping;
mod labels;
mod locks;
mod outdated;
mod together;

use crate::{
    Verb,
    common::{
        identity, provenance,
        revision::revisions,
        shared::{self, Shared},
        uses_cache,
    },
    flags::{self, Globals},
};
use choice::Choice;
use plan::{Action, EnvValue, Facts, Invocation, Needs, Plan, Role, Step, facts::Engine, tools::docker};
use project::{Image, ImageName, Project, error::Fault};
use std::collections::{HashMap, HashSet};
use together::Target;

/// Else the containerd image store keeps with each image when it was built, and so gives it another id each time.
const NO_ATTESTATIONS: &str = "BUILDX_NO_DEFAULT_ATTESTATIONS";

/// Which of the named images are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Those that the engine doesn't have as they would be built now.
    All,
    /// Those that it doesn't have at all.
    Missing,
}

/// How they are built.
#[derive(Clone, Copy)]
pub struct How {
    pub named: Named,
    /// With docker's cache.
    pub cache: bool,
    /// Several in one process, which the engine spreads over its cores as it likes.
    pub together: bool,
}

impl How {
    /// What something else needs, where it is missing.
    pub const NEEDED: How = How { named: Named::Missing, cache: true, together: true };
}

impl Verb for flags::Build {
    fn needs(&self, project: &Project, globals: &Globals) -> Result<Needs, Fault> {
        let wanted = self.wanted(project)?;
        let mut needs = needs(project, &wanted)?;
        if globals.dry_run {
            // The engine is not asked what it has, so there is nothing to compare these with, nor are locks looked at.
            needs.contexts.clear();
            needs.files = Project::dockerfiles(project.with_bases(&wanted)?);
        }
        Ok(needs)
    }

    fn more_needs(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Needs, Fault> {
        let wanted = self.wanted(project)?;
        let mut needs = more_needs(project, facts, &wanted, how(project, globals)?)?;
        // What is built on what is built is outdated then.
        let affected = if needs.git { project.with_dependents(&wanted).unwrap_or_default() } else { Vec::new() };
        let known = |name: &ImageName| facts.contexts.contains_key(name);
        needs.contexts = identity::contexts(project, &affected)?.into_iter().filter(|name| !known(name)).collect();
        Ok(needs)
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let wanted = self.wanted(project)?;
        let mut plan = plan(project, facts, &wanted, how(project, globals)?)?;
        outdated::note(project, facts, &mut plan);
        Ok(plan)
    }
}

fn how(project: &Project, globals: &Globals) -> Result<How, Fault> {
    // Whoever says how many are built at a time is heard.
    Ok(How { named: Named::All, cache: uses_cache(project, globals)?, together: globals.jobs.is_none() })
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
    let mut engine: Vec<_> = images.iter().map(|image| image.reference.clone()).collect();
    engine.extend(::identity::used(project, wanted)?);
    let mut files = Project::dockerfiles(images.iter().copied());
    files.extend(locks::wanted(&images));
    Ok(Needs {
        claims: claims.collect(),
        files,
        contexts: identity::contexts(project, wanted)?,
        engine,
        ..Needs::default()
    })
}

/// What else, where there is something to build: compose, and what git knows, for the labels.
///
/// # Errors
/// As `plan`.
pub fn more_needs(project: &Project, facts: &Facts, wanted: &[ImageName], how: How) -> Result<Needs, Fault> {
    if matches!(facts.engine, Engine::Silent(_)) {
        // What is missing is said with all else that is.
        return Ok(Needs { docker: true, ..Needs::default() });
    }
    let choice = choice::choose(project, facts, wanted, how.named, how.cache)?;
    let builds = !choice.builds.is_empty();
    // Also what is there already: it may have been built before anybody kept it, or the last run may have been stopped.
    let registry = keeping::asked(project, &choice, how);
    let cache_exports = builds && Shared::of(project).is_some();
    Ok(Needs { docker: builds || !registry.is_empty(), git: builds, registry, cache_exports, ..Needs::default() })
}

/// Bases first; what the engine has as it would be built is left alone, and so are bases and helpers that nothing needs.
///
/// # Errors
/// A cycle, a folder, Dockerfile or stage that isn't there.
pub fn plan(project: &Project, facts: &Facts, wanted: &[ImageName], how: How) -> Result<Plan, Fault> {
    let How { named, cache, .. } = how;
    let images = project.with_bases(wanted)?;
    project.check_stages(&images, &facts.files)?;
    if facts.engine == Engine::NotAsked {
        return Ok(whole(project, facts, &images, wanted, named, cache));
    }
    let choice = choice::choose(project, facts, wanted, how.named, how.cache)?;
    let keeping = keeping::Keeping::of(project, facts, &choice, how);
    let Choice { builds, kept, .. } = choice;
    let mut plan = if builds.is_empty() { Plan::default() } else { begun(project, facts) };
    if !kept.is_empty() && named == Named::All {
        let names: Vec<&str> = kept.iter().map(|name| name.as_str()).collect();
        plan.note(format!("already built from what they are made of now: {}", names.join(", ")));
    }
    let (fetched, builds): (Vec<_>, Vec<_>) = builds.into_iter().partition(|build| build.kept_at.is_some());
    locks::check(facts, &builds)?;
    let names: Vec<ImageName> = builds.iter().map(|build| build.image.name.clone()).collect();
    let revisions = revisions(project, facts, &names)?;
    labels::note_cut(project, &revisions, &mut plan);
    let wanted = wanted.iter().collect::<HashSet<_>>();
    let target = |choice::Build { image, fingerprint, .. }| {
        let fingerprint = fingerprint.map(|hash| EnvValue::Text(hash.to_string()));
        let labels = labels::of(project, facts, image, fingerprint, revisions.get(&image.name));
        Target { image, labels, uses_cache: cache || image.helper && !wanted.contains(&image.name) }
    };
    let targets: Vec<Target> = builds.into_iter().map(target).collect();
    let together = if how.together { together::plan(project, facts, &targets, &mut plan)? } else { None };
    let mut index = HashMap::new();
    for choice::Build { image, kept_at, .. } in &fetched {
        let fetch = kept_at.iter().map(|from| shared::fetch(project, facts, image, from));
        index.extend(fetch.map(|step| (&image.name, plan.push(step))));
    }
    for Target { image, labels, uses_cache } in targets {
        // Only buildx is told where to keep its cache.
        let build = match &together {
            Some((_, command)) if facts.exports_cache => command.clone().arg(image.name.as_str()),
            _ => facts.compose(project).build(&image.name, labels, uses_cache),
        };
        push(&mut plan, &mut index, image, Action::Run(build), together.as_ref());
    }
    keeping.plan(&index, &mut plan);
    plan.summary = plan.steps.len() > 1;
    Ok(plan)
}

/// The plan of a dry run, which asks nobody: a base is built where it is missing.
fn whole(project: &Project, facts: &Facts, images: &[&Image], wanted: &[ImageName], named: Named, cache: bool) -> Plan {
    let mut plan = begun(project, facts);
    if let Some(shared) = Shared::of(project) {
        let fetches = match cache {
            true => "fetches what is kept there instead of building it",
            false => "fetches the bases that are kept there",
        };
        let keeps = if named == Named::All { ", and keeps there what isn't" } else { "" };
        plan.note(shared.foretold(&format!("{fetches}{keeps}")));
    }
    let (mut index, named_ones) = (HashMap::new(), wanted.iter().collect::<HashSet<_>>());
    for image in images {
        let is_named = named_ones.contains(&image.name);
        let labels = labels::of(project, facts, image, Some(labels::fingerprint(project, facts, image)), None);
        let build = facts.compose(project).build(&image.name, labels, cache || image.helper && !is_named);
        // What helps to build an image is not needed where that is there.
        let decides = wanted.first().filter(|_| image.helper).and_then(|name| project.find(name)).unwrap_or(image);
        let action = if named == Named::All && (image.helper || is_named) {
            Action::Run(build)
        } else {
            Action::Unless(docker::is_present_at(&decides.reference, decides.stage.as_deref()), build)
        };
        push(&mut plan, &mut index, image, action, None);
    }
    plan.summary = plan.steps.len() > 1;
    plan
}

/// A plan with what is exported to all builds.
fn begun(project: &Project, facts: &Facts) -> Plan {
    let mut plan = provenance::plan(project, facts);
    if project.vars.get(NO_ATTESTATIONS).is_none() {
        plan.exports.push((NO_ATTESTATIONS.to_owned(), EnvValue::Text("1".to_owned())));
    }
    plan
}

fn push<'a>(
    plan: &mut Plan,
    index: &mut HashMap<&'a ImageName, usize>,
    image: &'a Image,
    action: Action,
    together: Option<&(usize, Invocation)>,
) {
    let step = Step::new(format!("build {}", image.name), action).image(&image.name).role(Role::Build);
    let bases = image.family_bases().filter_map(|base| index.get(base)).copied();
    let step = step.after(bases.chain(together.map(|(write, _)| *write)));
    let step = step.together(together.map(|(_, command)| command));
    index.insert(&image.name, plan.push(step));
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Family, expect_plan};
    use plan::{facts::Engine, tools::docker::FINGERPRINT_LABEL};

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

    const ALL: [&str; 5] = ["build-tools", "kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"];

    /// The titles of the steps, and the notes.
    fn planned(family: &Family, args: &[&str]) -> (Vec<String>, Vec<String>) {
        let plan = family.plan(args).unwrap();
        let titles = plan.steps.iter().map(|step| step.title.clone());
        (titles.collect(), plan.notes.iter().map(|note| note.text.clone()).collect())
    }

    fn builds(family: &Family, args: &[&str]) -> Vec<String> {
        let (titles, _) = planned(family, args);
        titles.into_iter().filter_map(|title| Some(title.strip_prefix("build ")?.to_owned())).collect()
    }

    #[test]
    fn what_is_there_as_it_would_be_built_is_left_alone() {
        let family = testing::family().built(&ALL);
        let (steps, notes) = planned(&family, &["build", "--all"]);
        assert_eq!(steps, [""; 0]);
        assert_eq!(
            notes,
            ["already built from what they are made of now: python-base, kubeflow-a, fastapi-serve, kubeflow-b"]
        );
        expect_plan!("build_current", family.outline(&["build", "fastapi-serve"]));
        expect_plan!("build_again", family.outline(&["build", "fastapi-serve", "--use-docker-cache", "false"]));
        assert_eq!(builds(&family, &["build", "fastapi-serve", "--use-docker-cache", "false"]), ["fastapi-serve"]);
        // A helper that is named is built like an image.
        assert_eq!(builds(&family, &["build", "build-tools"]), [""; 0]);
    }

    #[test]
    fn several_are_built_together() {
        let changed = testing::family().built(&ALL).file("images/python-base/poetry.lock", &testing::lock(&[]));
        expect_plan!("build_together", changed.outline(&["build", "--all"]));
        let commands = |family: &Family, args: &[&str]| {
            let plan = family.plan(args).unwrap();
            plan.steps.into_iter().filter_map(|step| step.together).count()
        };
        assert_eq!(commands(&changed, &["build", "--all"]), 3);
        assert_eq!(commands(&changed, &["build", "--all", "--jobs", "2"]), 0);
        assert_eq!(commands(&changed, &["build", "python-base"]), 0);
        let mut elsewhere = changed;
        elsewhere.process.insert("COMPOSE_ENV_FILES".to_owned(), "a.env".to_owned());
        assert_eq!(commands(&elsewhere, &["build", "--all"]), 0);
    }

    #[test]
    fn what_changed_is_built_with_what_it_is_built_on() {
        let lock = testing::lock(&[]);
        let changed = |path: &str, args: &[&str]| builds(&testing::family().built(&ALL).file(path, &lock), args);
        let serve = ["build", "fastapi-serve"];
        assert_eq!(changed("images/fastapi-serve/poetry.lock", &serve), ["fastapi-serve"]);
        assert_eq!(changed("images/python-base/poetry.lock", &serve), ["python-base", "fastapi-serve"]);
        assert_eq!(changed("images/python-base/poetry.lock", &["build", "kubeflow-b"]), [""; 0]);
        let tools = ["build-tools", "python-base", "fastapi-serve"];
        assert_eq!(changed("images/build-tools/install", &serve), tools);
        // Another stage.
        let ci = ["build", "fastapi-serve", "--environment", "ci"];
        assert_eq!(builds(&testing::family().built(&ALL), &ci), tools[1..]);
    }

    #[test]
    fn what_is_missing_is_built_only_where_something_needs_it() {
        let there = |names: &[&str]| builds(&testing::family().built(names), &["build", "fastapi-serve"]);
        assert_eq!(there(&[]), ["build-tools", "python-base", "fastapi-serve"]);
        assert_eq!(there(&["fastapi-serve"]), [""; 0]);
        assert_eq!(there(&["build-tools", "python-base"]), ["fastapi-serve"]);
        assert_eq!(there(&["python-base"]), ["build-tools", "fastapi-serve"]);
    }

    #[test]
    fn on_what_plain_compose_built_an_image_has_no_fingerprint() {
        let family = testing::family().built(&["build-tools", "python-base"]);
        let line = |family: &Family| {
            let plan = family.plan(&["build", "fastapi-serve"]).unwrap();
            plan.steps.iter().find(|step| step.title == "build fastapi-serve").unwrap().action.to_string()
        };
        assert!(line(&family).contains("IMAGE_FINGERPRINT="), "{}", line(&family));
        let family = family.with(|facts| {
            let Engine::Has(images) = &mut facts.engine else { return };
            for image in images {
                image.labels.remove(FINGERPRINT_LABEL);
            }
        });
        assert!(!line(&family).contains("IMAGE_FINGERPRINT="), "{}", line(&family));
        assert_eq!(builds(&family, &["build", "fastapi-serve"]), ["build-tools", "fastapi-serve"]);
        assert_eq!(builds(&family, &["build", "python-base"]), ["build-tools", "python-base"]);
    }

    #[test]
    fn a_base_that_was_built_again_from_the_same_is_another_base() {
        let family = testing::family().built(&ALL).with(|facts| {
            let Engine::Has(images) = &mut facts.engine else { return };
            let base = images.iter_mut().find(|image| image.id.ends_with("python-base:latest")).unwrap();
            base.layers = vec!["other".to_owned()];
        });
        assert_eq!(builds(&family, &["build", "--all"]), ["kubeflow-a", "fastapi-serve"]);
    }

    #[test]
    fn the_engine_must_answer() {
        let family = testing::family().with(|facts| facts.engine = Engine::Silent("gone".to_owned()));
        assert_eq!(family.fault(&["build", "python-base"]).cause.exit_code(), 69);
    }
}
