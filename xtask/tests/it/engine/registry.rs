//! `login` and `deploy`, to a registry that wants a password.

use super::{
    copy::{ACCOUNT, built, registry},
    docker::{free_port, stderr},
};
use std::{fs, process::Command};

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn login_and_deploy_to_an_authenticated_registry() {
    let copy = built();
    // Without a login the registry refuses, and nothing arrives. (aws is made to fail, so that deploy can't log in.)
    copy.succeeds(&["validate", "python-base", "fastapi-serve"]);
    let refused = copy
        .xtask(&["deploy", "python-base"])
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", free_port()))
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert_eq!(copy.registry.digest("python-base", &copy.tag), None);

    let login = copy.succeeds(&["login"]);
    let password = format!("{ACCOUNT}-auth-token");
    assert!(!stderr(&login).contains(&password));
    let config = fs::read_to_string(copy.docker_config.join("config.json")).unwrap();
    assert!(config.contains(&copy.registry.name()), "{config}");

    let deployed = copy.succeeds(&["deploy", "fastapi-serve", "python-base"]);
    let stdout = String::from_utf8_lossy(&deployed.stdout).into_owned();
    let expected: Vec<String> = ["python-base", "fastapi-serve"]
        .iter()
        .map(|image| format!("{}@{}", copy.reference(image), copy.registry.digest(image, &copy.tag).unwrap()))
        .collect();
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);

    // A second time there is nothing to push.
    let again = copy.succeeds(&["deploy", "python-base"]);
    assert!(!stderr(&again).contains(" push "), "{}", stderr(&again));
    assert!(String::from_utf8_lossy(&again.stdout).contains(&expected[0]));
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn deploy_logs_in_by_itself() {
    let copy = built();
    copy.succeeds(&["validate", "python-base"]);
    let other = copy.docker_config.join("another");
    fs::create_dir_all(&other).unwrap();
    let tag = format!("{}-again", copy.tag);
    let (from, to) = (copy.reference("python-base"), format!("{}/python-base:{tag}", copy.registry.name()));
    assert!(Command::new("docker").args(["tag", &from, &to]).status().unwrap().success());
    let output =
        copy.xtask(&["deploy", "python-base"]).env("DOCKER_CONFIG", &other).env("IMAGE_TAG", &tag).output().unwrap();
    let _ = Command::new("docker").args(["image", "rm", &to]).output();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(copy.registry.digest("python-base", &tag).is_some());
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_wrong_password_is_refused() {
    let copy = built();
    let folder = copy.docker_config.join("other-registry");
    let other = registry(&folder, "something-else");
    let output = copy.xtask(&["login"]).env("REGISTRY", other.name()).output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
}
