//! Flags, the environment and `.env`.

use crate::support::{Repo, asks_what_is_there, calls, ci, dev, last_effect, refuses};

#[test]
fn variables_reach_compose_from_flag_and_environment() {
    for (flag, variable, value) in [
        ("--image-tag", "IMAGE_TAG", "1.5"),
        ("--base-image-tag", "BASE_IMAGE_TAG", "1.4"),
        ("--target-build-stage", "TARGET_BUILD_STAGE", "production"),
        ("--aws-account-id", "AWS_ACCOUNT_ID", "111122223333"),
        ("--aws-region", "AWS_REGION", "eu-west-1"),
        ("--registry", "REGISTRY", "localhost:5000"),
        ("--platform", "PLATFORM", "linux/arm64"),
        ("--port", "PORT", "8123"),
    ] {
        let build = ["build", "python-base"];
        let repo = Repo::new();
        let by_flag = repo.run(&[&build[..], &[flag, value]].concat()).succeeds();
        let call = last_effect(&repo).unwrap();
        assert_eq!((call.line(), call.var(variable)), (dev("build python-base"), Some(value)));
        assert!(by_flag.stderr.contains(&format!("$ {variable}={value} IMAGE_FINGERPRINT=")), "{}", by_flag.stderr);

        repo.forget();
        let by_variable = repo.xtask(&build).env(variable, value).run().succeeds();
        assert_eq!(last_effect(&repo).unwrap().var(variable), Some(value));
        assert!(!by_variable.stderr.contains(&format!("{variable}=")), "the shell has it: {}", by_variable.stderr);
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_dotenv() {
    let repo = Repo::new();
    repo.write(".env", "IMAGE_TAG=from-dotenv\nENVIRONMENT=ci\n");
    let tag_after = |args: &[&str], variable: Option<&str>| {
        repo.forget();
        let xtask = repo.xtask(&[&["build", "fastapi-serve"], args].concat());
        variable.into_iter().fold(xtask, |xtask, tag| xtask.env("IMAGE_TAG", tag)).run().succeeds();
        let calls = calls(&repo);
        assert_eq!(calls.last().unwrap(), &ci("build fastapi-serve"));
        let asked = repo.calls().into_iter().find(|call| asks_what_is_there(call)).unwrap();
        asked.split_once("/python-base:").unwrap().1.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(tag_after(&[], None), "from-dotenv");
    assert_eq!(tag_after(&[], Some("from-environment")), "from-environment");
    assert_eq!(tag_after(&["--image-tag", "from-flag"], Some("from-environment")), "from-flag");
}

#[test]
fn empty_variables_are_unset_ones() {
    let repo = Repo::new();
    for name in ["ENVIRONMENT", "USE_DOCKER_CACHE", "IMAGE_TAG", "PORT"] {
        repo.xtask(&["build", "--all", "--dry-run"]).env(name, "").run().succeeds();
    }
    repo.write(".env", "USE_DOCKER_CACHE=false\n");
    let ran = repo.run(&["build", "python-base", "--dry-run"]).succeeds();
    assert!(ran.stdout.contains(" build --no-cache python-base"), "{}", ran.stdout);
}

#[test]
fn a_variable_with_an_invalid_value_is_named() {
    for (flag, variable, bad) in [
        ("--image-tag", "IMAGE_TAG", "a b"),
        ("--image-tag", "IMAGE_TAG", "-x"),
        ("--base-image-tag", "BASE_IMAGE_TAG", "a/b"),
        ("--aws-account-id", "AWS_ACCOUNT_ID", "1234"),
        ("--aws-region", "AWS_REGION", "us_east_1"),
        ("--registry", "REGISTRY", "https://registry.example.com"),
        ("--platform", "PLATFORM", "amd64"),
        ("--port", "PORT", "99999"),
    ] {
        let repo = Repo::new();
        let ran = refuses(&repo, &["build", "python-base", &format!("{flag}={bad}")], 2, &[variable, bad, "flag"]);
        assert!(ran.help().contains(flag));
        let ran =
            repo.xtask(&["build", "python-base"]).env(variable, bad).run().fails(2, &[variable, bad, "environment"]);
        assert!(ran.help().contains(flag));
        repo.write(".env", &format!("{variable}={bad}\n"));
        refuses(&repo, &["build", "python-base"], 2, &[variable, bad, ".env"]).help();
    }
}

#[test]
fn a_dotenv_with_an_error_is_named_with_the_line() {
    let repo = Repo::new();
    for (text, line, word) in [("A=1\nB='x\n", 2, "no closing '"), ("A=1\n\nB C=2\n", 3, "'B C' is not an assignment")]
    {
        repo.write(".env", text);
        refuses(&repo, &["build", "python-base"], 65, &[&format!(".env:{line}: "), word]);
    }
}
