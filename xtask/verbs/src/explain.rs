//! `explain`: why an image is not what it was in a commit.

use crate::{
    Verb,
    common::{identity, one_image, reasons::reasons},
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Plan, Report, Step, tools::git};
use project::{ImageName, Project, error::Fault, files::Wanted};
use serde_json::json;

impl Verb for flags::Explain {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let contexts = identity::contexts(project, &[self.name(project)?])?;
        let locks = contexts.iter().filter_map(|name| project.find(name)).map(|image| image.folder.join("poetry.lock"));
        Ok(Needs { files: Wanted::files(locks), contexts, since: Some(self.reference.clone()), ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let name = self.name(project)?;
        let mut plan = Plan::default();
        let Some(difference) = &facts.difference else {
            let folders = identity::contexts(project, std::slice::from_ref(&name))?;
            let folders =
                folders.iter().filter_map(|name| project.find(name)).map(|image| facts.argument(&image.folder));
            let paths: Vec<String> = [facts.argument(project.file())].into_iter().chain(folders).collect();
            plan.push(Step::new("ask git", Action::Run(git::difference(&self.reference, &paths))));
            return Ok(plan);
        };
        let difference = difference.as_ref().map_err(Fault::clone)?;
        let reasons = reasons(project, facts, difference, &name)?;
        let report = if globals.json {
            let json = json!({"image": name.as_str(), "since": self.reference, "reasons": reasons});
            Report::default().data(format!("{json:#}\n"))
        } else if reasons.is_empty() {
            Report::default().note(format!("{name} is made of the same as in {}", self.reference))
        } else {
            Report::default().data(reasons.iter().map(|reason| format!("{name}: {reason}\n")).collect::<String>())
        };
        let shown = format!("# compares {name} with {}", self.reference);
        plan.push(Step::new(
            format!("explain {name}"),
            Action::Compute(Compute::new(shown, [], move |_| report.clone())),
        ));
        Ok(plan)
    }
}

impl flags::Explain {
    fn name(&self, project: &Project) -> Result<ImageName, Fault> {
        one_image("explain", &self.image, project)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, Family, expect_plan, lock};
    use plan::{
        Action, Inputs, Step,
        facts::{Change, Difference},
    };

    fn since(changes: &[(&str, &str)], untracked: &[&str]) -> Family {
        let mut family =
            testing::family().file("images/python-base/poetry.lock", &lock(&[("requests", "2"), ("new", "1")]));
        let change = |(path, before): &(&str, &str)| Change {
            path: path.into(),
            before: (*before).to_owned(),
            after: "0".to_owned(),
        };
        let compose = family.facts.files.text("docker-compose.dev.yaml").unwrap().unwrap();
        let compose = compose.replace("${TARGET_BUILD_STAGE:-development}", "old");
        let texts = [("lock".to_owned(), lock(&[("requests", "1"), ("old", "3")])), ("compose".to_owned(), compose)];
        let changes = changes.iter().map(change).collect();
        let untracked = untracked.iter().map(Into::into).collect();
        family.facts.difference = Some(Ok(Difference { changes, untracked, texts: texts.into() }));
        family
    }

    fn explained(family: &Family, args: &[&str]) -> (String, usize) {
        let plan = family.plan(args).unwrap();
        let [Step { action: Action::Compute(compute), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        let report = compute.report(&Inputs::default());
        (report.data, report.notes.len())
    }

    #[test]
    fn down_to_the_file_the_argument_or_the_package() {
        let changes = [
            ("README.md", "a"),
            ("docker-compose.dev.yaml", "compose"),
            ("images/fastapi-serve/gone", "a"),
            ("images/fastapi-serve/pyproject.toml", "0000"),
            ("images/python-base/poetry.lock", "lock"),
            ("images/build-tools/Dockerfile", "a"),
        ];
        let family = since(&changes, &["images/fastapi-serve/extra", "images/kubeflow-a/extra"]);
        let (text, notes) = explained(&family, &["explain", "fastapi-serve", "main"]);
        let expected = "\
fastapi-serve: target: old → development
fastapi-serve: gone is gone
fastapi-serve: pyproject.toml is new
fastapi-serve: extra is not tracked by git
fastapi-serve: base python-base: target: old → development
fastapi-serve: base python-base: poetry.lock: new 1 is new
fastapi-serve: base python-base: poetry.lock: old 3 is gone
fastapi-serve: base python-base: poetry.lock: requests 1 → 2
fastapi-serve: helper build-tools: Dockerfile has changed
";
        assert_eq!((text.as_str(), notes), (expected, 0));
        let (json, _) = explained(&family, &["explain", "fastapi-serve", "main", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["since"], json["reasons"].as_array().unwrap().len()), (&"main".into(), 9));
    }

    #[test]
    fn where_nothing_changed_that_is_said() {
        assert_eq!(
            explained(&since(&[("images/fastapi-serve/x", "a")], &[]), &["explain", "kubeflow-b"]),
            (String::new(), 1)
        );
        expect_plan!("explain_dry_run", testing::outline(&["explain", "fastapi-serve", "main"]));
        let fault = testing::family().fault(&["explain", "kubeflow-*"]);
        assert_eq!(fault.what, "explain kubeflow-*: one image at a time");
    }
}
