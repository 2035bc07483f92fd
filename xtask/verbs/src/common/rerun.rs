//! The command that a person is told to run next.

use plan::quote;
use project::{Environment, Project};
use std::collections::BTreeMap;

/// The variables that say which images are meant. (Those of `.env` are read again by the told command.)
const MEANING: [&str; 9] = [
    "IMAGE_TAG",
    "BASE_IMAGE_TAG",
    "TARGET_BUILD_STAGE",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "REGISTRY",
    "PLATFORM",
    "COMPOSE_ENV_FILES",
    "COMPOSE_DISABLE_ENV_FILE",
];

/// A command of ours with the variables that make it mean the images of this run, whether a flag gave them or the
/// environment: whoever reads a log may not have that environment.
pub fn rerun(project: &Project, environment: Environment, command: &str) -> String {
    let vars = &project.vars;
    let from_process = MEANING.iter().filter_map(|name| Some(((*name).to_owned(), vars.process.get(*name)?.clone())));
    let mut given: BTreeMap<String, String> = from_process.collect();
    given.extend(vars.flags.clone());
    given.remove("CA_BUNDLE");
    let otherwise = vars.get("ENVIRONMENT").filter(|name| !name.is_empty());
    if environment != Environment::Dev || otherwise.is_some_and(|name| name != environment.to_string()) {
        given.insert("ENVIRONMENT".to_owned(), environment.to_string());
    }
    given.retain(|_, value| !value.is_empty());
    let given: String = given.iter().map(|(name, value)| format!("{name}={} ", quote(value))).collect();
    given + command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use project::vars::Vars;

    fn told(environment: Environment, flags: &[(&str, &str)], process: &[(&str, &str)]) -> String {
        let layer = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
            entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let vars = Vars { flags: layer(flags), process: layer(process), dotenv: layer(&[("IMAGE_TAG", "dotenv")]) };
        let project = testing::family().facts.project(environment, vars).unwrap();
        rerun(&project, environment, "cargo xtask build a")
    }

    #[test]
    fn keeps_what_flags_and_the_environment_say() {
        let dev = Environment::Dev;
        assert_eq!(told(dev, &[], &[]), "cargo xtask build a", "`.env` is read again");
        let flags = [("REGISTRY", "r.example.com"), ("IMAGE_TAG", "1.4"), ("CA_BUNDLE", "/x")];
        let process = [("AWS_REGION", "eu-west-1"), ("IMAGE_TAG", "1.3"), ("AWS_ACCOUNT_ID", ""), ("HOME", "/h")];
        assert_eq!(
            told(dev, &flags, &process),
            "AWS_REGION=eu-west-1 IMAGE_TAG=1.4 REGISTRY=r.example.com cargo xtask build a"
        );
        let all = [
            ("IMAGE_TAG", "1.4"),
            ("BASE_IMAGE_TAG", "1.3"),
            ("TARGET_BUILD_STAGE", "production"),
            ("AWS_ACCOUNT_ID", "123456789012"),
            ("AWS_REGION", "eu-west-1"),
            ("REGISTRY", "r.example.com"),
            ("PLATFORM", "linux/arm64"),
            ("COMPOSE_ENV_FILES", "local.env"),
            ("COMPOSE_DISABLE_ENV_FILE", "true"),
        ];
        assert_eq!(all.map(|(name, _)| name), MEANING);
        for (flags, process) in [(&all[..], &[][..]), (&[], &all)] {
            let told = told(dev, flags, process);
            assert!(all.iter().all(|(name, value)| told.contains(&format!("{name}={value} "))), "{told}");
        }
    }

    #[test]
    fn names_the_environment_where_the_command_would_take_another() {
        assert_eq!(told(Environment::Ci, &[], &[]), "ENVIRONMENT=ci cargo xtask build a");
        assert_eq!(told(Environment::Dev, &[], &[("ENVIRONMENT", "ci")]), "ENVIRONMENT=dev cargo xtask build a");
        assert_eq!(told(Environment::Dev, &[], &[("ENVIRONMENT", "dev")]), "cargo xtask build a");
    }
}
