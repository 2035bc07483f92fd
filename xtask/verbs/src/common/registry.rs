//! Registries, and how docker is logged in to them.

use super::trust::trusting;
use plan::{
    Action, Facts,
    tools::{aws::Ecr, docker},
};
use project::{ImageRef, Project};

const DEFAULT_REGION: &str = "us-east-1";

/// `aws … | docker login`: the password goes from one to the other, and we never see it. None for a registry that is not
/// ECR: AWS's password is nobody else's business.
pub fn login(project: &Project, facts: &Facts, image: &ImageRef) -> Option<Action> {
    let region = project.vars.get("AWS_REGION").filter(|region| !region.is_empty()).unwrap_or(DEFAULT_REGION);
    // Where the aws CLI itself is pointed at a stand-in of AWS's, a registry on this machine is ECR's stand-in.
    let stands_in = || is_aws_replaced(project) && image.is_loopback();
    let ecr = Ecr::of(&image.registry).or_else(|| stands_in().then_some(Ecr::Private { account: None, region }))?;
    let password = ecr.get_login_password(&facts.program("aws"));
    // Not AWS_CA_BUNDLE: this leaves a bundle of the user's own AWS configuration in force.
    Some(Action::Pipe(trusting(project, facts, "REQUESTS_CA_BUNDLE", password), docker::login(&image.registry)))
}

fn is_aws_replaced(project: &Project) -> bool {
    let is_set = |name: &str| project.vars.process.get(name).is_some_and(|url| !url.is_empty());
    is_set("AWS_ENDPOINT_URL") || is_set("AWS_ENDPOINT_URL_ECR")
}
