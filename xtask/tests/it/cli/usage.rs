//! Wrong arguments and wrong files: one clear error, before any tool is called.

use crate::support::{FASTAPI_SERVE, Image, PYTHON_BASE, Repo, compose, refuses};
use std::fs;

#[test]
fn an_unknown_image_gets_the_nearest_name() {
    let repo = Repo::new();
    for verb in ["lock", "build", "deploy", "pins", "start", "stop", "validate"] {
        let ran = refuses(&repo, &[verb, "fastapi-srve"], 2, &["no image fastapi-srve in docker-compose.dev.yaml"]);
        assert!(ran.help().contains("did you mean fastapi-serve? the images are: kubeflow-a, python-base"));
    }
    refuses(&repo, &["build", "nothing-*"], 2, &["no image nothing-*"]).help();
    for path in ["../x", "/etc", "images/python-base", ""] {
        refuses(&repo, &["build", path], 2, &["is not an image name"]).help();
    }
}

#[test]
fn an_image_in_one_compose_file_only_is_an_error() {
    let repo = Repo::new();
    repo.write("docker-compose.ci.yaml", &compose(&[PYTHON_BASE], "production"));
    let ran =
        refuses(&repo, &["build", "kubeflow-b", "--environment", "ci"], 65, &["kubeflow-b", "docker-compose.dev.yaml"]);
    assert!(ran.help().contains("docker-compose.ci.yaml"));
    repo.write("README.md", "<!-- begin images -->\n<!-- end images -->\n");
    let ran = repo.run(&["check"]).fails(65, &["check: "]);
    assert!(ran.stderr.contains("fastapi-serve isn't in docker-compose.ci.yaml"), "{}", ran.stderr);
}

#[test]
fn a_wrong_compose_file_is_named_with_the_line() {
    const FILE: &str = "docker-compose.dev.yaml";
    let cases: [(&str, &str, &[&str]); 7] = [
        ("    build:\n      context: ./images/python-base", "    build: {\n", &["docker-compose.dev.yaml:"]),
        ("images/python-base\n", "images/${WHERE:?say where}\n", &["python-base", "WHERE", "say where", "yaml:37"]),
        ("images/python-base\n", "images/${WHERE\n", &["yaml:37", "python-base", "invalid interpolation"]),
        ("    image: core-images/build-tools:latest\n", "", &["yaml:9: ", "build-tools has no image:"]),
        (
            "/python-base:${IMAGE_TAG:-latest}\n    build",
            "/other:latest\n    build",
            &["yaml:35: ", "python-base", "/other"],
        ),
        ("  python-base-tests:", "  pyton-base-tests:", &["pyton-base-tests", "pyton-base, which no service builds"]),
        ("services:", "include: [x]\nservices:", &["yaml:4", "`include`"]),
    ];
    for (from, to, words) in cases {
        let repo = Repo::new();
        repo.edit(FILE, from, to);
        refuses(&repo, &["build", "python-base"], 65, &[&["reading ", FILE], words].concat()).help();
    }
    let repo = Repo::new();
    repo.write(FILE, "services:\n  a: [\n  b: }\n");
    let ran = refuses(&repo, &["build", "python-base"], 65, &[]);
    let place = ran.stderr.split("docker-compose.dev.yaml:").nth(1).unwrap();
    let place: Vec<&str> = place.split(':').take(2).collect();
    assert!(place.iter().all(|number| number.trim().parse::<usize>().is_ok()), "no line and column: {}", ran.stderr);
}

#[test]
fn a_cycle_is_named() {
    let round = Image { base: Some("fastapi-serve"), ..PYTHON_BASE };
    let repo = Repo::with(&[round, FASTAPI_SERVE]);
    let ran = refuses(&repo, &["build", "fastapi-serve"], 65, &["fastapi-serve → python-base → fastapi-serve"]);
    ran.help();
}

#[test]
fn a_missing_folder_dockerfile_or_stage_is_named() {
    let repo = Repo::new();
    fs::remove_file(repo.root.join("images/python-base/Dockerfile")).unwrap();
    fs::remove_dir_all(repo.root.join("images/kubeflow-b")).unwrap();
    // Also as another's base.
    refuses(&repo, &["build", "fastapi-serve"], 65, &["images/python-base/Dockerfile"]).help();
    refuses(&repo, &["build", "kubeflow-b"], 65, &["images/kubeflow-b", "no such folder"]).help();
    let repo = Repo::new();
    let args = ["build", "python-base", "--target-build-stage", "prod"];
    let ran =
        refuses(&repo, &args, 2, &["images/python-base/Dockerfile", "no stage 'prod'", "production, development"]);
    assert!(ran.help().contains("--target-build-stage"));
}

#[test]
fn a_wrong_choice_is_a_usage_error() {
    let repo = Repo::new();
    for args in [
        &["build", "python-base", "--environment", "prod"][..],
        &["build", "python-base", "--use-docker-cache", "maybe"],
        &["build", "python-base", "--jobs", "0"],
        &["build"],
        &["build", "python-base", "--all"],
        &["bild"],
    ] {
        let ran = repo.run(args);
        assert!(ran.code == 2 && ran.stderr.starts_with("error: "), "{args:?}: {ran:?}");
    }
    repo.write(".env", "ENVIRONMENT=prod\n");
    refuses(&repo, &["build", "python-base"], 2, &["ENVIRONMENT", "'prod' is neither dev nor ci"]);
}

#[test]
fn a_wrong_pyproject_is_named() {
    for (text, words) in [("[project\n", "pyproject.toml:1"), ("[project]\nname = 'x'\n", "no requires-python")] {
        let repo = Repo::new();
        repo.write("images/python-base/pyproject.toml", text);
        refuses(&repo, &["lock", "python-base"], 65, &["images/python-base/pyproject.toml", words]).help();
    }
}
