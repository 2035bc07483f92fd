//! What ECR says of its repositories, before anything is pushed: it makes none by itself, and a tag may be immutable.
//! (The registry's own answers don't tell a repository that is missing from a tag that is.)

use super::{
    guards::no_repository,
    objections::{Objections, Repair},
};
use crate::common::{trust::trusting, with_patience};
use plan::{Action, Compute, Facts, Inputs, Report, Source, Step, facts::Published, tools::aws::Ecr};
use project::{Image, ImageRef, Project};
use std::collections::{BTreeMap, BTreeSet};

/// An image that is to be pushed to ECR.
#[derive(Debug, Clone)]
struct Wanted {
    image: Image,
    /// Another image has its tag.
    is_taken: bool,
}

/// Looks at the repositories of these images, where they are ECR's and there is an aws CLI to ask.
pub fn step(project: &Project, facts: &Facts, images: &[&Image]) -> Option<Step> {
    let registries: BTreeSet<&str> = images.iter().map(|image| image.reference.registry.as_str()).collect();
    let questions = registries.into_iter().filter_map(|registry| {
        let question = Ecr::of(registry)?.describe_repositories(&facts.program("aws"))?;
        Some((registry.to_owned(), with_patience(trusting(project, facts, "REQUESTS_CA_BUNDLE", question))))
    });
    let (registries, questions): (Vec<_>, Vec<_>) = questions.unzip();
    if questions.is_empty() || !facts.is_there("aws") {
        return None;
    }
    let is_taken = |image: &ImageRef| matches!(facts.registry.get(image), Some(Published::Image { .. }));
    let wanted = images.iter().map(|&image| Wanted { image: image.clone(), is_taken: is_taken(&image.reference) });
    let wanted: Vec<Wanted> = wanted.collect();
    let project = project.clone();
    let shown: Vec<String> = questions.iter().map(ToString::to_string).collect();
    let look = Compute::new(shown.join("\n"), questions.into_iter().map(Source::Output), move |inputs| {
        report(&project, &registries, &wanted, inputs)
    });
    Some(Step::new("look at ECR's repositories", Action::Compute(look)))
}

/// The answer of each registry. Who may push need not be allowed to ask: the push will tell.
fn report(project: &Project, registries: &[String], wanted: &[Wanted], inputs: &Inputs) -> Report {
    let mut objections = Objections::default();
    for (at, registry) in registries.iter().enumerate() {
        let listed = inputs.stdout(at).and_then(|json| serde_json::from_str::<Vec<(String, String)>>(json).ok());
        let Some(listed) = listed else { continue };
        let repositories: BTreeMap<String, String> = listed.into_iter().collect();
        let here = wanted.iter().filter(|wanted| wanted.image.reference.registry == *registry);
        here.for_each(|wanted| judge(wanted, &repositories, &mut objections));
    }
    objections.refuse(project).map(|()| Report::default()).into()
}

fn judge(Wanted { image, is_taken }: &Wanted, repositories: &BTreeMap<String, String>, to: &mut Objections) {
    match repositories.get(&image.reference.repository).map(String::as_str) {
        None => no_repository(image, to),
        Some("IMMUTABLE") if *is_taken => {
            let why = format!("the registry has another image as {}, and its tags are immutable", image.reference);
            to.add(image, &why, Repair::Advice("choose another IMAGE_TAG"), None);
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use plan::{Output, compute::Input};
    use project::{Environment, error::Fault, vars::Vars};

    const REGISTRY: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";

    fn look(answer: Input, is_taken: bool) -> Option<Fault> {
        let vars = Vars { flags: [("REGISTRY".to_owned(), REGISTRY.to_owned())].into(), ..Vars::default() };
        let project = testing::family().facts.project(Environment::Ci, vars).unwrap();
        let image = project.image(&"python-base".parse().unwrap()).unwrap().clone();
        let inputs = Inputs { read: vec![answer], after: Vec::new() };
        report(&project, &[REGISTRY.to_owned()], &[Wanted { image, is_taken }], &inputs).fault
    }

    #[test]
    fn what_would_be_refused_is_said_before() {
        let listed = |mutability: &str| {
            let stdout = format!(r#"[["other", "IMMUTABLE"], ["python-base", "{mutability}"]]"#);
            Input::Printed(Output { stdout, ..Output::default() })
        };
        let none = Input::Printed(Output { stdout: "[]".to_owned(), ..Output::default() });
        let refused = Output { code: 254, stderr: "AccessDeniedException".to_owned(), ..Output::default() };
        let create = "`aws ecr create-repository --repository-name python-base --region eu-west-1`";
        for (answer, is_taken, help) in [
            (listed("MUTABLE"), true, None),
            (listed("IMMUTABLE"), false, None),
            (listed("IMMUTABLE"), true, Some("choose another IMAGE_TAG")),
            (none, false, Some(create)),
            // No answer is not a no.
            (Input::Printed(refused), true, None),
            (Input::Printed(Output::default()), true, None),
            (Input::NotStarted("no aws".to_owned()), true, None),
        ] {
            let fault = look(answer.clone(), is_taken);
            assert_eq!(fault.as_ref().and_then(|fault| fault.help.as_deref()), help, "{answer:?}");
            assert!(
                fault.is_none_or(|fault| fault.what.contains("nothing was pushed") && fault.cause.exit_code() == 77)
            );
        }
    }
}
