//! `doctor`.

use crate::support::{Reply, Repo};

#[test]
fn doctor_as_json_says_what_it_found() {
    let repo = Repo::new();
    repo.on("docker --version", Reply::prints("Docker version 26.1.5, build x"));
    repo.on("aws --version", Reply::prints("aws-cli/1.0.3 Python/3.11"));
    let ran = repo.run(&["doctor", "--json"]).fails(69, &["doctor: not as needed", "aws"]);
    let findings: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let of = |what: &str| findings.as_array().unwrap().iter().find(|finding| finding["what"] == what).unwrap().clone();
    let docker = serde_json::json!({
        "what": "docker", "found": "26.1.5", "needed": "20.10 or newer", "ok": true, "help": null,
    });
    let aws = serde_json::json!({
        "what": "aws", "found": "1.0.3", "needed": "1.32 or newer", "ok": false, "help": "cargo xtask setup",
    });
    assert_eq!((of("docker"), of("aws")), (docker, aws));
}
