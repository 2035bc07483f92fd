//! What steers docker from outside. Our questions and the children that build and push must mean the same engine, the
//! same builder and the same variables: what can't be given to both is refused before anything starts.

use project::{
    error::{Cause, Fault},
    vars::Vars,
};

/// Variables that docker, compose or buildx take from the environment. Compose also takes them from `.env`, where plain
/// docker doesn't look (seen with compose 2.26: `BUILDX_BUILDER` in `.env` moves its builds to that builder).
const STEERING: [&str; 8] = [
    "DOCKER_API_VERSION",
    "DOCKER_BUILDKIT",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
];
const PREFIXES: [&str; 2] = ["BUILDX_", "BUILDKIT_"];

/// Refuses what would make docker and compose look at different things.
///
/// # Errors
/// The variable, where it comes from, and what to do.
pub fn check(vars: &Vars) -> Result<(), Fault> {
    let steers =
        |name: &&String| STEERING.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if let Some(name) = vars.dotenv.keys().find(steers).filter(|name| !vars.process.contains_key(*name)) {
        return Err(refuse(&format!("{name} stands in .env, where compose sees it and docker doesn't"))
            .help(format!("export {name} in the shell instead, and remove it from .env")));
    }
    let given = |name: &str| vars.process.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let context = given("DOCKER_CONTEXT").unwrap_or("default");
    if let Some(builder) = given("BUILDX_BUILDER").filter(|builder| *builder != context) {
        return Err(refuse(&format!(
            "BUILDX_BUILDER={builder}: images are built on bases that only the engine itself has"
        ))
        .help("unset BUILDX_BUILDER"));
    }
    if let Some(value) = given("DOCKER_BUILDKIT").filter(|value| matches!(*value, "0" | "false")) {
        return Err(
            refuse(&format!("DOCKER_BUILDKIT={value}: the Dockerfiles need BuildKit")).help("unset DOCKER_BUILDKIT")
        );
    }
    Ok(())
}

fn refuse(why: &str) -> Fault {
    Fault::new(Cause::Usage, format!("before starting: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_only_compose_would_see_is_refused() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let check = |process: &[(&str, &str)], dotenv: &[(&str, &str)]| {
            super::check(&Vars { process: map(process), dotenv: map(dotenv), ..Vars::default() })
        };
        for (process, dotenv, expected) in [
            (&[][..], &[("BUILDX_BUILDER", "x")][..], Some("BUILDX_BUILDER stands in .env")),
            (&[], &[("DOCKER_HOST", "tcp://a")], Some("DOCKER_HOST stands in .env")),
            (&[("DOCKER_HOST", "tcp://a")], &[("DOCKER_HOST", "tcp://b")], None),
            (&[], &[("COMPOSE_PROJECT_NAME", "x"), ("DOCKER_IMAGE", "y")], None),
            (&[("BUILDX_BUILDER", "far")], &[], Some("BUILDX_BUILDER=far")),
            (&[("BUILDX_BUILDER", "default")], &[], None),
            (&[("BUILDX_BUILDER", "far"), ("DOCKER_CONTEXT", "far")], &[], None),
            (&[("BUILDX_BUILDER", "")], &[], None),
            (&[("DOCKER_BUILDKIT", "0")], &[], Some("DOCKER_BUILDKIT=0")),
            (&[("DOCKER_BUILDKIT", "1")], &[], None),
        ] {
            let fault = check(process, dotenv).err().map(|fault| fault.what);
            assert_eq!(fault.is_some(), expected.is_some(), "{process:?} {dotenv:?}: {fault:?}");
            assert!(fault.unwrap_or_default().contains(expected.unwrap_or_default()), "{process:?} {dotenv:?}");
        }
    }
}
