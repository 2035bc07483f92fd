//! `build`, `validate`, `start`, `stop` and `list`.

use super::{
    copy::{MOVED, Restored, built},
    docker::{docker, stderr},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn build_makes_the_missing_base_and_stands_on_it() {
    let copy = built();
    let layers = |image: &str| copy.inspect(image).unwrap()["RootFS"]["Layers"].as_array().unwrap().clone();
    let (base, child) = (layers("python-base"), layers("fastapi-serve"));
    assert!(child.len() > base.len() && child.starts_with(&base));
    assert_eq!(copy.inspect("fastapi-serve").unwrap()["Config"]["User"], "1000");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_child_changes_no_file_of_a_package_of_its_base() {
    let copy = built();
    // Every file that a package's own record names, with its hash.
    let code = "import hashlib, importlib.metadata as m, json, pathlib\n\
                paths = {p.locate() for d in m.distributions() for p in d.files or []}\n\
                print(json.dumps({str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in map(pathlib.Path, paths) if p.is_file()}))";
    let files = |image: &str| -> serde_json::Map<String, Value> {
        let run = ["run", "--rm", "--network", "none", "--entrypoint", "python", &copy.reference(image), "-c", code];
        let output = Command::new("docker").args(run).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (base, child) = (files("python-base"), files("fastapi-serve"));
    assert!(base.len() > 500 && child.len() > base.len());
    let changed: Vec<&String> =
        base.iter().filter(|(path, hash)| child.get(*path) != Some(hash)).map(|(path, _)| path).collect();
    assert_eq!(changed, [""; 0]);
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn validate_is_green_and_leaves_nothing() {
    let copy = built();
    copy.succeeds(&["validate", "python-base", "fastapi-serve", "--rerun"]);
    for image in ["python-base", "fastapi-serve"] {
        let junit = fs::read_to_string(copy.root.join(format!("target/validate/{image}/junit.xml"))).unwrap();
        assert!(junit.contains(r#"failures="0""#) && junit.contains(r#"errors="0""#), "{junit}");
        assert!(junit.matches("<testcase ").count() > 20);
    }
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn validate_is_red_when_a_test_is_broken() {
    let copy = built();
    let broken = copy.root.join("images/python-base/tests/test_broken_on_purpose.py");
    fs::write(&broken, "def test_broken():\n    assert 1 == 2\n").unwrap();
    let output = copy.run(&["validate", "python-base"]);
    let part = copy.run(&["validate", "python-base", "--", "-k", "broken or nothing_else", "--quiet"]);
    fs::remove_file(broken).unwrap();
    assert_eq!(output.status.code(), Some(1), "pytest's own: {}", stderr(&output));
    assert!(stderr(&output).contains("test_broken_on_purpose::test_broken: assert 1 == 2"), "{}", stderr(&output));
    assert_eq!(part.status.code(), Some(1));
    assert!(stderr(&part).contains("python-base: 1 passed, 1 failed, 0 skipped"), "{}", stderr(&part));
    let junit = fs::read_to_string(copy.root.join("target/validate/python-base/junit.xml")).unwrap();
    assert!(junit.contains(r#"failures="1""#) && junit.contains("test_broken"), "{junit}");
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_image_whose_base_was_built_again_is_outdated() {
    let copy = built();
    // Not the images that the other tests use.
    let tag = copy.tag.clone() + MOVED;
    let run = |args: &[&str]| copy.xtask(args).env("IMAGE_TAG", &tag).output().unwrap();
    let built = |args: &[&str]| {
        let output = run(&[&["build"], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let outdated = || {
        let list: Value = serde_json::from_slice(&run(&["list", "--json"]).stdout).unwrap();
        let image = list.as_array().unwrap().iter().find(|image| image["name"] == "fastapi-serve").unwrap().clone();
        assert!(image["local"]["id"].is_string(), "{image}");
        image["local"]["outdated"].as_str().map(str::to_owned)
    };
    let compose = |image: &str| {
        let mut plain = Command::new("docker");
        plain.args(["compose", "--file", "docker-compose.ci.yaml", "build", image]).current_dir(&copy.root);
        plain.env("IMAGE_TAG", &tag).env("REGISTRY", copy.registry.name());
        let output = plain.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    let path = copy.root.join("images/python-base/Dockerfile");
    let text = fs::read_to_string(&path).unwrap();
    let _restored = Restored(path.clone(), text.clone());

    assert!(!built(&["python-base", "fastapi-serve"]).contains("outdated now"));
    assert_eq!(outdated(), None);
    // A variable changes the image, but adds no layer.
    fs::write(&path, format!("{text}\nENV CHANGED=1\n")).unwrap();
    let registry = copy.registry.name();
    let variables = format!("AWS_REGION=us-east-1 ENVIRONMENT=ci IMAGE_TAG={tag} REGISTRY={registry}");
    let command = format!("to build these as well: {variables} cargo xtask build fastapi-serve\n");
    let said = built(&["python-base"]);
    assert!(said.contains(&command), "{said}");
    assert_eq!(outdated().as_deref(), Some("fastapi-serve"));
    let refused = run(&["deploy", "fastapi-serve", "--force-unvalidated"]);
    assert_eq!(refused.status.code(), Some(77), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("fastapi-serve: outdated, since what fastapi-serve is made of has changed"),
        "{}",
        stderr(&refused)
    );
    assert!(copy.registry.digest("fastapi-serve", &tag).is_none());
    assert!(!built(&["fastapi-serve"]).contains("outdated now"));
    let ids = || {
        docker(&["image", "inspect", "--format", "{{.Id}}", &format!("{}/fastapi-serve:{tag}", copy.registry.name())])
    };
    let before = ids();
    assert!(built(&["python-base", "fastapi-serve"]).contains("already built from what they are made of now"));
    assert_eq!(ids(), before);
    assert_eq!(outdated(), None);

    // Plain compose knows no digest to give, but what it builds has layers.
    fs::write(&path, &text).unwrap();
    compose("python-base");
    compose("fastapi-serve");
    assert_eq!(outdated(), None);
    fs::write(&path, format!("{text}\nRUN [\"touch\", \"/tmp/changed\"]\n")).unwrap();
    compose("python-base");
    assert_eq!(outdated().as_deref(), Some("python-base"));
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn start_serves_and_stop_removes() {
    let copy = built();
    let started = copy.succeeds(&["start", "fastapi-serve"]);
    let address = String::from_utf8(started.stdout).unwrap();
    let host = address.trim().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(stream, "GET /health HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(copy.containers().lines().count(), 1);
    copy.succeeds(&["stop", "fastapi-serve"]);
    assert_eq!(copy.containers(), "");
    // With nothing to stop it succeeds.
    copy.succeeds(&["stop", "fastapi-serve"]);
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn an_unhealthy_start_shows_its_log_and_is_removed() {
    let copy = built();
    let path = copy.root.join("docker-compose.ci.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("command: [sleep, infinity]", "command: [sh, -c, 'echo planted; exit 3']")).unwrap();
    let output = copy.run(&["start", "python-base"]);
    fs::write(&path, text).unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("planted"), "{}", stderr(&output));
    assert_eq!(copy.containers(), "");
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn list_shows_what_the_engine_has() {
    let copy = built();
    let list = copy.succeeds(&["list", "--json"]);
    let rows: Vec<Value> = serde_json::from_slice(&list.stdout).unwrap();
    let row = rows.iter().find(|row| row["name"] == "fastapi-serve").unwrap();
    assert_eq!(row["local"]["id"], copy.inspect("fastapi-serve").unwrap()["Id"]);
    let label = &copy.inspect("fastapi-serve").unwrap()["Config"]["Labels"]["core-images.stand-in"];
    assert_eq!(row["local"]["stand_in"], label.is_string());
}
