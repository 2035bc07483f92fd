//! What is built is kept for other machines, where there is a place for it.

use super::{How, Named, choice::Choice};
use crate::common::{
    enumerate,
    shared::{self, Shared, VARIABLE},
};
use plan::{Facts, Plan};
use project::{Image, ImageName, ImageRef, Project};
use std::collections::HashMap;

/// What the registry is asked about: whether it has what would be built, and what is built already.
pub fn asked(project: &Project, choice: &Choice, how: How) -> Vec<ImageRef> {
    let Some(shared) = Shared::of(project) else { return Vec::new() };
    let kept = choice.kept.iter().copied().filter(|_| how.named == Named::All);
    let names = choice.builds.iter().map(|build| &build.image.name).chain(kept);
    names.filter_map(|name| shared.image(name, choice.fingerprints.get(name)?.hash)).collect()
}

/// What is kept where.
pub struct Keeping<'a> {
    project: &'a Project,
    facts: &'a Facts,
    images: Vec<(&'a Image, ImageRef)>,
    /// What a reader must know of it.
    notes: Vec<String>,
}

impl<'a> Keeping<'a> {
    /// What the registry says it lacks. What is built on the way to something else's start is not waited for.
    pub fn of(project: &'a Project, facts: &'a Facts, choice: &Choice<'a>, how: How) -> Keeping<'a> {
        let mut images = Vec::new();
        let asked = asked(project, choice, how);
        let mut notes: Vec<String> =
            Shared::of(project).and_then(|shared| shared.silence(facts, &asked)).into_iter().collect();
        if let Some(shared) = Shared::of(project).filter(|_| how.named == Named::All) {
            let built = choice.builds.iter().filter_map(|build| Some((&build.image.name, build.fingerprint?)));
            let there = choice.kept.iter().filter_map(|name| Some((*name, choice.fingerprints.get(*name)?.hash)));
            for (name, hash) in built.chain(there) {
                let Some((image, to)) = project.find(name).zip(shared.image(name, hash)) else { continue };
                if shared::lacks(facts, &to) && shared::may_leave(project, facts, image, &to) {
                    images.push((image, to));
                }
            }
            notes.extend(unknown(project, facts, choice));
        }
        Keeping { project, facts, images, notes }
    }

    /// Adds the steps that keep them, each after its build.
    pub fn plan(&self, builds: &HashMap<&ImageName, usize>, plan: &mut Plan) {
        self.notes.iter().for_each(|why| plan.note(why.clone()));
        for (image, to) in &self.images {
            let step = shared::keep(self.project, self.facts, image, to);
            plan.push(step.after(builds.get(&image.name).copied()));
        }
    }
}

/// That an image is kept, or fetched, whose fingerprint doesn't say which external image it is built on.
fn unknown(project: &Project, facts: &Facts, choice: &Choice) -> Option<String> {
    let names: Vec<ImageName> = choice.builds.iter().map(|build| build.image.name.clone()).collect();
    let used = identity::used(project, &names).ok()?;
    let is_unknown = |image: &&ImageRef| image.digest.is_none() && facts.engine.find(image).is_none();
    let unknown: Vec<String> = used.iter().filter(is_unknown).map(ToString::to_string).collect();
    let pulls: Vec<String> = unknown.iter().map(|image| format!("docker pull {image}")).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "{VARIABLE}: the engine doesn't have {}, so no fingerprint says which one an image is built on, and what is \
             kept is not built again for a newer one: first `{}`",
            enumerate(&unknown),
            pulls.join(" && ")
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Family, expect_plan};
    use plan::{
        facts::{Engine, Published},
        tools::docker::STAND_IN_LABEL,
    };

    /// With a place to keep images, which has these and lacks the rest.
    fn sharing(mut family: Family, place: &str, has: &[&str]) -> Family {
        family.process.insert("CACHE_REGISTRY".to_owned(), place.to_owned());
        // What it is asked about, under today's fingerprints.
        let asked = family.needs(&["build", "--all"]).registry;
        assert!(!asked.is_empty());
        family.with(|facts| {
            for reference in asked {
                let published = match has.contains(&reference.name()) {
                    true => Published::Image { digest: "sha256:1".to_owned(), config: None },
                    false => Published::Missing,
                };
                facts.registry.insert(reference, published);
            }
        })
    }

    const PLACE: &str = "r.io/cache";

    #[test]
    fn what_is_kept_elsewhere_is_fetched_and_what_is_built_is_kept() {
        let family = sharing(testing::family().built(&[]), PLACE, &["fastapi-serve", "build-tools"]);
        expect_plan!("build_shared", family.outline(&["build", "fastapi-serve", "kubeflow-a"]));
        // Neither its base nor its helper is needed.
        let titles = |family: &Family, args: &[&str]| -> Vec<String> {
            family.plan(args).unwrap().steps.into_iter().map(|step| step.title).collect()
        };
        assert_eq!(titles(&family, &["build", "fastapi-serve"])[0], "fetch fastapi-serve");
        let again = titles(&family, &["build", "fastapi-serve", "--use-docker-cache", "false"]);
        assert!(again.contains(&"build fastapi-serve".to_owned()), "{again:?}");
        // What is started is not kept, since somebody waits for it.
        let started = titles(&family, &["start", "kubeflow-a"]);
        assert!(started.contains(&"build kubeflow-a".to_owned()), "{started:?}");
        assert!(!started.iter().any(|title| title.starts_with("keep")), "{started:?}");
    }

    #[test]
    fn a_base_whose_digest_is_not_known_is_said() {
        let notes = |family: Family| -> Vec<String> {
            let plan = sharing(family, PLACE, &[]).plan(&["build", "python-base"]).unwrap();
            plan.notes.into_iter().map(|note| note.text).filter(|note| note.contains("CACHE_REGISTRY")).collect()
        };
        let has = || testing::family().built(&[]);
        assert_eq!(notes(has()), [""; 0]);
        assert_eq!(
            notes(has().with(|facts| facts.engine = Engine::Has(Vec::new()))),
            [
                "CACHE_REGISTRY: the engine doesn't have debian:trixie-slim, so no fingerprint says which one an image is built \
              on, and what is kept is not built again for a newer one: first `docker pull debian:trixie-slim`"
            ]
        );
    }

    #[test]
    fn a_dry_run_says_what_a_run_would_do_with_a_registry() {
        let notes = |args: &[&str]| -> Vec<String> {
            let mut family = testing::family();
            family.process.insert("CACHE_REGISTRY".to_owned(), PLACE.to_owned());
            family.plan(args).unwrap().notes.into_iter().map(|note| note.text).collect()
        };
        for (args, expected) in [
            (&["build"][..], "fetches what is kept there instead of building it, and keeps there what isn't"),
            (&["start"], "fetches what is kept there instead of building it"),
            (
                &["build", "--use-docker-cache", "false"],
                "fetches the bases that are kept there, and keeps there what isn't",
            ),
            (&["validate"], "takes over the passes that are kept there, and keeps there what passes"),
            (&["validate", "--rerun"], "keeps there what passes"),
        ] {
            let args = [args, &["fastapi-serve"]].concat();
            assert_eq!(notes(&args), [format!("CACHE_REGISTRY=r.io/cache: a run {expected}")], "{args:?}");
        }
        assert!(!notes(&["validate", "fastapi-serve", "--", "-x"]).iter().any(|note| note.contains("r.io/cache")));
    }

    #[test]
    fn what_is_there_already_is_kept_too() {
        let all = ["build-tools", "kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"];
        let family = sharing(testing::family().built(&all), PLACE, &["python-base"]);
        let plan = family.plan(&["build", "python-base", "fastapi-serve"]).unwrap();
        let titles: Vec<&str> = plan.steps.iter().map(|step| step.title.as_str()).collect();
        assert_eq!(titles, ["keep fastapi-serve"]);
    }

    #[test]
    fn what_was_built_on_another_build_of_its_base_is_not_fetched_again() {
        let all = ["build-tools", "kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"];
        let family = testing::family().built(&all).with(|facts| {
            let Engine::Has(images) = &mut facts.engine else { return };
            let base = images.iter_mut().find(|image| image.id.ends_with("python-base:latest")).unwrap();
            base.layers = vec!["other".to_owned()];
        });
        let plan = sharing(family, PLACE, &all).plan(&["build", "fastapi-serve"]).unwrap();
        assert_eq!(plan.steps[0].title, "build fastapi-serve");
    }

    #[test]
    fn what_stands_on_a_stand_in_stays_on_this_machine() {
        let keeps = |place: &str| {
            let family = testing::family().built(&[]).with(|facts| {
                let Engine::Has(images) = &mut facts.engine else { return };
                images[0].labels.insert(STAND_IN_LABEL.to_owned(), "debian:trixie-slim".to_owned());
            });
            let plan = sharing(family, place, &[]).plan(&["build", "python-base"]).unwrap();
            plan.steps.iter().any(|step| step.title == "keep python-base")
        };
        assert!(!keeps(PLACE));
        assert!(keeps("localhost:5000/cache"));
    }

    #[test]
    fn the_build_cache_is_kept_too_where_the_engine_can() {
        let exporting = || {
            let family = sharing(testing::family().built(&["build-tools"]), PLACE, &[]);
            family.with(|facts| facts.exports_cache = true)
        };
        let outline = exporting().outline(&["build", "python-base"]);
        assert!(outline.contains("--load python-base\n"), "{outline}");
        assert!(outline.contains("\"type=registry,ref=r.io/cache/python-base:buildcache,mode=max,ignore-error=true\""));
        assert!(outline.contains("\"type=registry,ref=r.io/cache/python-base:buildcache\""), "{outline}");
        let stand_in = exporting().with(|facts| {
            let Engine::Has(images) = &mut facts.engine else { return };
            images[0].labels.insert(STAND_IN_LABEL.to_owned(), "debian:trixie-slim".to_owned());
        });
        assert!(!stand_in.outline(&["build", "python-base"]).contains("cache-to"));
    }

    #[test]
    fn a_registry_that_does_not_answer_is_passed_over() {
        let mut family = sharing(testing::family().built(&[]), PLACE, &[]);
        for published in family.facts.registry.values_mut() {
            *published = Published::Refused("401 Unauthorized".to_owned());
        }
        let plan = family.plan(&["build", "python-base"]).unwrap();
        let notes: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
        assert!(notes.iter().any(|note| note.ends_with("passed over: 401 Unauthorized")), "{notes:?}");
        assert!(!plan.steps.iter().any(|step| step.title.starts_with("keep")));
    }
}
