//! The whole family as it was built: what every image promises, whatever its name.
//!
//! Needs the engine, and all images built for production at the tag that `IMAGE_TAG` names, as `cargo xtask ci` has them:
//! ENVIRONMENT=ci IMAGE_TAG=ci cargo xtask build --all && IMAGE_TAG=ci cargo test --test it engine::family -- --ignored

use super::docker::{LIMIT, docker, root};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

fn tag() -> String {
    env::var("IMAGE_TAG").unwrap_or_else(|_| "ci".to_owned())
}

fn output_of(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).current_dir(root()).output().unwrap()
}

/// The images: name and reference. Each must be in the engine.
fn family() -> Vec<(String, String)> {
    let mut list = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let list = list.args(["list", "--json"]).current_dir(root()).env("ENVIRONMENT", "ci").env("IMAGE_TAG", tag());
    let list: Value = serde_json::from_slice(&list.output().unwrap().stdout).unwrap();
    let rows = list.as_array().unwrap().iter().map(|row| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        assert!(!row["local"].is_null(), "{} isn't built: see the head of this file", text("reference"));
        (text("name"), text("reference"))
    });
    let family: Vec<_> = rows.collect();
    assert!(family.len() >= 12);
    family
}

/// Removes a container, or an image, however the test ends.
struct Gone<'a>(&'a [&'a str], String);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(self.0).arg(&self.1).output();
    }
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn every_image_has_labels_of_its_origin() {
    let commits = String::from_utf8(output_of("git", &["rev-list", "HEAD"]).stdout).unwrap();
    // The clone of a local folder has no address on the web.
    let origin = String::from_utf8(output_of("git", &["remote", "get-url", "origin"]).stdout).unwrap();
    let on_the_web = ["https://", "http://", "ssh://", "git@"].iter().any(|start| origin.starts_with(start));
    for (name, reference) in family() {
        let labels: Value =
            serde_json::from_str(&docker(&["image", "inspect", "--format", "{{json .Config.Labels}}", &reference]))
                .unwrap();
        let label =
            |key: &str| labels[format!("org.opencontainers.image.{key}")].as_str().unwrap_or_default().to_owned();
        // A tree with changes has a mark after the commit.
        let revision = label("revision");
        let commit = revision.trim_end_matches("-dirty");
        assert!(commit.len() == 40 && commits.contains(commit), "{name}: {labels}");
        assert_eq!(labels["core-images.fingerprint"].as_str().map(str::len), Some(64), "{name}: {labels}");
        assert!(label("created").starts_with("20"), "{name}: {labels}");
        assert_eq!(label("source").is_empty(), !on_the_web, "{name}: {labels}");
        let base = label("base.name");
        let of_base = |format: &str| docker(&["image", "inspect", "--format", format, &base]);
        let digest = label("base.digest");
        if family().iter().any(|(_, reference)| *reference == base) {
            // What it is made of is a part of the image's own fingerprint.
            assert_eq!(digest, "", "{name}: {labels}");
            continue;
        }
        // Of a stand-in, which no registry has, there is none.
        let known = of_base("{{json .RepoDigests}}");
        let has_none = known == "[]" || !of_base("{{index .Config.Labels \"core-images.stand-in\"}}").is_empty();
        assert_eq!(digest.is_empty(), has_none, "{name} on {base}: {digest}, of {known}");
        assert!(known.contains(&digest), "{name} on {base}: {digest}, not of {known}");
    }
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn a_part_of_a_suite_with_two_environments_may_be_in_one_of_them() {
    // In the image's environment, in python-base's, in both, in none: 5 is pytest's word for that.
    let chosen =
        ["test_it_starts_itself", "test_a_project_can_make_an_installer", "test_user_is_a_number", "no_such_test"];
    for (name, code) in chosen.into_iter().zip([0, 0, 0, 5]) {
        let mut validate = Command::new(env!("CARGO_BIN_EXE_xtask"));
        validate.args(["validate", "neuron-inference", "--", "-k", name]).current_dir(root());
        let output = validate.env("ENVIRONMENT", "ci").env("IMAGE_TAG", tag()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn every_image_runs_as_a_numeric_user_and_ends_at_sigterm() {
    for (name, reference) in family() {
        assert_eq!(docker(&["image", "inspect", "--format", "{{.Config.User}}", &reference]), "1000", "{name}");
        // With an open standard input, for an image whose command is a prompt.
        let container = docker(&["run", "--detach", "--interactive", &reference]);
        let _gone = Gone(&["rm", "--force", "--volumes"], container.clone());
        let state = |format: &str| docker(&["inspect", "--format", format, &container]);
        let start = Instant::now();
        // Up, or, where there is nothing to ask for that, some seconds old.
        while state("{{with .State.Health}}{{.Status}}{{end}}") != "healthy" {
            assert_eq!(state("{{.State.Status}}"), "running", "{name}: {}", docker(&["logs", &container]));
            assert!(start.elapsed() < LIMIT, "{name} doesn't become healthy");
            if state("{{.State.Health}}") == "<nil>" && start.elapsed() > Duration::from_secs(3) {
                break;
            }
            thread::sleep(Duration::from_millis(200));
        }
        docker(&["stop", "--time", "10", &container]);
        // 137: the engine had to kill it.
        assert_ne!(state("{{.State.ExitCode}}"), "137", "{name}");
    }
}

/// As OpenShift gives a pod its user, as a developer is known on the machine, and root.
const USERS: [&str; 3] = ["1000660000:0", "1234:1234", "0:0"];

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn every_image_runs_as_any_user_on_a_read_only_root() {
    let code = "import getpass, os, pathlib\n\
                home = os.path.expanduser('~')\n\
                assert home == os.environ['HOME'] and home.startswith('/home/'), home\n\
                for folder in (home, '/workspace', '/tmp'): pathlib.Path(folder, 'written').write_text('')\n\
                pathlib.Path(home, '.cache/huggingface').mkdir(parents=True)\n\
                print(getpass.getuser())";
    for (name, reference) in family() {
        let home = docker(&["run", "--rm", "--network", "none", &reference, "sh", "-c", "echo $HOME"]);
        let read_only = ["--read-only", "--tmpfs", "/tmp", "--tmpfs", "/workspace", "--tmpfs", &home];
        for (user, more) in USERS.iter().flat_map(|user| [(user, &[][..]), (user, &read_only[..])]) {
            let run = [&["run", "--rm", "--network", "none", "--user", user], more].concat();
            let user_name = docker(&[&run[..], &[&reference, "python", "-c", code]].concat());
            assert!(["app", "jovyan"].contains(&user_name.as_str()), "{name} as {user}: {user_name}");
        }
    }
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn every_health_check_is_content_with_any_user_and_with_any_command() {
    for (name, reference) in family() {
        let check = docker(&["image", "inspect", "--format", "{{json .Config.Healthcheck}}", &reference]);
        if check == "null" {
            continue;
        }
        // The image's own command, and one that is no server.
        let runs = USERS.iter().map(|user| (*user, &[][..])).chain([("1000", &["sleep", "600"][..])]);
        for (user, command) in runs {
            let run = ["run", "--detach", "--health-start-interval=500ms", "--user", user, &reference];
            let container = docker(&[&run[..], command].concat());
            let _gone = Gone(&["rm", "--force", "--volumes"], container.clone());
            let start = Instant::now();
            while docker(&["inspect", "--format", "{{.State.Health.Status}}", &container]) != "healthy" {
                assert!(start.elapsed() < LIMIT, "{name} as {user}: {}", docker(&["logs", &container]));
                thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

/// What compose makes of a service, with `WORKSPACE_USER` set.
fn services(environment: &str) -> serde_json::Map<String, Value> {
    let file = format!("docker-compose.{environment}.yaml");
    let mut compose = Command::new("docker");
    let compose = compose.args(["compose", "--file", &file, "config", "--format", "json"]).current_dir(root());
    let output = compose.env("WORKSPACE_USER", "1234:1234").output().unwrap();
    let config: Value = serde_json::from_slice(&output.stdout).unwrap();
    config["services"].as_object().unwrap().clone()
}

#[test]
#[ignore = "needs docker compose: cargo xtask setup --tests"]
fn every_image_is_started_with_shared_memory_and_without_capabilities() {
    for (name, service) in ["dev", "ci"].into_iter().flat_map(services) {
        assert_eq!(service["shm_size"], "1073741824", "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
    }
}

#[test]
#[ignore = "needs docker compose: cargo xtask setup --tests"]
fn every_image_is_started_as_the_owner_of_the_mounted_project() {
    for (name, service) in services("dev") {
        assert_eq!(service["user"], "1234:1234", "{name}");
        let groups = service["group_add"].as_array().unwrap();
        assert!(groups.contains(&json!("0")), "{name}: the owner may not add packages: {groups:?}");
    }
    // Nothing is mounted there.
    for (name, service) in services("ci") {
        assert_eq!(service["user"], Value::Null, "{name}");
    }
}

/// Name and version of each line of a file of constraints; those that hold on some platforms only, on request.
fn constraints(text: &str, conditional: bool) -> BTreeMap<&str, &str> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && (conditional || !line.contains(';')));
    lines.filter_map(|line| line.split(" ; ").next()?.split_once("==")).collect()
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn every_image_publishes_the_pins_that_its_lock_has() {
    for (name, reference) in family() {
        let run = ["run", "--rm", "--network", "none", &reference];
        let published = docker(&[&run[..], &["cat", "/opt/constraints.txt"]].concat());
        let published = constraints(&published, true);
        let pins = output_of(env!("CARGO_BIN_EXE_xtask"), &["pins", &name]);
        let pins = String::from_utf8(pins.stdout).unwrap();
        let always = constraints(&pins, false);
        assert!(!always.is_empty(), "{name}");
        for (package, version) in always {
            assert_eq!(published.get(package), Some(&version), "{name}: {package}");
        }
        // A vendor's stand-in may bring more, and of several versions the image has one.
        let labels = docker(&["image", "inspect", "--format", "{{json .Config.Labels}}", &reference]);
        let known = constraints(&pins, true);
        let more = published.keys().filter(|package| !known.contains_key(*package)).count();
        assert!(more == 0 || labels.contains("\"stand-in\""), "{name}: {more} packages more than its lock has");
    }
}

#[test]
#[ignore = "needs all images built: cargo xtask ci"]
fn every_example_builds_on_its_image_and_works() {
    for (name, reference) in family() {
        let example = root().join("images").join(&name).join("example");
        let registry = reference.rsplit_once('/').unwrap().0;
        let image = format!("example-of-{name}:{}", std::process::id());
        let _gone = Gone(&["image", "rm", "--force"], image.clone());
        let (registry, tag) = (format!("REGISTRY={registry}"), format!("BASE_IMAGE_TAG={}", tag()));
        let folder = example.display().to_string();
        // As the compose files lend them to builds.
        let told = |name: &&str| env::var(name).ok().filter(|path| !path.is_empty());
        let bundle = ["CA_BUNDLE", "SSL_CERT_FILE"].iter().find_map(told);
        let bundle = bundle.unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".to_owned());
        let bundle = format!("id=ca-bundle,src={bundle}");
        let secrets = ["--secret", &bundle, "--secret", "id=pip-index-url,env=PIP_INDEX_URL"];
        docker(
            &[&["build", "--tag", &image, "--build-arg", &registry, "--build-arg", &tag], &secrets[..], &[&folder]]
                .concat(),
        );
        let mount = format!("{folder}:/example:ro");
        docker(&["run", "--rm", "--network", "none", "--volume", &mount, &image, "python", "/example/check.py"]);
    }
}
