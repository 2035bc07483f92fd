//! Other people's images: in the engine already, else pulled, else made by a stand-in's recipe.

use plan::{Action, Facts, Invocation, OnFailure, Plan, Role, Step, tools::docker};
use project::{ImageRef, Origin, Project};
use std::{collections::BTreeSet, path::Path};

/// The folder of the stand-ins' recipes.
pub const RECIPES: &str = "images/stand-ins";

pub fn steps(facts: &Facts, both: &[Project], plan: &mut Plan) {
    for reference in references(both) {
        let pull = Action::Unless(docker::is_present(reference), docker::pull(reference));
        let pull = Step::new(format!("pull {reference}"), pull).role(Role::Registry { login: None });
        let recipe = Path::new(RECIPES).join(reference.repository.replace('/', "-"));
        if !facts.files.has(&recipe) {
            plan.then(pull);
            continue;
        }
        plan.then(pull.on_failure(OnFailure::Continue));
        let recipe = facts.shown(recipe);
        let recipe = if recipe.components().count() == 1 { Path::new(".").join(recipe) } else { recipe };
        let make = Invocation::new(&recipe.display().to_string(), [reference.to_string()]);
        let make = Action::Unless(docker::is_present(reference), make);
        plan.then(Step::new(format!("make a stand-in for {reference}"), make).role(Role::Packages));
    }
}

/// The images of others that the images of these files are built from.
pub fn references(projects: &[Project]) -> BTreeSet<&ImageRef> {
    let bases = projects.iter().flat_map(|project| &project.images).flat_map(|image| &image.bases);
    bases.filter(|base| base.origin == Origin::External).map(|base| &base.reference).collect()
}
