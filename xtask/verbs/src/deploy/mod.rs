//! `deploy`: pushes what was built for production and validated, and has the registry confirm it.

mod confirm;
mod guards;
mod objections;
mod repositories;

use crate::{
    Verb,
    common::{identity, local, registry, rerun::rerun},
    flags::{self, Globals},
    validate::record,
};
use plan::{
    Action, Facts, Needs, OnFailure, Plan, Role, Step,
    facts::{Engine, Published},
    tools::docker,
};
use project::{
    Environment, Image, ImageName, Project,
    error::{Cause, Fault},
};

impl Verb for flags::Deploy {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let images = self.ordered(project)?;
        let claims: Vec<ImageName> = images.iter().map(|image| image.name.clone()).collect();
        Ok(Needs {
            docker: true,
            look_for: vec!["aws".to_owned()],
            files: record::all(),
            engine: local::with_bases(project, &claims)?,
            contexts: identity::contexts(project, &claims)?,
            registry: images.iter().map(|image| image.reference.clone()).collect(),
            suites: claims.clone(),
            claims,
            ..Needs::default()
        })
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let images = self.ordered(project)?;
        let mut plan = Plan::default();
        if facts.engine == Engine::NotAsked {
            let names: Vec<ImageName> = images.iter().map(|image| image.name.clone()).collect();
            let references = local::with_bases(project, &names)?;
            let question = docker::inspect_all(&references.iter().collect::<Vec<_>>());
            plan.push(Step::new("ask the engine", Action::Run(question)));
        } else {
            guards::check(project, facts, &images, self)?;
        }
        let (there, wanted): (Vec<&Image>, Vec<&Image>) = images.iter().partition(|image| is_there(facts, image));
        for image in there {
            plan.note(format!("{}: the registry has this very image already", image.name));
        }
        if let Some(look) = repositories::step(project, facts, &wanted) {
            plan.then(look);
        }
        let mut pushes = Vec::new();
        for image in wanted {
            if let Some(Published::Image { digest, .. }) = facts.registry.get(&image.reference) {
                plan.note(format!(
                    "{}: the registry has another image as {} ({digest}), which the push replaces; where its tags are \
                     immutable, choose another IMAGE_TAG",
                    image.name, image.reference
                ));
            }
            let push = push(project, facts, image);
            pushes.push(plan.then(push));
        }
        let confirm = confirm::step(project, facts, &images, globals.json);
        plan.push(confirm.after_end(pushes));
        Ok(plan)
    }
}

impl flags::Deploy {
    /// Bases first, so that what is in the registry never lacks its base.
    fn ordered<'a>(&self, project: &'a Project) -> Result<Vec<&'a Image>, Fault> {
        let names = self.images.of(project)?;
        let ordered = project.with_bases(&names)?.into_iter();
        let images: Vec<&Image> = ordered.filter(|image| names.contains(&image.name)).collect();
        match images.iter().find(|image| image.reference.registry.is_empty()) {
            None => Ok(images),
            Some(image) => Err(Fault::usage(format!("deploy {}: {} is never published", image.name, image.reference))
                .help("`cargo xtask list` shows what is")),
        }
    }
}

/// Does the registry's tag lead to the very image that the engine has? (Asked before, since a push to a registry with
/// immutable tags fails even where nothing would change.)
fn is_there(facts: &Facts, image: &Image) -> bool {
    let found = facts.engine.find(&image.reference);
    let published = facts.registry.get(&image.reference);
    found.zip(published).is_some_and(|(found, published)| published.is_image(&found.id))
}

/// Pushes an image, if it still is the one that was checked: what goes before it can take an hour.
fn push(project: &Project, facts: &Facts, image: &Image) -> Step {
    let name = &image.name;
    let push = facts.compose(project).push(name);
    let push = match facts.engine.find(&image.reference) {
        None => Action::Run(push),
        Some(found) => {
            let what = format!("push {name}: the engine no longer has it as it was checked");
            let validate = rerun(project, Environment::Ci, &format!("cargo xtask validate {name}"));
            let fault = Fault::new(Cause::Busy, what).help(validate);
            Action::OnlyIf(docker::is_still(&image.reference, &found.id), push, fault)
        }
    };
    let login = registry::login(project, facts, &image.reference).map(Box::new);
    Step::new(format!("push {name}"), push).image(name).role(Role::Registry { login }).on_failure(OnFailure::Judged)
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Family, expect_plan};
    use plan::{
        facts::{Engine, Published},
        tools::docker::{Inspected, REVISION_LABEL, STAGE_LABEL, STAND_IN_LABEL},
    };

    const ECR: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

    /// The engine has these images, of the registry, with their labels; a suite has passed for each.
    fn family(registry: &str, images: &[(&str, &[(&str, &str)])]) -> Family {
        let mut family = testing::family();
        let mut engine = Vec::new();
        for (name, labels) in images {
            let id = format!("sha256:{name}");
            let stage = labels.iter().find(|(label, _)| *label == STAGE_LABEL).map(|(_, stage)| *stage);
            let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
            let tags = vec![format!("{registry}/{name}:latest")];
            let found = Inspected { config: id.clone(), id, tags, labels, ..Inspected::default() };
            family = family.passed_for(name, found.content(), stage, "");
            engine.push(found);
        }
        family.with(|facts| facts.engine = Engine::Has(engine))
    }

    fn published(family: Family, image: &str, published: Published) -> Family {
        let reference = format!("{ECR}/{image}:latest").parse().unwrap();
        family.with(|facts| {
            facts.registry.insert(reference, published);
        })
    }

    fn deploy<'a>(images: &[&'a str]) -> Vec<&'a str> {
        [&["deploy", "--environment", "ci", "--registry", ECR], images].concat()
    }

    #[test]
    fn plans() {
        expect_plan!("deploy_dry_run", testing::outline(&deploy(&["fastapi-serve", "python-base"])));
        let ready = family(ECR, &[("python-base", &[]), ("fastapi-serve", &[])]);
        expect_plan!("deploy", ready.outline(&deploy(&["fastapi-serve", "python-base"])));
        let local = family("localhost:5000", &[("python-base", &[])]);
        let args = ["deploy", "python-base", "--environment", "ci", "--registry", "localhost:5000", "--json"];
        expect_plan!("deploy_local", local.outline(&args));
    }

    #[test]
    fn what_the_registry_has_is_known_before_anything_is_pushed() {
        let image = |digest: &str, config: Option<&str>| Published::Image {
            digest: digest.to_owned(),
            config: config.map(str::to_owned),
        };
        for (said, pushes, note) in [
            (Published::Missing, true, ""),
            (Published::Refused("401 Unauthorized".to_owned()), true, ""),
            (Published::Unreachable("refused".to_owned()), true, ""),
            // Docker's own image store, then containerd's.
            (
                image("sha256:m", Some("sha256:python-base")),
                false,
                "python-base: the registry has this very image already",
            ),
            (image("sha256:python-base", None), false, "python-base: the registry has this very image already"),
            (image("sha256:m", Some("sha256:c")), true, "choose another IMAGE_TAG"),
        ] {
            let family = published(family(ECR, &[("python-base", &[])]), "python-base", said.clone());
            let outline = family.outline(&deploy(&["python-base"]));
            assert_eq!(outline.contains(": push python-base"), pushes, "{said:?}: {outline}");
            assert!(outline.contains(note), "{said:?}: {outline}");
            assert!(outline.contains(": confirm what the registry has"), "{outline}");
        }
        let family = published(family(ECR, &[("python-base", &[])]), "python-base", Published::NoRepository);
        let fault = family.fault(&deploy(&["python-base"]));
        assert!(fault.what.contains("nothing was pushed: python-base: the registry has no repository python-base"));
        let help = "`aws ecr create-repository --repository-name python-base --region eu-west-1`";
        assert_eq!((fault.cause.exit_code(), fault.help.as_deref()), (77, Some(help)));
    }

    #[test]
    fn guards() {
        let development = (STAGE_LABEL, "development");
        let stand_in = (STAND_IN_LABEL, "debian");
        let force = ["--force-development", "--force-unvalidated", "--force-outdated"];
        let revision = |revision| (REVISION_LABEL, revision);
        for (registry, labels, flags, why) in [
            (ECR, &[][..], &[][..], None),
            (ECR, &[stand_in], &force[..], Some("python-base: built on a stand-in (debian)")),
            ("localhost:5000", &[stand_in], &[], None),
            (ECR, &[("core-images.index.neuron", "stand-in")], &force, Some("built on a stand-in (neuron)")),
            (ECR, &[("core-images.index.neuron", "https://vendor.example")], &[], None),
            (ECR, &[development], &force[1..], Some("python-base: built at the development stage")),
            (ECR, &[development], &force[..1], None),
            (ECR, &[revision("")], &force, Some("python-base: its label org.opencontainers.image.revision is empty")),
            (ECR, &[revision("")], &["--force-no-revision"], None),
            (ECR, &[revision("0123-dirty")], &[], None),
            ("localhost:5000", &[revision("")], &[], None),
        ] {
            let args = [&["deploy", "python-base", "--registry", registry], flags].concat();
            let plan = family(registry, &[("python-base", labels)]).plan(&args);
            match why {
                None => assert!(plan.is_ok(), "{labels:?}: {plan:?}"),
                Some(why) => assert!(plan.unwrap_err().what.contains(why), "{labels:?}"),
            }
        }
    }

    #[test]
    fn all_objections_are_reported_at_once() {
        let family = family("r.io", &[("python-base", &[]), ("kubeflow-a", &[(STAGE_LABEL, "development")])]);
        let records: Vec<_> = family.facts.files.below("target/validate/passed".as_ref()).collect();
        let is_of = |path: &&std::path::Path| {
            let text = family.facts.files.text(path).unwrap().unwrap();
            text.contains("\"image\":\"python-base\"")
        };
        let record = records.iter().map(|(path, _)| *path).find(is_of).unwrap().to_str().unwrap().to_owned();
        let family = family.without(&record);
        let fault = family.fault(&["deploy", "--all"]);
        let lines = "deploy: nothing was pushed:\n  \
                     python-base: its suite, as it is now, has not passed for sha256:python-base\n  \
                     kubeflow-a: built at the development stage, or on a base that was\n  \
                     fastapi-serve: the engine has no image r.io/fastapi-serve:latest\n  \
                     kubeflow-b: the engine has no image r.io/kubeflow-b:latest";
        assert_eq!(fault.what, lines);
        let help = "`ENVIRONMENT=ci cargo xtask build kubeflow-a fastapi-serve kubeflow-b && \
                    ENVIRONMENT=ci cargo xtask validate python-base kubeflow-a fastapi-serve`\n\
                    or, if you mean it, `deploy` with --force-unvalidated --force-development";
        assert_eq!(fault.help.as_deref(), Some(help));
        assert!(family.plan(&["deploy", "python-base", "--force-unvalidated"]).is_ok());
        let Engine::Has(images) = &family.facts.engine else { panic!() };
        let content = images[0].content();
        // A suite that tested the promises of the other stage has not passed.
        let family = family.passed_for("python-base", content.clone(), Some("development"), "");
        assert!(family.fault(&["deploy", "python-base"]).what.contains("has not passed"));
        // Nor has one that demanded other hardware, or that was another one then.
        let family = family.passed_for("python-base", content.clone(), None, "gpu");
        assert!(family.fault(&["deploy", "python-base"]).what.contains("has not passed"));
        let family = family.passed_for("python-base", content.clone(), None, "");
        assert!(family.plan(&["deploy", "python-base"]).is_ok());
    }

    #[test]
    fn the_whole_family_is_not_listed() {
        let help = family(ECR, &[]).fault(&["deploy", "--all"]).help.unwrap();
        assert!(
            help.starts_with("`ENVIRONMENT=ci cargo xtask build --all && ENVIRONMENT=ci cargo xtask validate "),
            "{help}"
        );
    }

    #[test]
    fn a_helper_is_never_published() {
        let fault = testing::family().fault(&["deploy", "build-tools"]);
        assert!(fault.what.contains("never published") && fault.cause.exit_code() == 2, "{fault}");
    }
}
