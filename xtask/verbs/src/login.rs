//! `login`: docker, to the registries of the compose file.

use crate::{
    Verb,
    common::{enumerate, registry},
    flags::{self, Globals},
};
use plan::{Action, Compute, Facts, Needs, Plan, Report, Role, Step};
use project::{ImageRef, Project, error::Fault};
use std::collections::BTreeMap;

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
            plan.then(Step::new(format!("log in to {host}"), login).role(Role::Login));
        }
        let hosts: Vec<&str> = registries.into_keys().collect();
        let note = format!("logged in to {}", enumerate(&hosts));
        let tell = Compute::new("# says where docker is logged in", [], move |_| Report::default().note(note.clone()));
        plan.then(Step::new("say where docker is logged in", Action::Compute(tell)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Family, expect_plan};

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
    fn a_region_elsewhere_has_its_own_domain() {
        let registry = "${REGISTRY:-${AWS_ACCOUNT_ID:-1}.dkr.ecr.${AWS_REGION:-us-east-1}.amazonaws.com}";
        let mut family = testing::family();
        for file in ["docker-compose.dev.yaml", "docker-compose.ci.yaml"] {
            let text = family.facts.files.text(file).unwrap().unwrap().replace("${REGISTRY:-r.io}", registry);
            family = family.file(file, &text);
        }
        for (args, host) in [
            (&["--aws-region", "cn-north-1"][..], "1.dkr.ecr.cn-north-1.amazonaws.com.cn"),
            (
                &["--aws-region", "us-iso-east-1", "--aws-account-id", "111122223333"],
                "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            ),
            (&["--aws-region", "us-gov-west-1"], "1.dkr.ecr.us-gov-west-1.amazonaws.com"),
            (
                &["--aws-region", "cn-north-1", "--registry", "3.dkr.ecr.eu-west-1.amazonaws.com"],
                "3.dkr.ecr.eu-west-1.amazonaws.com",
            ),
        ] {
            let login = family.outline(&[&["login"], args].concat());
            assert!(login.contains(&format!("--password-stdin {host}\n")), "{login}");
            // Compose reads the same host.
            let stop = family.outline(&[&["stop", "python-base"], args].concat());
            let is_default = host.ends_with("us-gov-west-1.amazonaws.com");
            assert_eq!(stop.contains(&format!("REGISTRY={host} docker compose ")), !is_default, "{stop}");
        }
    }
}
