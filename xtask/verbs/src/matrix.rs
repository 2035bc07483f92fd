//! `matrix`: the images to work on, in waves: what is in one wave can be worked on side by side, on as many machines, once
//! the waves before it are done.

use crate::{
    Verb,
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Plan, Report, Step};
use project::{ImageName, Project, error::Fault};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
};

/// The file that GitHub reads a step's outputs from (its documentation, "Workflow commands", "Setting an output
/// parameter"): one a step, empty before.
const OUTPUTS: &str = "GITHUB_OUTPUT";

impl Verb for flags::Matrix {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        self.images.of(project).map(|_| Needs::default())
    }

    fn plan(&self, project: &Project, _facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let waves = waves(project, &self.images.of(project)?)?;
        if let Some(most) = self.at_most.filter(|most| waves.len() > *most) {
            let what = format!("matrix: the images come in {} waves, and at most {most} were expected", waves.len());
            return Err(Fault::usage(what).help("give the workflow a job for each wave, and --at-most their number"));
        }
        let value = json!({"waves": waves});
        let outputs = project.vars.process.get(OUTPUTS).filter(|path| !path.is_empty()).map(PathBuf::from);
        let print = Compute::new("# computes the waves", [], move |_| {
            let report = Report::default().data(format!("{value:#}\n"));
            match &outputs {
                Some(outputs) => report.write(outputs, format!("matrix={value}\n")),
                None => report,
            }
        });
        let mut plan = Plan::default();
        plan.push(Step::new("compute the waves", Action::Compute(print)));
        Ok(plan)
    }
}

/// What is built on nothing else of these comes first, then what is built on that alone. A base that isn't among them is
/// there already, or is built or fetched where it is needed.
fn waves(project: &Project, names: &[ImageName]) -> Result<Vec<Vec<String>>, Fault> {
    let mut wave_of: BTreeMap<&ImageName, usize> = BTreeMap::new();
    let mut waves: Vec<Vec<String>> = Vec::new();
    let chosen: HashSet<&ImageName> = names.iter().collect();
    for image in project.with_bases(names)? {
        // Through those that aren't among them, too: a wave doesn't begin before what its images stand on is done.
        let after = image.family_bases().filter_map(|base| wave_of.get(base)).max().copied();
        if chosen.contains(&image.name) {
            let wave = after.unwrap_or_default();
            if waves.len() <= wave {
                waves.resize(wave + 1, Vec::new());
            }
            waves[wave].push(image.name.to_string());
            wave_of.insert(&image.name, wave + 1);
        } else if let Some(after) = after {
            wave_of.insert(&image.name, after);
        }
    }
    Ok(waves)
}

#[cfg(test)]
mod tests {
    use crate::testing;
    use plan::{Action, Inputs, Report, Step};
    use serde_json::{Value, json};

    fn report(args: &[&str], outputs: Option<&str>) -> Report {
        let mut family = testing::family();
        family.process.extend(outputs.map(|path| ("GITHUB_OUTPUT".to_owned(), path.to_owned())));
        let plan = family.plan(&[&["matrix"], args].concat()).unwrap();
        let [Step { action: Action::Compute(compute), .. }] = &plan.steps[..] else { panic!("{}", plan.outline()) };
        compute.report(&Inputs::default())
    }

    #[test]
    fn what_stands_on_another_comes_in_a_later_wave() {
        let waves = |args: &[&str]| serde_json::from_str::<Value>(&report(args, None).data).unwrap()["waves"].clone();
        assert_eq!(waves(&["--all"]), json!([["python-base", "kubeflow-b"], ["kubeflow-a", "fastapi-serve"]]));
        // A base that nobody asked for takes no wave.
        assert_eq!(waves(&["kubeflow-a", "kubeflow-b"]), json!([["kubeflow-a", "kubeflow-b"]]));
    }

    #[test]
    fn a_workflow_that_is_too_shallow_is_told() {
        assert!(testing::family().plan(&["matrix", "--all", "--at-most", "2"]).is_ok());
        let fault = testing::family().fault(&["matrix", "--all", "--at-most", "1"]);
        assert!(fault.cause.exit_code() == 2 && fault.what.contains("2 waves"), "{fault}");
    }

    #[test]
    fn github_is_told_in_a_line() {
        let [(path, text)] = &report(&["python-base"], Some("/tmp/out")).writes[..] else { panic!() };
        assert_eq!((path.to_str(), text.as_str()), (Some("/tmp/out"), "matrix={\"waves\":[[\"python-base\"]]}\n"));
        assert!(report(&["python-base"], None).writes.is_empty());
    }
}
