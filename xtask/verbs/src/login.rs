//! `login`: docker, to the registries of the compose file.

use crate::{
    Verb,
    common::{enumerate, registry},
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Inputs, Needs, OnFailure, Outcome, Plan, Report, Role, Source, Step};
use project::{
    ImageRef, Project,
    error::{Cause, Fault},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

impl Verb for flags::Login {
    fn needs(&self, project: &Project, _globals: &Globals) -> Result<Needs, Fault> {
        registries(project)?;
        Ok(Needs { docker: true, programs: vec!["aws"], ..Needs::default() })
    }

    fn plan(&self, project: &Project, facts: &Facts, _globals: &Globals) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let registries = registries(project)?;
        let logins = registries.iter().map(|(host, image)| (*host, registry::login(project, facts, image)));
        let logins: Vec<(&str, Option<Action>)> = logins.collect();
        let others: Vec<&str> = logins.iter().filter(|(_, login)| login.is_none()).map(|(host, _)| *host).collect();
        if let Some(host) = others.first() {
            let what = format!("login: {} is not ECR, so AWS has no password for it", enumerate(&others));
            return Err(Fault::usage(what).help(format!("`docker login {host}`, with an account of that registry")));
        }
        for (host, login) in logins.into_iter().filter_map(|(host, login)| Some((host, login?))) {
            let step = Step::new(format!("log in to {host}"), login).role(Role::Login).on_failure(OnFailure::Judged);
            let login = plan.then(step);
            let of_host = host.to_owned();
            let config = docker_config(project).map(Source::File);
            let tell = Compute::new(format!("# says whether docker is logged in to {host}"), config, move |inputs| {
                told(&of_host, inputs)
            });
            plan.push(Step::new(format!("log in to {host}"), Action::Compute(tell)).after_end([login]));
        }
        Ok(plan)
    }
}

/// The registries of the family, each with an image of it.
fn registries(project: &Project) -> Result<BTreeMap<&str, &ImageRef>, Fault> {
    let references = project.family().map(|image| &image.reference).filter(|image| !image.registry.is_empty());
    let registries: BTreeMap<&str, &ImageRef> = references.map(|image| (image.registry.as_str(), image)).collect();
    if registries.is_empty() {
        return Err(Fault::project(format!("{} names no registry to log in to", project.file()))
            .help("an image is ${REGISTRY…}/<name>:<tag>"));
    }
    Ok(registries)
}

/// Where docker keeps, or has others keep, its logins.
fn docker_config(project: &Project) -> Option<PathBuf> {
    let variable = |name: &str| project.vars.process.get(name).filter(|folder| !folder.is_empty());
    let folder = variable("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(Path::new(variable("HOME")?).join(".docker")))?;
    Some(folder.join("config.json"))
}

/// What we read of docker's configuration.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DockerConfig {
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

/// Amazon's helper for docker logs in whenever docker asks it, and keeps nothing: docker can't store a password there.
const HELPER: &str = "ecr-login";
const STORES_NOTHING: &str = "not implemented";

fn told(host: &str, inputs: &Inputs) -> Report {
    let fault = match inputs.after.first() {
        Some(Outcome::Failed(fault)) => fault,
        Some(Outcome::Done) => return Report::default().note(format!("logged in to {host}")),
        _ => return Report::default(),
    };
    let config: DockerConfig = inputs.text(0).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let helper = config.cred_helpers.get(host).unwrap_or(&config.creds_store);
    let said = if let Cause::Tool { said, .. } = &fault.cause { said.as_str() } else { "" };
    if helper == HELPER && [said, &fault.what].iter().any(|text| text.contains(STORES_NOTHING)) {
        let why = format!("docker-credential-{HELPER} logs in to {host} by itself, and stores nothing: nothing to do");
        return Report::default().note(why);
    }
    Report::default().fail(fault.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Family, expect_plan};
    use plan::compute::Input;

    fn outline(registry: &str, process: &[(&str, &str)]) -> Result<String, Fault> {
        let mut family: Family = testing::family();
        family.process.extend(process.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        family.plan(&["login", "--registry", registry]).map(|plan| plan.outline())
    }

    #[test]
    fn logs_in_to_ecr() {
        let ecr = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
        expect_plan!("login", outline(ecr, &[("HOME", "/home/me")]).unwrap());
        for (registry, command) in [
            ("111122223333.dkr-ecr.eu-west-1.on.aws", "aws ecr get-login-password --region eu-west-1 | docker login "),
            ("vpce-0a-b.dkr.ecr.eu-west-1.vpce.amazonaws.com", "aws ecr get-login-password --region eu-west-1 |"),
            ("111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov", "aws ecr get-login-password --region us-iso-east-1 |"),
            ("public.ecr.aws/x", "aws ecr-public get-login-password --region us-east-1 |"),
        ] {
            let outline = outline(registry, &[("AWS_REGION", "sa-east-1")]).unwrap();
            let host = registry.split('/').next().unwrap();
            assert!(outline.contains(command) && outline.contains(&format!("--password-stdin {host}\n")), "{outline}");
        }
    }

    #[test]
    fn nobody_else_gets_a_password_of_aws() {
        for registry in ["ghcr.io/acme", "localhost:5000", "ecr.example.com"] {
            let fault = outline(registry, &[]).unwrap_err();
            assert!(fault.what.contains("is not ECR"), "{fault}");
            let host = registry.split('/').next().unwrap();
            assert!(fault.help.unwrap().contains(&format!("docker login {host}`")));
        }
        // Tests have an AWS on this machine; nobody else's registry is ECR for that.
        let replaced = [("AWS_ENDPOINT_URL", "http://127.0.0.1:5000"), ("AWS_REGION", "eu-west-1")];
        assert!(outline("localhost:5000", &replaced).unwrap().contains("--region eu-west-1"));
        assert!(outline("ghcr.io", &replaced).is_err());
    }

    #[test]
    fn a_helper_that_logs_in_by_itself_is_no_failure() {
        let failed = |said: &str| {
            let cause = Cause::Tool { code: 1, said: said.to_owned() };
            Outcome::Failed(Fault::new(cause, "log in to r.io: docker login failed"))
        };
        let said = "error storing credentials - err: exit status 1, out: `not implemented`";
        let per_host = r#"{"auths": {}, "credHelpers": {"r.io": "ecr-login", "x.io": "pass"}}"#;
        for (config, outcome, fails) in [
            (Some(per_host), failed(said), false),
            (Some(r#"{"credsStore": "ecr-login"}"#), failed(said), false),
            (Some(per_host), failed("401 Unauthorized"), true),
            (Some(r#"{"credsStore": "pass"}"#), failed(said), true),
            (Some(r#"{"credsStore": "ecr-login", "credHelpers": {"r.io": "pass"}}"#), failed(said), true),
            (Some("[]"), failed(said), true),
            (None, failed(said), true),
            (None, Outcome::Done, false),
        ] {
            let read = vec![config.map_or(Input::Missing, |text| Input::Text(text.to_owned()))];
            let report = told("r.io", &Inputs { read, after: vec![outcome] });
            assert_eq!(report.fault.is_some(), fails, "{config:?}: {report:?}");
            assert_eq!(report.notes.is_empty(), fails, "{config:?}: {report:?}");
        }
    }
}
