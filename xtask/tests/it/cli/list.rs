//! `list`.

use crate::support::{REGISTRY, Reply, Repo, what_of};

#[test]
fn list_shows_what_the_engine_has() {
    let repo = Repo::new();
    // As docker does it: what it has on standard output, what it lacks on standard error, and a failure.
    let found = serde_json::json!([{
        "Id": "sha256:0123456789abcdef",
        "RepoTags": [format!("{REGISTRY}/python-base:latest")],
        "Created": "2020-01-01T00:00:00Z",
        "Size": 75_000_000,
        "Config": {"Labels": {"core-images.stage": "development", "core-images.stand-in": "debian:trixie-slim"}},
    }]);
    let missing = "Error response from daemon: No such image: fastapi-serve:latest";
    let inspect = "docker image inspect";
    let script = format!("printf '%s\\n' '{found}'; echo '{missing}' >&2; exit 1");
    repo.on(&format!("{inspect} *"), Reply::does(&script));
    let ran = repo.run(&["list"]).succeeds();
    assert_eq!(repo.calls(), [what_of(&["python-base", "kubeflow-a", "fastapi-serve", "kubeflow-b"])]);
    let line = |image: &str| ran.stdout.lines().find(|line| line.starts_with(&format!("{image} "))).unwrap();
    for cell in ["debian:trixie-slim", "development", "0123456789ab", "75 MB", "stand-in"] {
        assert!(line("python-base").contains(cell), "no {cell} in {}", line("python-base"));
    }
    assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (5, ""));
    assert!(line("fastapi-serve").contains("python-base:latest") && !line("fastapi-serve").contains("MB"));
    let rows: serde_json::Value = serde_json::from_str(&repo.run(&["list", "--json"]).succeeds().stdout).unwrap();
    let local = serde_json::json!({
        "id": "sha256:0123456789abcdef",
        "size": 75_000_000,
        "created": "2020-01-01T00:00:00Z",
        "stage": "development",
        "stand_in": true,
        "outdated": null,
    });
    assert_eq!(rows[1]["local"], local);
    let keys: Vec<&String> = rows[1].as_object().unwrap().keys().collect();
    let all = ["bases", "description", "hardware", "local", "lock", "name", "reference", "stage", "suite"];
    assert_eq!(keys, all);
}

#[test]
fn list_does_without_an_engine() {
    let silent = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.";
    for docker in [true, false] {
        let repo = Repo::new();
        repo.on("docker *", Reply::fails(1, silent));
        if !docker {
            repo.uninstall(&["docker"]);
        }
        let ran = repo.run(&["list"]).succeeds();
        assert_eq!(ran.stdout.lines().count(), 5);
        assert!(ran.stderr.contains("engine doesn't answer"), "{}", ran.stderr);
    }
}

#[test]
fn images_of_docker_io_are_found_without_its_name() {
    let repo = Repo::new();
    let known = r#"[{"Id": "sha256:1", "RepoTags": ["python-base:latest"], "Config": {}}]"#;
    repo.on("docker image inspect *", Reply::prints(known));
    let ran = repo.run(&["list", "--json", "--registry", "docker.io"]).succeeds();
    let rows: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&rows[1]["local"]["id"], &rows[2]["local"]), (&"sha256:1".into(), &().into()));
}

#[test]
fn list_as_json_is_data_only() {
    let repo = Repo::new();
    repo.uninstall(&["docker"]);
    let ran = repo.run(&["list", "--json"]).succeeds();
    let rows: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"]);
    assert_eq!(rows[2]["bases"][0], format!("{REGISTRY}/python-base:latest"));
    assert_eq!((&rows[3]["suite"], &rows[3]["lock"], &rows[3]["local"]), (&false.into(), &false.into(), &().into()));
}
