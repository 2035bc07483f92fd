//! `login`.

use crate::support::{REGISTRY, Reply, Repo, SECRET};

#[test]
fn login_passes_the_password_through_standard_input_and_nowhere_else() {
    let repo = Repo::new();
    repo.on("aws ecr get-login-password *", Reply::prints(SECRET));
    let ran = repo.run(&["login"]).succeeds();
    let login = format!("docker login --username AWS --password-stdin {REGISTRY}");
    assert_eq!(repo.calls(), ["aws ecr get-login-password --region us-east-1", &login]);
    let docker = repo.all_calls().pop().unwrap();
    assert_eq!(docker.stdin, format!("{SECRET}\n"));
    for call in repo.all_calls() {
        assert!(!call.line().contains("p4ss") && !call.env.contains("p4ss"), "{call:?}");
    }
    assert!(!ran.stderr.contains("p4ss"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    let kept = repo.snapshot("").into_iter().find(|(_, text)| String::from_utf8_lossy(text).contains("p4ss"));
    assert!(kept.is_none(), "{kept:?}");
}

#[test]
fn login_asks_in_the_region_of_the_registry() {
    for (args, region, registry) in [
        (&["--aws-region", "eu-west-1"][..], "eu-west-1", "690763002009.dkr.ecr.eu-west-1.amazonaws.com"),
        (&["--aws-account-id", "111122223333"], "us-east-1", "111122223333.dkr.ecr.us-east-1.amazonaws.com"),
        // Its own domain, which the compose file doesn't name.
        (&["--aws-region", "cn-north-1"], "cn-north-1", "690763002009.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ] {
        let repo = Repo::new();
        repo.run(&[&["login"], args].concat()).succeeds();
        let calls = repo.calls();
        assert_eq!(calls[0], format!("aws ecr get-login-password --region {region}"));
        assert!(calls[1].ends_with(&format!(" {registry}")), "{calls:?}");
    }
}

#[test]
fn only_ecr_gets_a_password_of_aws() {
    for registry in ["ghcr.io/acme", "localhost:5000"] {
        let repo = Repo::new();
        let ran = repo.run(&["login", "--registry", registry]).fails(2, &["is not ECR"]);
        assert!(ran.help().contains("`docker login "), "{}", ran.stderr);
        assert_eq!(repo.calls(), [""; 0]);
    }
}

#[test]
fn login_reports_why_it_failed() {
    let connect = "Could not connect to the endpoint URL: \"https://api.ecr.us-east-1.amazonaws.com/\"";
    let refused = "Error: dial tcp 127.0.0.1:9: connect: connection refused";
    for (call, words, code, why, help) in [
        ("aws *", "Unable to locate credentials. You can configure credentials", 77, "no credentials", "AWS_PROFILE"),
        ("aws *", "An error occurred (ExpiredTokenException): expired", 77, "ExpiredToken", "renew"),
        ("aws *", connect, 69, "Could not connect", "AWS_REGION"),
        ("docker login *", "Error: unauthorized: incorrect username or password", 77, "unauthorized", "AWS_ACCOUNT_ID"),
        ("docker login *", refused, 69, "connection refused", "REGISTRY"),
    ] {
        let repo = Repo::new();
        repo.on("aws *", Reply::prints(SECRET));
        repo.on(call, Reply::fails(255, words));
        let ran = repo.run(&["login"]).fails(code, &[why]);
        assert!(ran.help().contains(help), "{}", ran.stderr);
        assert!(!ran.stderr.contains("\nlogged in"), "{}", ran.stderr);
        assert_eq!(repo.calls().len(), 2, "not tried again: {:?}", repo.calls());
    }
}
