//! `fingerprint`: what images are made of, as one hash each.

use crate::{
    Verb,
    common::identity::{Fingerprints, fingerprints},
    flags::{self, Globals},
};
use identity::Fingerprint;
use plan::{Action, Compute, Facts, Needs, Plan, Report, Source, Step, facts::Engine, tools::docker};
use project::{ImageName, Project, error::Fault};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

impl Verb for flags::Fingerprint {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        let images = project.with_bases(&self.images.of(project)?)?;
        Ok(Needs { contexts: images.iter().map(|image| image.name.clone()).collect(), ..Needs::default() })
    }

    /// One step: what the engine says of the images that are used as they are is all that isn't known before.
    fn plan(&self, project: &Project, facts: &Facts, globals: &Globals) -> Result<Plan, Fault> {
        let names = self.images.of(project)?;
        let used = identity::used(project, &names)?;
        let question = (!used.is_empty()).then(|| docker::inspect_all(&used.iter().collect::<Vec<_>>()));
        let shown = question.as_ref().map_or("# asks nobody".to_owned(), ToString::to_string);
        let (family, facts, show) =
            (project.clone(), facts.clone(), Show { explain: self.explain, json: globals.json });
        let sources: Vec<Source> = question.iter().cloned().map(Source::Output).collect();
        let compute = Compute::new(shown, sources, move |inputs| {
            let engine = match &question {
                Some(question) => Engine::of(question, inputs.output(0)),
                None => Engine::Has(Vec::new()),
            };
            let known = engine.answered("fingerprint").and_then(|()| fingerprints(&family, &facts, &engine, &names));
            known.map(|known| show.report(&names, &known)).into()
        });
        let mut plan = Plan::default();
        plan.push(Step::new("compute fingerprints", Action::Compute(compute)));
        Ok(plan)
    }
}

/// How they are shown.
#[derive(Clone, Copy)]
struct Show {
    explain: bool,
    json: bool,
}

impl Show {
    fn report(self, names: &[ImageName], known: &Fingerprints) -> Report {
        let chosen: Vec<(&ImageName, &Fingerprint)> =
            names.iter().filter_map(|name| known.get_key_value(name)).collect();
        let text = match (self.json, self.explain, &chosen[..]) {
            (true, explain, chosen) => {
                let images: Value = chosen.iter().map(|(name, fingerprint)| json(name, fingerprint, explain)).collect();
                format!("{images:#}\n")
            }
            (false, true, chosen) => chosen.iter().map(|(name, fingerprint)| explained(name, fingerprint)).collect(),
            // For `$(…)`.
            (false, false, [(_, only)]) => format!("{}\n", only.hash),
            (false, false, chosen) => {
                chosen.iter().map(|(name, fingerprint)| format!("{}  {name}\n", fingerprint.hash)).collect()
            }
        };
        Report::default().data(text)
    }
}

fn json(name: &ImageName, fingerprint: &Fingerprint, explain: bool) -> Value {
    let mut image = json!({"image": name.as_str(), "fingerprint": fingerprint.hash.to_string()});
    if explain {
        let parts = fingerprint.parts.iter().map(|(part, value)| (part.to_string(), value.to_string().into()));
        image["parts"] = parts.collect::<Map<_, _>>().into();
    }
    image
}

fn explained(name: &ImageName, fingerprint: &Fingerprint) -> String {
    let mut text = format!("{name}: {}\n", fingerprint.hash);
    for (part, value) in &fingerprint.parts {
        let _ = writeln!(text, "  {part}: {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, expect_plan};
    use plan::{Inputs, Output, compute::Input};

    fn report(args: &[&str], answer: Output) -> Report {
        let plan = testing::family().plan(args).unwrap();
        let [Step { action: Action::Compute(compute), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        compute.report(&Inputs { read: vec![Input::Printed(answer)], after: Vec::new() })
    }

    fn debian() -> Output {
        let image = json!([{
            "Id": "sha256:1", "RepoTags": ["debian:trixie-slim"], "Config": {},
            "RepoDigests": ["mirror.io/debian@sha256:9", "debian@sha256:3"],
        }]);
        Output { stdout: image.to_string(), ..Output::default() }
    }

    #[test]
    fn asks_for_the_images_that_are_used_as_they_are() {
        expect_plan!("fingerprint", testing::outline(&["fingerprint", "fastapi-serve"]));
        expect_plan!(
            "fingerprint_base_tag",
            testing::outline(&["fingerprint", "fastapi-serve", "--base-image-tag", "1"])
        );
    }

    #[test]
    fn one_is_for_scripts_and_several_are_for_reading() {
        let one = report(&["fingerprint", "fastapi-serve"], debian()).data;
        assert!(one.trim().len() == 64 && one.ends_with('\n'), "{one}");
        let all = report(&["fingerprint", "--all"], debian()).data;
        assert!(all.lines().count() == 4 && all.contains(&format!("{}  fastapi-serve\n", one.trim())), "{all}");
    }

    #[test]
    fn what_goes_in_is_explained() {
        let text = report(&["fingerprint", "python-base", "--explain"], debian()).data;
        for line in [
            "  args.BASE_IMAGE: debian:trixie-slim sha256:3\n",
            "  target: development\n",
            "  args.TOOLS_IMAGE: build-tools ",
        ] {
            assert!(text.contains(line), "no {line} in {text}");
        }
        let json: Value =
            serde_json::from_str(&report(&["fingerprint", "python-base", "--explain", "--json"], debian()).data)
                .unwrap();
        assert_eq!(json[0]["parts"]["target"], "development");
        assert!(report(&["fingerprint", "python-base", "--json"], debian()).data.find("parts").is_none());
        let missing =
            Output { code: 1, stdout: "[]".to_owned(), stderr: "No such image: debian:trixie-slim".to_owned() };
        let text = report(&["fingerprint", "python-base", "--explain"], missing).data;
        assert!(text.contains("  args.BASE_IMAGE: debian:trixie-slim (not in the engine)\n"), "{text}");
    }

    #[test]
    fn without_an_engine_there_is_none() {
        let gone = Output { code: 1, stderr: "Cannot connect to the Docker daemon".to_owned(), ..Output::default() };
        let report = report(&["fingerprint", "python-base"], gone);
        assert_eq!((report.fault.unwrap().cause.exit_code(), report.data.as_str()), (69, ""));
    }
}
