//! The second layer of tests: the real binary in a generated repository, with fake docker, poetry and aws on a PATH that
//! holds nothing else. What is asserted: the invocations and their order, what is not run after a failure, exit codes,
//! and which words go where. Nothing here is timed; a process that hangs fails its test.

mod support;

use nix::sys::signal::Signal;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};
use support::{Call, FASTAPI_SERVE, Image, OLD_LOCK, PREFLIGHT, PYTHON_BASE, REGISTRY, Ran, Reply, Repo, new_lock};

const SECRET: &str = "p4ss w0rd'$HOME";
const EXPIRED: &str = "denied: Your authorization token has expired. Reauthenticate and try again.";

fn dev(command: &str) -> String {
    format!("docker compose --file docker-compose.dev.yaml --project-directory . {command}")
}

fn ci(command: &str) -> String {
    dev(command).replace("dev", "ci")
}

/// The question whether an image is there, and at which stage.
fn stage_of(image: &str) -> String {
    format!("docker image inspect --format <{{{{index .Config.Labels \"core-images.stage\"}}}}> {REGISTRY}/{image}")
}

fn id_of(image: &str) -> String {
    format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/{image}:latest")
}

/// The question what the engine has of these, which tells what is outdated.
fn what_of(images: &[&str]) -> String {
    let references: Vec<String> = images.iter().map(|image| format!("{REGISTRY}/{image}:latest")).collect();
    format!("docker image inspect {}", references.join(" "))
}

/// What changed something last: less what only asks.
fn last_effect(repo: &Repo) -> Option<Call> {
    repo.all_calls().into_iter().rfind(|call| !call.line().contains(" inspect "))
}

fn push(image: &str) -> String {
    dev(&format!("push {image}"))
}

/// The calls, less the questions for the digests that a build puts into labels, and for what is outdated after it.
fn calls(repo: &Repo) -> Vec<String> {
    let aside = |call: &String| call.contains("RepoDigests") || asks_what_is_there(call);
    repo.calls().into_iter().filter(|call| !aside(call)).collect()
}

fn asks_what_is_there(call: &str) -> bool {
    call.starts_with("docker image inspect ") && !call.contains(" --format ")
}

/// A build as it is echoed: with what its labels say of its base.
fn labelled(base: &str, build: &str) -> String {
    let format = r#"'{{if .RepoDigests}}{{index (split (index .RepoDigests 0) "@") 1}}{{else}}{{.Id}}{{end}}'"#;
    format!("OCI_BASE_NAME={base} OCI_BASE_DIGEST=\"$(docker image inspect --format {format} {base})\" {build}")
}

/// The calls that change something: less what only asks.
fn effects(repo: &Repo) -> Vec<String> {
    repo.calls().into_iter().filter(|call| !call.contains(" inspect ")).collect()
}

/// A suite that passes, or whatever the report says.
fn suite_reports(repo: &Repo, image: &str, code: u8, failures: u8) {
    let report = format!("<testsuites><testsuite tests=\"5\" failures=\"{failures}\" errors=\"0\" skipped=\"1\">");
    let script = format!("printf '%s' '{report}' >target/validate/{image}/junit.xml\nexit {code}");
    repo.on(&format!("docker compose * run *{image}-tests"), Reply::does(&script));
}

/// An image built for production, and validated.
fn is_ready(repo: &Repo, image: &str, id: &str) {
    repo.engine_has(image, id, &[]);
    suite_reports(repo, image, 0, 0);
    repo.run(&["validate", image, "--environment", "ci"]).succeeds();
    repo.forget();
}

/// A registry that has an image once it was pushed.
fn registry_takes(repo: &Repo, image: &str, id: &str) {
    let there = format!("[ -e \"$home/pushed-{image}\" ] || {{ printf 'not found\\n' >&2; exit 1; }}");
    repo.on(&format!("docker compose * push {image}"), Reply::does(&format!(": >\"$home/pushed-{image}\"; exit 0")));
    let manifest = format!("{there}\nprintf '{{\"config\":{{\"digest\":\"{id}\"}}}}\\n'; exit 0");
    repo.on(&format!("docker buildx imagetools inspect --raw */{image}:*"), Reply::does(&manifest));
    let digest = format!("{there}\nprintf '{{\"digest\":\"sha256:d19e57-{image}\"}}\\n'; exit 0");
    repo.on(&format!("docker buildx imagetools inspect --format * */{image}:*"), Reply::does(&digest));
}

/// python-base and fastapi-serve ready to go, and a registry that takes them.
fn ready_to_deploy() -> Repo {
    let repo = Repo::new();
    for (image, id) in [("python-base", "sha256:1"), ("fastapi-serve", "sha256:2")] {
        is_ready(&repo, image, id);
        registry_takes(&repo, image, id);
    }
    repo
}

// lock

#[test]
fn lock_resolves_beside_the_folder_and_then_replaces() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::does("/bin/cp target/new.lock images/python-base/.lock/poetry.lock; exit 0"));
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    let poetry = "poetry lock --no-interaction --no-ansi --directory images/python-base/.lock";
    assert_eq!(repo.calls(), ["python3.13 --version", poetry]);
    assert_eq!(repo.all_calls()[1].var("POETRY_VIRTUALENVS_PATH"), Some("target/poetry"));
    assert_eq!(repo.read("images/python-base/poetry.lock"), new_lock());
    assert!(!repo.has("images/python-base/.lock"));
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("python-base: requests 1 → 2"), "{}", ran.stderr);
}

#[test]
fn lock_says_that_nothing_changed() {
    let repo = Repo::new();
    let ran = repo.run(&["lock", "python-base"]).succeeds();
    assert!(ran.stderr.contains("python-base: no version moved"), "{}", ran.stderr);
    assert_eq!(repo.read("images/python-base/poetry.lock"), OLD_LOCK);
}

#[test]
fn lock_takes_the_helper_where_the_host_has_no_fitting_python() {
    for missing in ["python3.13", "poetry"] {
        let repo = Repo::new();
        repo.uninstall(&[missing]);
        let running = repo.xtask(&["lock", "python-base"]).start();
        let pid = running.pid();
        running.finish().succeeds();
        let user = format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid());
        let helper = format!(
            "run --rm --build --no-TTY --no-deps --user {user} --name build-tools-python-base-{pid} build-tools \
             lock --no-interaction --no-ansi --directory /images/python-base/.lock"
        );
        assert_eq!(repo.calls(), [dev(&helper)], "without {missing}");
    }
}

#[test]
fn lock_check_compares_only() {
    let repo = Repo::new();
    let before = repo.snapshot("images");
    repo.run(&["lock", "--check", "python-base", "kubeflow-a", "--jobs", "1"]).succeeds();
    let check = |image| format!("poetry check --lock --no-interaction --no-ansi --directory images/{image}");
    let python = "python3.13 --version".to_owned();
    assert_eq!(repo.calls(), [python.clone(), check("python-base"), python, check("kubeflow-a")]);
    assert_eq!(repo.snapshot("images"), before);
}

#[test]
fn lock_check_fails_on_a_stale_lock_and_names_what_mends_it() {
    let repo = Repo::new();
    repo.on("poetry check *", Reply::fails(1, "Error: pyproject.toml changed significantly since poetry.lock"));
    let ran = repo.run(&["lock", "--check", "python-base"]).fails(1, &["changed significantly"]);
    assert!(ran.help().contains("cargo xtask lock python-base"), "{}", ran.stderr);
    fs::remove_file(repo.root.join("images/python-base/poetry.lock")).unwrap();
    let ran = repo.run(&["lock", "--check", "python-base"]).fails(65, &["no images/python-base/poetry.lock"]);
    assert!(ran.help().contains("cargo xtask lock python-base"), "{}", ran.stderr);
}

#[test]
fn lock_skips_an_image_without_pyproject() {
    let repo = Repo::new();
    let ran = repo.run(&["lock", "kubeflow-b"]).succeeds();
    assert!(ran.stderr.contains("kubeflow-b: no images/kubeflow-b/pyproject.toml, nothing to lock"));
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn lock_gives_poetry_the_index_of_pip_and_shows_it_to_nobody() {
    let repo = Repo::new();
    let url = format!("https://user:{SECRET}@index.example/simple");
    let ran = repo.xtask(&["lock", "python-base"]).env("PIP_INDEX_URL", &url).run().succeeds();
    let poetry = repo.all_calls().into_iter().find(|call| call.program == "poetry").unwrap();
    assert!(poetry.env.contains("POETRY_PYPI_MIRROR_URL="), "{}", poetry.env);
    assert!(ran.stderr.contains("POETRY_PYPI_MIRROR_URL=\"$PIP_INDEX_URL\" "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("p4ss") && !poetry.line().contains("p4ss"), "{}", ran.stderr);
}

#[test]
fn lock_conflict_names_both_sides_and_leaves_the_old_lock() {
    let repo = Repo::new();
    let words = "Because a depends on b (1)\n and c depends on b (2), a is incompatible with c.\nSo, because python-base \
                 depends on both a (7)\n and c (8), version solving failed.";
    let script = format!("printf half >images/python-base/.lock/poetry.lock; printf '%s\\n' '{words}' >&2; exit 1");
    repo.on("poetry lock *", Reply::does(&script));
    let before = repo.snapshot("images");
    let ran = repo.run(&["lock", "python-base"]).fails(1, &["So, because python-base depends on both a (7) and c (8)"]);
    assert!(ran.help().contains("pyproject.toml"), "{}", ran.stderr);
    assert_eq!(repo.snapshot("images"), before);
    assert!(!repo.has("images/python-base/.lock"));
}

#[test]
fn a_lock_that_fails_leaves_the_others_locked() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::does("/bin/cp target/new.lock \"${call##* }/poetry.lock\"; exit 0"));
    repo.on("poetry lock * images/python-base/.lock", Reply::fails(1, "version solving failed"));
    repo.run(&["lock", "--all", "--jobs", "1"]).fails(1, &["python-base"]);
    assert_eq!(repo.read("images/python-base/poetry.lock"), OLD_LOCK);
    assert_eq!(repo.read("images/fastapi-serve/poetry.lock"), OLD_LOCK, "it is coupled to what failed");
}

#[test]
fn a_poetry_that_is_killed_half_way_changes_nothing() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::does("printf '[[pack' >images/fastapi-serve/.lock/poetry.lock; kill -9 $$"));
    let before = repo.snapshot("images");
    repo.run(&["lock", "fastapi-serve"]).fails(137, &["exit code 137"]);
    assert_eq!(repo.snapshot("images"), before);
}

#[test]
fn lock_leaves_a_read_only_file_alone() {
    let repo = Repo::new();
    let lock = repo.root.join("images/python-base/poetry.lock");
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o444)).unwrap();
    let ran = repo.run(&["lock", "python-base"]).fails(65, &["images/python-base/poetry.lock is read-only"]);
    assert!(ran.help().contains("chmod u+w"), "{}", ran.stderr);
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn a_base_whose_lock_is_no_good_is_named_before_poetry_runs() {
    let conflicted = format!("<<<<<<< HEAD\n{OLD_LOCK}");
    for (content, expected) in [
        (None, "reading images/python-base/poetry.lock, whose versions are to be kept to"),
        (Some(conflicted.as_str()), "images/python-base/poetry.lock:1: an unresolved merge conflict"),
        (
            Some(OLD_LOCK.split("[metadata]").next().unwrap()),
            "no [metadata] with lock-version and content-hash: cut off",
        ),
        (Some(&OLD_LOCK.replace("2.1", "3.0")), "its format is 3.0, ours 2.x"),
    ] {
        let repo = Repo::new();
        let lock = repo.root.join("images/python-base/poetry.lock");
        match content {
            None => fs::remove_file(lock).unwrap(),
            Some(text) => fs::write(lock, text).unwrap(),
        }
        let before = repo.snapshot("images");
        let ran = repo.run(&["lock", "fastapi-serve"]).fails(65, &[expected]);
        assert!(ran.help().contains("cargo xtask lock python-base"), "{}", ran.stderr);
        assert_eq!(repo.calls(), [""; 0]);
        assert_eq!(repo.snapshot("images"), before);
    }
}

#[test]
fn lock_fails_where_it_may_not_write() {
    let obstacles: [fn(&Path); 2] = [
        |folder| fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap(),
        // For root, whom permissions don't stop.
        |folder| symlink("/nonexistent/folder", folder.join(".lock")).unwrap(),
    ];
    for obstacle in obstacles {
        let repo = Repo::new();
        let folder = repo.root.join("images/python-base");
        obstacle(&folder);
        if fs::write(folder.join("probe"), "").is_ok() && !repo.has("images/python-base/.lock") {
            continue;
        }
        let ran = repo.run(&["lock", "python-base"]);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        ran.fails(1, &["python-base/.lock"]);
        assert_eq!(repo.read("images/python-base/poetry.lock"), OLD_LOCK);
        assert_eq!(repo.calls(), [""; 0]);
    }
}

// build

#[test]
fn build_makes_the_missing_bases_first() {
    let repo = Repo::new();
    let ran = repo.run(&["build", "fastapi-serve"]).succeeds();
    let expected = [
        dev("build build-tools"),
        stage_of("python-base:latest"),
        dev("build python-base"),
        dev("build fastapi-serve"),
    ];
    assert_eq!(calls(&repo), expected);
    assert_eq!(ran.stdout, "");
    let echoed = [
        expected[0].clone(),
        labelled("debian:trixie-slim", &expected[2]),
        labelled(&format!("{REGISTRY}/python-base:latest"), &expected[3]),
    ];
    assert_eq!(ran.echoed(), echoed);
}

#[test]
fn build_asks_for_the_tools_once_and_before_any_work() {
    let repo = Repo::new();
    repo.run(&["build", "fastapi-serve"]).succeeds();
    let mut first: Vec<String> = repo.all_calls()[..2].iter().map(Call::line).collect();
    first.sort();
    assert_eq!(first, PREFLIGHT);
    assert_eq!(repo.all_calls().len(), 2 + repo.calls().len());
}

#[test]
fn build_leaves_a_base_that_is_there_at_the_same_stage() {
    for (environment, label, rebuilt) in [
        ("dev", &[("core-images.stage", "development")][..], false),
        ("ci", &[][..], false),
        ("dev", &[][..], true),
        ("ci", &[("core-images.stage", "development")][..], true),
    ] {
        let repo = Repo::new();
        repo.engine_has("python-base", "sha256:1", label);
        repo.run(&["build", "--environment", environment, "fastapi-serve"]).succeeds();
        let built = repo.calls().iter().any(|call| call.ends_with("build python-base"));
        assert_eq!(built, rebuilt, "{environment} with {label:?}: {:#?}", repo.calls());
        assert_eq!(
            calls(&repo).last().unwrap(),
            &if environment == "ci" { ci("build fastapi-serve") } else { dev("build fastapi-serve") }
        );
    }
}

#[test]
fn build_makes_a_named_image_anew_and_a_helper_always() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
    repo.run(&["build", "python-base"]).succeeds();
    assert_eq!(effects(&repo), [dev("build build-tools"), dev("build python-base")]);
}

#[test]
fn build_says_where_an_image_comes_from() {
    let repo = Repo::new();
    repo.install("git");
    repo.on("git describe *", Reply::prints("abc-dirty"));
    repo.on("git log *", Reply::prints("2026-11-22T20:00:00+00:00"));
    repo.on("docker image inspect --format {{if .RepoDigests}}* debian:trixie-slim", Reply::prints("sha256:1"));
    let built =
        |repo: &Repo| repo.all_calls().into_iter().rfind(|call| call.line() == dev("build python-base")).unwrap();
    repo.run(&["build", "python-base"]).succeeds();
    for (name, value) in [
        ("OCI_REVISION", "abc-dirty"),
        ("OCI_CREATED", "2026-11-22T20:00:00+00:00"),
        ("OCI_BASE_NAME", "debian:trixie-slim"),
        ("OCI_BASE_DIGEST", "sha256:1"),
        // There is no sh on this PATH, as there may be no git: nothing is said then.
        ("OCI_SOURCE", ""),
    ] {
        assert_eq!(built(&repo).var(name), Some(value), "{name}");
    }
    repo.xtask(&["build", "python-base"]).env("OCI_REVISION", "mine").run().succeeds();
    assert_eq!(built(&repo).var("OCI_REVISION"), Some("mine"));
}

#[test]
fn build_takes_another_base_version_as_it_is() {
    let repo = Repo::new();
    repo.run(&["build", "--base-image-tag", "1.4", "fastapi-serve"]).succeeds();
    assert_eq!(calls(&repo), [dev("build build-tools"), dev("build fastapi-serve")]);
    assert_eq!(repo.all_calls().last().unwrap().var("BASE_IMAGE_TAG"), Some("1.4"));
}

#[test]
fn build_without_cache() {
    for args in [&["build", "fastapi-serve", "--use-docker-cache", "false"][..], &["build", "fastapi-serve"]] {
        let repo = Repo::new();
        repo.xtask(args).env("USE_DOCKER_CACHE", if args.len() > 2 { "true" } else { "0" }).run().succeeds();
        let builds: Vec<String> = repo.calls().into_iter().filter(|call| !call.contains("inspect")).collect();
        assert_eq!(
            builds,
            [dev("build build-tools"), dev("build --no-cache python-base"), dev("build --no-cache fastapi-serve")]
        );
    }
}

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
        assert!(by_flag.stderr.contains(&format!("$ {variable}={value} docker compose ")), "{}", by_flag.stderr);

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
        calls.iter().find_map(|call| call.strip_prefix(&stage_of("python-base:"))).unwrap().to_owned()
    };
    assert_eq!(tag_after(&[], None), "from-dotenv");
    assert_eq!(tag_after(&[], Some("from-environment")), "from-environment");
    assert_eq!(tag_after(&["--image-tag", "from-flag"], Some("from-environment")), "from-flag");
}

#[test]
fn several_images_globs_and_all() {
    for (args, built) in [
        (&["kubeflow-b", "python-base"][..], &["python-base", "kubeflow-b"][..]),
        (&["kubeflow-*"], &["kubeflow-a", "kubeflow-b"]),
        (&["kubeflow-?", "kubeflow-b"], &["kubeflow-a", "kubeflow-b"]),
        (&["--all"], &["kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"]),
        (&["python-base", "--with-dependents"], &["kubeflow-a", "python-base", "fastapi-serve"]),
        (&["build-tools"], &["build-tools"]),
    ] {
        let repo = Repo::new();
        repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
        repo.run(&[&["build", "--jobs", "1"], args].concat()).succeeds();
        let mut calls = effects(&repo);
        let mut expected: Vec<String> = built.iter().map(|image| dev(&format!("build {image}"))).collect();
        if built != ["build-tools"] {
            expected.push(dev("build build-tools"));
        }
        calls.sort();
        expected.sort();
        assert_eq!(calls, expected, "{args:?}");
    }
}

#[test]
fn side_by_side_a_base_still_comes_first() {
    let repo = Repo::new();
    // A base that takes its time: nobody may overtake it.
    let slow = "command -p sleep 0.2; printf '%s\\0' done 0 '' '' >>\"$home/calls\"; exit 0";
    repo.on("docker compose * build python-base", Reply::does(slow));
    repo.run(&["build", "--all", "--jobs", "4"]).succeeds();
    let calls = repo.calls();
    let at = |line: &str| calls.iter().position(|call| call == line).unwrap_or_else(|| panic!("{line} in {calls:#?}"));
    for child in ["kubeflow-a", "fastapi-serve"] {
        assert!(at("done") < at(&dev(&format!("build {child}"))), "{calls:#?}");
    }
    assert!(at(&dev("build kubeflow-b")) < at("done"), "an image of its own needn't wait: {calls:#?}");
}

#[test]
fn what_stands_on_a_failed_base_is_not_built_but_the_others_are() {
    for jobs in ["1", "3"] {
        let repo = Repo::new();
        repo.on("docker compose * build python-base", Reply::fails(17, "failed to solve: process exited with 1"));
        let ran = repo.run(&["build", "--all", "--jobs", jobs]);
        let ran = ran.fails(17, &["build python-base` ended with exit code 17", "failed to solve"]);
        let mut built = effects(&repo);
        built.sort();
        assert_eq!(built, [dev("build build-tools"), dev("build kubeflow-b"), dev("build python-base")]);
        for line in ["✗ build python-base failed", "· build fastapi-serve not run", "· build kubeflow-a not run"] {
            assert!(ran.stderr.contains(line), "no {line} in {}", ran.stderr);
        }
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_failed_helper_stops_all_that_need_it() {
    let repo = Repo::new();
    repo.on("docker compose * build build-tools", Reply::fails(1, "no"));
    repo.run(&["build", "--all"]).fails(1, &["build-tools"]);
    assert_eq!(repo.calls(), [dev("build build-tools")]);
}

#[test]
fn an_engine_that_goes_away_is_told_apart_from_a_failed_build() {
    let repo = Repo::new();
    let gone = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    repo.on("docker compose * build *", Reply::fails(1, gone));
    let ran = repo.run(&["build", "python-base"]).fails(69, &["the docker engine doesn't answer"]);
    assert!(ran.help().contains("cargo xtask setup"));
}

// login

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
        (&["--registry", "localhost:5000", "--aws-region", "eu-west-1"], "eu-west-1", "localhost:5000"),
    ] {
        let repo = Repo::new();
        repo.run(&[&["login"], args].concat()).succeeds();
        let calls = repo.calls();
        assert_eq!(calls[0], format!("aws ecr get-login-password --region {region}"));
        assert!(calls[1].ends_with(&format!(" {registry}")), "{calls:?}");
    }
}

#[test]
fn login_says_why_it_failed() {
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
        assert!(!ran.stderr.contains("logged in"), "{}", ran.stderr);
        assert_eq!(repo.calls().len(), 2, "not tried again: {:?}", repo.calls());
    }
}

// start and stop

#[test]
fn start_builds_what_is_missing_and_prints_the_address() {
    let repo = Repo::new();
    repo.on("docker compose * port fastapi-serve 8000", Reply::prints("0.0.0.0:8000"));
    let ran = repo.run(&["start", "fastapi-serve"]).succeeds();
    assert_eq!(
        calls(&repo),
        [
            dev("build build-tools"),
            stage_of("python-base:latest"),
            dev("build python-base"),
            stage_of("fastapi-serve:latest"),
            dev("build fastapi-serve"),
            dev("up --detach --force-recreate --no-build --wait fastapi-serve"),
            dev("port fastapi-serve 8000"),
        ]
    );
    assert_eq!(ran.stdout, "http://127.0.0.1:8000\n");
    assert!(ran.stderr.contains(&dev("exec fastapi-serve bash")), "{}", ran.stderr);
    assert!(ran.stderr.contains("cargo xtask stop fastapi-serve"), "{}", ran.stderr);
}

#[test]
fn start_builds_nothing_that_is_there() {
    let repo = Repo::new();
    for image in ["python-base", "fastapi-serve"] {
        repo.engine_has(image, "sha256:1", &[("core-images.stage", "development")]);
    }
    repo.run(&["start", "fastapi-serve"]).succeeds();
    let up = dev("up --detach --force-recreate --no-build --wait fastapi-serve");
    assert_eq!(effects(&repo), [dev("build build-tools"), up, dev("port fastapi-serve 8000")]);
}

#[test]
fn a_start_that_fails_shows_the_log_and_cleans_up() {
    let repo = Repo::new();
    repo.on("docker compose * up *", Reply::fails(1, "container core-images-fastapi-serve-1 is unhealthy"));
    repo.on("docker compose * logs *", Reply::prints("ImportError: no module named demo"));
    let ran = repo.run(&["start", "fastapi-serve"]).fails(1, &["is unhealthy"]);
    assert!(ran.stderr.contains("ImportError: no module named demo"), "{}", ran.stderr);
    let calls = repo.calls();
    let logs = dev("logs --no-color --tail 50 fastapi-serve");
    assert_eq!(calls[calls.len() - 2..], [logs, dev("rm --stop --force --volumes fastapi-serve")]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn start_is_not_tried_after_a_failed_build() {
    let repo = Repo::new();
    repo.on("docker compose * build fastapi-serve", Reply::fails(3, "no"));
    repo.run(&["start", "fastapi-serve"]).fails(3, &["build fastapi-serve"]);
    assert_eq!(repo.calls().last().unwrap(), &dev("build fastapi-serve"));
}

#[test]
fn stop_removes_what_it_was_told_and_nothing_else() {
    let repo = Repo::new();
    repo.run(&["stop", "fastapi-serve", "kubeflow-b", "--jobs", "1"]).succeeds();
    let rm = |image| dev(&format!("rm --stop --force --volumes {image}"));
    assert_eq!(repo.calls(), [rm("fastapi-serve"), rm("kubeflow-b")]);
}

// validate

#[test]
fn validate_runs_the_suite_and_records_that_it_passed() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    suite_reports(&repo, "fastapi-serve", 0, 0);
    let running = repo.xtask(&["validate", "fastapi-serve"]).start();
    let container = format!("fastapi-serve-tests-{}", running.pid());
    let ran = running.finish().succeeds();
    let suite = dev(&format!("run --rm --no-TTY --no-deps --name {container} fastapi-serve-tests"));
    let (id, all) = (id_of("fastapi-serve"), what_of(&["python-base", "fastapi-serve"]));
    assert_eq!(repo.calls(), [id.clone(), all, suite, id]);
    assert!(ran.stderr.contains("fastapi-serve: 4 passed, 0 failed, 1 skipped"), "{}", ran.stderr);
    assert!(ran.stderr.contains("target/validate/fastapi-serve/junit.xml"), "{}", ran.stderr);
    let record = repo.read("target/validate/passed/sha256-2.json");
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["id"], &record["tests"]), (&"sha256:2".into(), &5.into()));
    assert_eq!(ran.stdout, "");
}

#[test]
fn the_suites_exit_code_is_kept_and_nothing_is_recorded() {
    // A report without a failure, too: a crash after the last test, say.
    for (code, failures) in [(1, 2), (1, 0), (5, 2), (42, 0), (69, 2)] {
        let repo = Repo::new();
        repo.engine_has("fastapi-serve", "sha256:2", &[]);
        suite_reports(&repo, "fastapi-serve", code, failures);
        let ran = repo.run(&["validate", "fastapi-serve"]);
        let ran = ran.fails(code.into(), &["fastapi-serve-tests", &format!("exit code {code}")]);
        let counts = format!("{} passed, {failures} failed, 1 skipped", 4 - failures);
        assert!(ran.stderr.contains(&counts), "{}", ran.stderr);
        assert!(!repo.has("target/validate/passed"));
        assert!(repo.calls().last().unwrap().starts_with("docker rm --force --volumes fastapi-serve-tests-"));
    }
}

#[test]
fn only_a_report_of_passed_tests_counts_as_passed() {
    let suites = [
        ("", 0),
        ("<testsuite tests=\"0\">", 0),
        ("<testsuite tests=\"3\" skipped=\"3\">", 0),
        ("<testsuite tests=\"3\" errors=\"1\">", 0),
    ];
    for (report, code) in suites {
        let repo = Repo::new();
        repo.engine_has("fastapi-serve", "sha256:2", &[]);
        let script = format!("printf '%s' '{report}' >target/validate/fastapi-serve/junit.xml; exit {code}");
        repo.on("docker compose * run *", Reply::does(&script));
        repo.run(&["validate", "fastapi-serve"])
            .fails(65, &["the suite ended well, but target/validate/fastapi-serve/"]);
        assert!(!repo.has("target/validate/passed"), "{report}");
    }
}

#[test]
fn the_tests_that_failed_are_told_at_the_end() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    let case = |name: &str, why: &str| {
        format!(
            r#"<testcase classname="a.test_b" name="{name}"><failure message="{why}&#10;more">log</failure></testcase>"#
        )
    };
    let cases: String = (0..12).map(|i| case(&format!("test_x[{i}]"), "assert 1 &lt; 0")).collect();
    let report = format!(r#"<testsuite tests="20" failures="12">{cases}<testcase name="test_ok" /></testsuite>"#);
    let script = format!("printf '%s' '{report}' >target/validate/fastapi-serve/junit.xml; exit 1");
    repo.on("docker compose * run *", Reply::does(&script));
    let ran = repo.run(&["validate", "fastapi-serve"]);
    let ran = ran.fails(1, &["a.test_b::test_x[0]: assert 1 < 0 (and 11 more)"]);
    assert_eq!(ran.help(), "run it alone: `cargo xtask validate fastapi-serve -- -k test_x`");
    repo.engine_has_at(&format!("{REGISTRY}/fastapi-serve:1"), "sha256:2", &[]);
    let ran = repo.run(&["validate", "fastapi-serve", "--environment", "ci", "--image-tag", "1"]);
    assert!(
        ran.help().contains("`ENVIRONMENT=ci IMAGE_TAG=1 cargo xtask validate fastapi-serve -- "),
        "{}",
        ran.help()
    );
    let ran = repo.xtask(&["validate", "fastapi-serve"]).env("GITHUB_ACTIONS", "true").run();
    let noted: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("::error ")).collect();
    assert!(
        noted.len() == 1 && noted[0].contains("validate fastapi-serve::") && noted[0].contains("test_x[0]"),
        "{noted:?}"
    );
    let ran = repo.run(&["validate", "fastapi-serve"]);
    assert_eq!(ran.stderr.matches("  ✗ a.test_b::test_x[").count(), 10, "{}", ran.stderr);
    assert!(ran.stderr.contains("2 more in target/validate/fastapi-serve/junit.xml"), "{}", ran.stderr);
}

#[test]
fn what_a_test_says_of_a_credential_is_not_told() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    let case = r#"<testcase name="test_x"><failure message="no https://me:hush@index.example/simple"/></testcase>"#;
    let script = format!("printf '%s' '{case}' >target/validate/fastapi-serve/junit.xml; exit 1");
    repo.on("docker compose * run *", Reply::does(&script));
    let index = "https://me:hush@index.example/simple";
    let ran = repo.xtask(&["validate", "fastapi-serve"]).env("PIP_INDEX_URL", index).run();
    assert!(
        ran.stderr.contains("test_x: no https://***@index.example") && !ran.stderr.contains("hush"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_part_of_a_suite_is_no_whole_one() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    suite_reports(&repo, "fastapi-serve", 0, 0);
    let ran = repo.run(&["validate", "fastapi-serve", "--", "-k", "one or two", "-x"]).succeeds();
    let suite = repo.calls().into_iter().find(|call| call.contains(" run ")).unwrap();
    assert!(suite.ends_with("--env <PYTEST_ADDOPTS=-k 'one or two' -x> fastapi-serve-tests"), "{suite}");
    assert!(ran.stderr.contains("fastapi-serve: only a part of its suite"), "{}", ran.stderr);
    // A part may be one that is skipped here.
    let report = "printf '<testsuite tests=\"3\" skipped=\"3\">' >target/validate/fastapi-serve/junit.xml";
    repo.on("docker compose * run *", Reply::does(report));
    repo.run(&["validate", "fastapi-serve", "--", "-m", "hardware"]).succeeds();
    assert!(!repo.has("target/validate/passed"));
    // A path is no part: it would be run beside the suite's own folders.
    repo.forget();
    for path in ["/images/common/tests/test_tls.py", "images/common/tests", "test_tls.py", "test_tls.py::test_x"] {
        let ran = repo.run(&["validate", "fastapi-serve", "--", "-x", path]).fails(2, &[path]);
        assert!(ran.help().contains("-- -k NAME"), "{}", ran.stderr);
    }
    assert_eq!(repo.all_calls().len(), 0);
    for option in [&["-k", "a::b"][..], &["-W", "error::DeprecationWarning"], &["--deselect", "a.py::b"], &["--x=/y"]] {
        repo.run(&[&["validate", "fastapi-serve", "--"], option].concat()).succeeds();
    }
}

#[test]
fn a_record_that_cannot_be_written_hides_no_test_that_failed() {
    let repo = Repo::new();
    for (image, id, code) in [("kubeflow-a", "sha256:3", 0), ("fastapi-serve", "sha256:2", 3)] {
        repo.engine_has(image, id, &[]);
        suite_reports(&repo, image, code, code);
    }
    repo.write("target/validate/passed", "a file");
    let ran = repo.run(&["validate", "kubeflow-a", "fastapi-serve", "--jobs", "1"]).fails(3, &["fastapi-serve-tests"]);
    assert!(ran.stderr.contains("kubeflow-a: 4 passed"), "{}", ran.stderr);
    repo.run(&["validate", "kubeflow-a"]).fails(1, &["validate kubeflow-a: ", "target/validate/passed"]);
}

#[test]
fn a_circle_elsewhere_does_not_take_a_builds_result() {
    let image = |name, base| Image { name, base, port: None, suite: true, pyproject: false };
    let repo = Repo::with(&[image("base", None), image("x", Some("y")), image("y", Some("x"))]);
    repo.run(&["build", "base"]).succeeds();
    repo.on("docker compose * build base", Reply::fails(17, "no space left"));
    repo.run(&["build", "base"]).fails(17, &["no space left"]);
}

#[test]
fn a_report_of_an_earlier_run_is_no_report() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    repo.write("target/validate/fastapi-serve/junit.xml", "<testsuite tests=\"3\">");
    repo.run(&["validate", "fastapi-serve"]);
    assert!(!repo.has("target/validate/passed") && !repo.has("target/validate/fastapi-serve/junit.xml"));
}

#[test]
fn an_image_that_changed_under_its_suite_is_not_recorded() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:after", &[]);
    repo.on("docker image inspect --format {{.Id}} *", Reply::prints("sha256:before").times(1));
    suite_reports(&repo, "fastapi-serve", 0, 0);
    let ran = repo.run(&["validate", "fastapi-serve"]).fails(75, &["fastapi-serve", "built anew"]);
    assert!(ran.help().contains("cargo xtask validate fastapi-serve"));
    assert!(!repo.has("target/validate/passed"));
}

#[test]
fn a_failing_suite_does_not_keep_the_others_from_running() {
    let repo = Repo::new();
    for (image, id) in [("kubeflow-a", "sha256:3"), ("python-base", "sha256:1"), ("fastapi-serve", "sha256:2")] {
        repo.engine_has(image, id, &[]);
        suite_reports(&repo, image, if image == "python-base" { 7 } else { 0 }, u8::from(image == "python-base"));
    }
    let ran = repo.run(&["validate", "--all", "--jobs", "1"]).fails(7, &["python-base-tests"]);
    assert!(ran.stderr.contains("kubeflow-b: no service kubeflow-b-tests"), "{}", ran.stderr);
    assert!(repo.has("target/validate/passed/sha256-3.json") && repo.has("target/validate/passed/sha256-2.json"));
    assert!(!repo.has("target/validate/passed/sha256-1.json"));
}

#[test]
fn an_image_without_a_suite_is_skipped_with_a_line() {
    let repo = Repo::new();
    let ran = repo.run(&["validate", "kubeflow-b"]).succeeds();
    assert!(ran.stderr.contains("kubeflow-b: no service kubeflow-b-tests in docker-compose.dev.yaml"));
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn validate_runs_nothing_for_an_image_that_is_not_built() {
    let repo = Repo::new();
    let ran = repo.run(&["validate", "fastapi-serve"]).fails(2, &["the engine has no image", "fastapi-serve:latest"]);
    assert!(ran.help().contains("cargo xtask build fastapi-serve"));
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn an_engine_error_is_no_verdict_of_the_suite() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    let gone = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    repo.on("docker compose * run *", Reply::fails(1, gone));
    repo.run(&["validate", "fastapi-serve"]).fails(69, &["the docker engine doesn't answer"]);
}

// ci

#[test]
fn ci_ends_at_the_first_failure_and_says_what_it_was() {
    let repo = Repo::new();
    repo.install("cargo");
    repo.on(
        "cargo xtask check",
        Reply::fails(65, "a lot\nerror: the lock is stale\n help: lock it: `cargo xtask lock a`"),
    );
    let ran = repo.run(&["ci"]);
    let end =
        "error: `cargo xtask check` ended with exit code 65: the lock is stale\n help: lock it: `cargo xtask lock a`\n";
    assert!(ran.code == 65 && ran.stderr.ends_with(end), "{ran:?}");
    assert_eq!(repo.calls().last().unwrap(), "cargo xtask check");
    assert!(ran.stderr.contains("\n· build the family not run\n"), "{}", ran.stderr);
}

// deploy

#[test]
fn deploy_pushes_bases_first_and_prints_the_digests() {
    let repo = ready_to_deploy();
    let ran = repo.run(&["deploy", "fastapi-serve", "python-base"]).succeeds();
    let raw = |image| format!("docker buildx imagetools inspect --raw {REGISTRY}/{image}:latest");
    let id = |image| format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/{image}:latest");
    let digest =
        |image| format!("docker buildx imagetools inspect --format <{{{{json .Manifest}}}}> {REGISTRY}/{image}:latest");
    assert_eq!(
        repo.calls(),
        [
            what_of(&["python-base", "fastapi-serve"]),
            raw("python-base"),
            raw("fastapi-serve"),
            id("python-base"),
            push("python-base"),
            id("fastapi-serve"),
            push("fastapi-serve"),
            raw("python-base"),
            digest("python-base"),
            raw("fastapi-serve"),
            digest("fastapi-serve"),
        ]
    );
    let line = |image| format!("{REGISTRY}/{image}:latest@sha256:d19e57-{image}\n");
    assert_eq!(ran.stdout, line("python-base") + &line("fastapi-serve"));
}

#[test]
fn deploy_does_not_push_what_was_built_anew_after_it_was_checked() {
    let repo = ready_to_deploy();
    // Another clone builds fastapi-serve while python-base is pushed.
    let id = format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/fastapi-serve:latest");
    repo.on(&id, Reply::prints("sha256:anew"));
    let ran = repo.run(&["deploy", "fastapi-serve", "python-base"]);
    let ran = ran.fails(75, &["push fastapi-serve: the engine no longer has it as it was checked"]);
    for help in ["cargo xtask validate fastapi-serve", "cargo xtask deploy fastapi-serve"] {
        assert!(ran.help().contains(help), "{}", ran.stderr);
    }
    assert_eq!(effects(&repo), [push("python-base")]);
    assert_eq!(ran.stdout, format!("{REGISTRY}/python-base:latest@sha256:d19e57-python-base\n"));
}

#[test]
fn an_engine_that_is_gone_before_a_push_is_no_image_that_changed() {
    let repo = ready_to_deploy();
    let id = format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/python-base:latest");
    repo.on(&id, Reply::fails(1, "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"));
    repo.run(&["deploy", "python-base"]).fails(69, &["the docker engine doesn't answer"]);
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn an_image_that_is_gone_before_its_push_is_told_as_such() {
    let repo = ready_to_deploy();
    let id = format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/python-base:latest");
    repo.on(&id, Reply::fails(1, "Error response from daemon: No such image: python-base:latest"));
    let ran = repo.run(&["deploy", "python-base"]).fails(75, &["the engine no longer has it as it was checked"]);
    assert!(ran.help().contains("run `cargo xtask deploy python-base` again"), "{}", ran.stderr);
    assert_eq!(effects(&repo), [""; 0]);
    let ran = repo.run(&["validate", "kubeflow-a", "--environment", "ci", "--image-tag", "1"]).fails(2, &["no image"]);
    assert!(ran.help().contains("`ENVIRONMENT=ci IMAGE_TAG=1 cargo xtask build kubeflow-a`"), "{}", ran.stderr);
}

#[test]
fn a_production_image_held_against_the_promises_of_development_has_not_passed() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[]);
    suite_reports(&repo, "python-base", 0, 0);
    repo.run(&["validate", "python-base"]).succeeds();
    repo.run(&["deploy", "python-base"]).fails(77, &["no suite has passed for sha256:1"]);
}

#[test]
fn an_image_whose_base_was_built_anew_is_outdated() {
    let image = |name, base| Image { name, base, port: None, suite: true, pyproject: false };
    let family = [image("base", None), image("child", Some("base")), image("grandchild", Some("child"))];
    for (on, outdated) in [("sha256:1", false), ("sha256:0", true)] {
        let repo = Repo::with(&family);
        repo.engine_has("base", "sha256:1", &[]);
        let label = |key: &str| format!("org.opencontainers.image.base.{key}");
        let (name, digest) = (label("name"), label("digest"));
        let on_base = [(name.as_str(), &*format!("{REGISTRY}/base:latest")), (&digest, on)];
        repo.engine_has("child", "sha256:2", &on_base);
        // What stands on an outdated image is outdated, too.
        let on_child = [(name.as_str(), &*format!("{REGISTRY}/child:latest")), (&digest, "sha256:2")];
        repo.engine_has("grandchild", "sha256:3", &on_child);

        let list = repo.run(&["list", "--json"]).succeeds();
        let rows: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
        let base = if outdated { "base".into() } else { serde_json::Value::Null };
        let said = |row: usize| &rows[row]["local"]["outdated"];
        assert_eq!([said(0), said(1), said(2)], [&serde_json::Value::Null, &base, &base]);
        let list = repo.run(&["list"]).succeeds().stdout;
        assert_eq!(list.matches("outdated: base was built anew").count(), if outdated { 2 } else { 0 }, "{list}");

        // Also where the rest isn't built for a failure, or the image that was built stands on an outdated one.
        repo.on("docker compose * build child", Reply::fails(1, "no"));
        for build in [&["base"][..], &["base", "child"], &["grandchild"]] {
            let built = repo.run(&[&["build", "--environment", "ci"], build].concat());
            for note in
                ["built anew since: ", "to build these as well: ENVIRONMENT=ci cargo xtask build child grandchild\n"]
            {
                assert_eq!(built.stderr.contains(note), outdated, "{build:?}: {}", built.stderr);
            }
            let of_child = built.stderr.contains("built anew since: child, grandchild\n");
            assert_eq!(of_child, outdated && build[0] == "base", "{}", built.stderr);
        }

        suite_reports(&repo, "child", 0, 0);
        let validated = repo.run(&["validate", "child", "--environment", "ci"]).succeeds();
        let note = "child: outdated, for base was built anew: `ENVIRONMENT=ci cargo xtask build child`";
        assert_eq!(validated.stderr.contains(note), outdated, "{}", validated.stderr);

        repo.forget();
        registry_takes(&repo, "child", "sha256:2");
        if outdated {
            let refused = repo.run(&["deploy", "child"]).fails(77, &["nothing was pushed: child: outdated, for base"]);
            assert!(refused.help().contains("cargo xtask build child (or --force-outdated)"), "{}", refused.stderr);
            let above = repo.run(&["deploy", "grandchild"]).fails(77, &["grandchild: outdated, for base"]);
            assert!(above.help().contains("cargo xtask build child grandchild (or"), "{}", above.stderr);
            assert_eq!(effects(&repo), [""; 0]);
            repo.run(&["deploy", "child", "--force-outdated"]).succeeds();
        } else {
            repo.run(&["deploy", "child"]).succeeds();
        }
        assert_eq!(effects(&repo), [push("child")]);
    }
}

#[test]
fn deploy_prints_json_lines() {
    let repo = ready_to_deploy();
    let ran = repo.run(&["deploy", "python-base", "--json"]).succeeds();
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&line["image"], &line["digest"]), (&"python-base".into(), &"sha256:d19e57-python-base".into()));
}

#[test]
fn deploy_guards() {
    let development = ("core-images.stage", "development");
    let stand_in = ("core-images.stand-in", "debian:trixie-slim");
    for (labels, validated, flags, why) in [
        (Some(&[][..]), true, &[][..], None),
        (None, false, &["--force-unvalidated", "--force-development"], Some("the engine has no image")),
        (Some(&[development]), true, &["--force-unvalidated"], Some("the development stage")),
        (Some(&[development]), true, &["--force-development"], None),
        (
            Some(&[stand_in]),
            true,
            &["--force-unvalidated", "--force-development"],
            Some("stand-in (debian:trixie-slim)"),
        ),
        (Some(&[]), false, &["--force-development"], Some("no suite has passed for sha256:1")),
        (Some(&[]), false, &["--force-unvalidated"], None),
    ] {
        let repo = Repo::new();
        if validated {
            is_ready(&repo, "python-base", "sha256:1");
        }
        if let Some(labels) = labels {
            repo.engine_has("python-base", "sha256:1", labels);
            if validated && labels == [development] {
                repo.run(&["validate", "python-base"]).succeeds();
                repo.forget();
            }
        }
        registry_takes(&repo, "python-base", "sha256:1");
        let ran = repo.run(&[&["deploy", "python-base"], flags].concat());
        match why {
            None => assert!(ran.succeeds().stdout.contains("sha256:d19e57-python-base")),
            Some(why) => {
                let ran = ran.fails(77, &["nothing was pushed", why]);
                assert!(ran.help().contains("python-base") || why.contains("stand-in"), "{}", ran.stderr);
                assert_eq!(effects(&repo), [""; 0], "{flags:?}");
                assert_eq!(ran.stdout, "");
            }
        }
    }
}

#[test]
fn a_stand_in_may_go_to_a_registry_on_this_machine_only() {
    for (registry, goes) in [("localhost:5000", true), ("127.0.0.1:5000", true), ("10.0.0.1:5000", false)] {
        let repo = Repo::new();
        let reference = format!("{registry}/python-base:latest");
        repo.engine_has_at(&reference, "sha256:1", &[("core-images.stand-in", "debian")]);
        registry_takes(&repo, "python-base", "sha256:1");
        let ran = repo.run(&["deploy", "python-base", "--force-unvalidated", "--registry", registry]);
        assert_eq!(ran.code, if goes { 0 } else { 77 }, "{registry}: {}", ran.stderr);
        assert_eq!(effects(&repo).len(), usize::from(goes), "{registry}");
    }
}

#[test]
fn deploy_lists_every_objection_and_pushes_nothing() {
    let repo = Repo::new();
    is_ready(&repo, "python-base", "sha256:1");
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    repo.engine_has("kubeflow-a", "sha256:3", &[("core-images.stage", "development")]);
    registry_takes(&repo, "python-base", "sha256:1");
    let ran = repo.run(&["deploy", "--all"]).fails(
        77,
        &[
            "fastapi-serve: no suite has passed",
            "kubeflow-a: built at the development",
            "kubeflow-b: the engine has no",
        ],
    );
    for help in ["validate fastapi-serve", "--force-unvalidated", "build kubeflow-a", "--force-development"] {
        assert!(ran.help().contains(help), "no {help} in {}", ran.stderr);
    }
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn a_suite_that_passed_for_another_build_does_not_count() {
    let repo = ready_to_deploy();
    repo.engine_has("python-base", "sha256:newer", &[]);
    repo.run(&["deploy", "python-base"]).fails(77, &["no suite has passed for sha256:newer"]);
    assert_eq!(effects(&repo), [""; 0]);
}

#[test]
fn a_helper_is_never_pushed() {
    let repo = Repo::new();
    repo.run(&["deploy", "build-tools"]).fails(2, &["never published"]);
    assert_eq!(repo.calls(), [""; 0]);
}

#[test]
fn a_transient_error_is_tried_again() {
    let repo = ready_to_deploy();
    let words = "received unexpected HTTP status: 503 Service Unavailable";
    repo.on("docker compose * push python-base", Reply::fails(1, words).times(1));
    let ran = repo.run(&["deploy", "python-base"]).succeeds();
    assert_eq!(effects(&repo), [push("python-base"), push("python-base")]);
    assert!(ran.stderr.contains("push python-base: a transient error; again in 1 s"), "{}", ran.stderr);
}

/// Long, for the waits between the tries; both at a time.
#[test]
fn a_registry_that_stays_down_is_given_up() {
    let repo = ready_to_deploy();
    let words = "received unexpected HTTP status: 503 Service Unavailable";
    repo.on("docker compose * push *", Reply::fails(1, words));
    repo.on("docker login *", Reply::fails(1, words));
    let deploy = repo.xtask(&["deploy", "python-base", "fastapi-serve"]).start();
    let login = repo.xtask(&["login"]).start();
    for run in [deploy.finish(), login.finish()] {
        assert!(run.fails(69, &["503 Service Unavailable"]).help().contains("REGISTRY"));
    }
    let count = |line: &str| effects(&repo).iter().filter(|call| call.ends_with(line)).count();
    assert_eq!((count("push python-base"), count("push fastapi-serve"), count(REGISTRY)), (5, 0, 5));
}

#[test]
fn an_expired_login_is_renewed_and_the_push_tried_again() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push python-base", Reply::fails(1, EXPIRED).times(1));
    repo.on("aws *", Reply::prints(SECRET));
    let ran = repo.run(&["deploy", "python-base"]).succeeds();
    let login = format!("docker login --username AWS --password-stdin {REGISTRY}");
    let aws = "aws ecr get-login-password --region us-east-1".to_owned();
    assert_eq!(effects(&repo), [push("python-base"), aws, login, push("python-base")]);
    assert!(!ran.stderr.contains("p4ss"), "{}", ran.stderr);
}

#[test]
fn deploy_says_why_it_failed() {
    let again = ["push", "aws", "login", "push"];
    for (words, code, why, help, calls) in [
        ("unauthorized: authentication required", 77, "unauthorized", "cargo xtask login", &again[..]),
        (EXPIRED, 77, "token has expired", "cargo xtask login", &again),
        ("denied: requested access to the resource is denied", 77, "denied", "may push", &["push"]),
        ("unexpected status from PUT request: 403 Forbidden", 77, "403 Forbidden", "may push", &["push"]),
        ("dial tcp 127.0.0.1:9: connect: connection refused", 69, "connection refused", "REGISTRY", &["push"]),
        ("something new", 18, "something new", "deploy python-base", &["push"]),
    ] {
        let repo = ready_to_deploy();
        repo.on("docker compose * push *", Reply::fails(18, words));
        let ran = repo.run(&["deploy", "python-base"]).fails(code, &[why]);
        assert!(ran.help().contains(help) && ran.help().contains("cargo xtask deploy python-base"), "{}", ran.stderr);
        assert!(ran.stderr.contains("not in the registry: python-base"), "{}", ran.stderr);
        let done = effects(&repo);
        assert!(
            done.len() == calls.len() && done.iter().zip(calls).all(|(call, word)| call.contains(word)),
            "{done:?}"
        );
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_refused_push_is_reported_as_such_where_nobody_can_log_in() {
    for aws in [false, true] {
        let repo = ready_to_deploy();
        repo.on("docker compose * push *", Reply::fails(1, "unauthorized: authentication required"));
        repo.on("aws *", Reply::fails(255, "Unable to locate credentials"));
        if !aws {
            repo.uninstall(&["aws"]);
        }
        let ran = repo.run(&["deploy", "python-base"]).fails(77, &["push python-base", "unauthorized"]);
        assert!(ran.help().contains("cargo xtask login"), "{}", ran.stderr);
    }
}

#[test]
fn an_image_that_is_there_already_is_not_pushed() {
    let repo = ready_to_deploy();
    repo.run(&["deploy", "python-base"]).succeeds();
    let again = repo.run(&["deploy", "python-base", "fastapi-serve"]).succeeds();
    assert_eq!(effects(&repo), [push("python-base"), push("fastapi-serve")]);
    assert!(again.stderr.contains("python-base: the registry has this very image already"), "{}", again.stderr);
    assert_eq!(again.stdout.lines().count(), 2);
}

#[test]
fn a_push_that_fails_after_another_tells_what_arrived() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push fastapi-serve", Reply::fails(5, "something new"));
    let ran = repo.run(&["deploy", "python-base", "fastapi-serve"]).fails(5, &["push fastapi-serve", "something new"]);
    assert_eq!(ran.stdout, format!("{REGISTRY}/python-base:latest@sha256:d19e57-python-base\n"));
    assert!(ran.stderr.contains("not in the registry: fastapi-serve\n"), "{}", ran.stderr);
    assert!(ran.help().contains("cargo xtask deploy fastapi-serve"), "{}", ran.stderr);
}

#[test]
fn nothing_is_pushed_after_a_push_that_failed() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push python-base", Reply::fails(5, "something new"));
    let ran = repo.run(&["deploy", "python-base", "fastapi-serve"]).fails(5, &["push python-base"]);
    assert_eq!(effects(&repo), [push("python-base")]);
    assert!(ran.stderr.contains("not in the registry: python-base, fastapi-serve\n"), "{}", ran.stderr);
}

#[test]
fn a_push_that_the_registry_does_not_confirm_is_a_failure() {
    let repo = ready_to_deploy();
    repo.on("docker buildx imagetools inspect --raw *", Reply::prints("{\"config\":{\"digest\":\"sha256:other\"}}"));
    let ran = repo.run(&["deploy", "python-base"]).fails(69, &["doesn't confirm python-base"]);
    assert_eq!(ran.stdout, "");
}

// list, completions, --json

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
    let all = ["kubeflow-a", "python-base", "fastapi-serve", "kubeflow-b"];
    let references = all.map(|image| format!(" {REGISTRY}/{image}:latest")).concat();
    assert_eq!(repo.calls(), [format!("{inspect}{references}")]);
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
fn docker_leaves_its_own_registry_s_name_away() {
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

#[test]
fn a_plan_as_json_holds_the_lines_that_are_printed() {
    let repo = Repo::new();
    let lines = repo.run(&["build", "--all", "--dry-run"]).succeeds().stdout;
    let json = repo.run(&["build", "--all", "--dry-run", "--json"]).succeeds().stdout;
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let steps = &plan["steps"];
    let commands: Vec<&str> = steps.as_array().unwrap().iter().map(|step| step["command"].as_str().unwrap()).collect();
    let exports: Vec<&str> = plan["exports"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(exports.len(), 3);
    assert_eq!([exports, commands].concat(), lines.lines().collect::<Vec<_>>());
    let child = steps.as_array().unwrap().iter().position(|step| step["image"] == "fastapi-serve").unwrap();
    let base = steps.as_array().unwrap().iter().position(|step| step["image"] == "python-base").unwrap();
    assert!(steps[child]["after"].as_array().unwrap().contains(&base.into()));
}

#[test]
fn completions_offer_the_images_without_any_tool() {
    let repo = Repo::new();
    let complete = |words: &[&str]| {
        let ran = repo.run(&[&["complete", "--"], words].concat()).succeeds();
        assert_eq!(ran.stderr, "");
        ran.stdout
    };
    let words = |words: &[&str]| -> Vec<String> {
        complete(words).lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    let offered = complete(&["build", "kube"]);
    assert_eq!(words(&["build", "kube"]), ["kubeflow-a", "kubeflow-b"]);
    assert!(offered.contains("The kubeflow-a image"), "{offered}");
    for verb in ["lock", "deploy", "start", "stop", "validate"] {
        assert!(complete(&[verb, "py"]).starts_with("python-base"), "{verb}");
    }
    assert_eq!(words(&["va"]), ["validate"]);
    assert!(complete(&["va"]).contains("Run the images' suites"));
    assert!(words(&[""]).iter().all(|verb| !verb.starts_with('-') && !["couple", "complete"].contains(&verb.as_str())));
    assert_eq!(words(&["--json", "build", "python-base", "--with"]), ["--with-dependents"]);
    assert_eq!(words(&["build", "--image-"]), ["--image-tag"], "a flag of every verb");
    assert_eq!(words(&["graph", "--format", ""]), ["text", "mermaid", "dot", "json"]);
    assert_eq!(words(&["completions", ""]), ["bash", "zsh", "fish"]);
    assert_eq!(words(&["build", "--image-tag", ""]), [""; 0], "any value");
    assert_eq!(words(&["build", "-j", "py"]), [""; 0]);
    assert_eq!(words(&["lock", "--update", "py"]), ["python-base"], "its values follow a =");
    repo.write("docker-compose.dev.yaml", "services: [");
    assert_eq!(complete(&["build", "kube"]), "");
    for shell in ["bash", "zsh", "fish"] {
        let ran = repo.run(&["completions", shell]).succeeds();
        assert!(ran.stdout.contains("cargo") && ran.stderr.is_empty(), "{shell}");
    }
    assert_eq!(repo.calls(), [""; 0]);
}

// what people see

#[test]
fn echoed_lines_are_quoted_so_that_a_shell_does_the_same() {
    let repo = Repo::new();
    repo.edit("images/python-base/Dockerfile", "AS production", "AS it's");
    let ran = repo.run(&["build", "python-base", "--target-build-stage", "it's"]).succeeds();
    let echoed = ran.echoed().join("\n");
    assert!(echoed.contains(r"TARGET_BUILD_STAGE='it'\''s' docker compose"), "{echoed}");
    let (calls, stage) = (effects(&repo), last_effect(&repo).unwrap().env);
    repo.forget();
    repo.shell(&echoed).run().succeeds();
    assert_eq!(effects(&repo), calls);
    assert!(stage.contains("TARGET_BUILD_STAGE=") && last_effect(&repo).unwrap().env.contains("TARGET_BUILD_STAGE="));
}

#[test]
fn what_tools_say_goes_to_standard_error() {
    let repo = Repo::new();
    repo.on("docker compose * build *", Reply::does("echo from-stdout; echo from-stderr >&2; exit 0"));
    for jobs in ["1", "2"] {
        let ran = repo.run(&["build", "--all", "--jobs", jobs]).succeeds();
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains("from-stdout") && ran.stderr.contains("from-stderr"), "{}", ran.stderr);
        assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
    }
    let ran = repo.run(&["build", "--all", "--jobs", "2"]).succeeds();
    assert!(ran.stderr.contains("fastapi-serve │ from-stdout"), "{}", ran.stderr);
}

#[test]
fn github_groups_are_balanced_and_errors_annotated() {
    for jobs in ["1", "2"] {
        let repo = Repo::new();
        repo.on("docker compose * build *", Reply::does("echo working"));
        repo.on("docker compose * build fastapi-serve", Reply::fails(1, "100% broken"));
        let ran = repo.xtask(&["build", "--all", "--jobs", jobs]).env("GITHUB_ACTIONS", "true").run();
        let ran = ran.fails(1, &["100% broken"]);
        let mut open = None;
        let mut titles = Vec::new();
        for line in ran.stderr.lines() {
            if let Some(title) = line.strip_prefix("::group::") {
                assert_eq!(open.replace(title), None, "a group in a group: {}", ran.stderr);
                titles.push(title);
            } else if line == "::endgroup::" {
                assert!(open.take().is_some(), "an end without a beginning: {}", ran.stderr);
            } else if line == "working" {
                assert!(open.is_some(), "outside any group: {}", ran.stderr);
            }
        }
        assert_eq!(open, None);
        titles.sort_unstable();
        let built = ["build-tools", "fastapi-serve", "kubeflow-a", "kubeflow-b", "python-base"];
        assert_eq!(titles, built.map(|image| format!("build {image}")));
        let annotation =
            ran.stderr.lines().find(|line| line.starts_with("::error title=build fastapi-serve::")).unwrap();
        assert!(annotation.ends_with("100%25 broken"), "{annotation}");
    }
}

#[test]
fn from_a_folder_below_the_root_everything_works_and_paths_fit() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    let inside = |args: &[&str]| repo.xtask(args).within("images/fastapi-serve").run().succeeds();
    let compose = "docker compose --file ../../docker-compose.dev.yaml --project-directory ../..";
    let ran = inside(&["build", "kubeflow-b"]);
    let expected = ["build-tools", "kubeflow-b"].map(|image| format!("{compose} build {image}"));
    assert_eq!(calls(&repo), expected);
    assert_eq!(ran.echoed(), [expected[0].clone(), labelled("debian:trixie-slim", &expected[1])]);

    repo.forget();
    inside(&["lock", "fastapi-serve"]);
    assert!(repo.calls()[1].ends_with("--directory ../../images/fastapi-serve/.lock"), "{:?}", repo.calls());
    assert!(!repo.has("images/fastapi-serve/.lock") && !repo.has("images/fastapi-serve/target"));

    let report = "printf '<testsuite tests=\"1\">' >../../target/validate/fastapi-serve/junit.xml";
    repo.on("docker compose * run *", Reply::does(report));
    let ran = inside(&["validate", "fastapi-serve"]);
    assert!(ran.stderr.contains("(../../target/validate/fastapi-serve/junit.xml)"), "{}", ran.stderr);
    assert!(repo.has("target/validate/passed/sha256-2.json"));
}

#[test]
fn outside_the_repository_is_an_error() {
    let repo = Repo::new();
    let ran = repo.xtask(&["list"]).within("..").run().fails(2, &["docker-compose.dev.yaml", "none there"]);
    assert!(ran.help().contains("cd into"));
}

// --dry-run

const EVERY_PLAN: [&[&str]; 17] = [
    &["lock", "--all"],
    &["lock", "--check", "--all"],
    &["build", "--all"],
    &["build", "--all", "--jobs", "2"],
    &["login"],
    &["deploy", "--all"],
    &["start", "fastapi-serve"],
    &["stop", "--all"],
    &["validate", "--all"],
    &["setup"],
    &["setup", "--tests"],
    &["ci"],
    &["ci", "--no-setup"],
    &["check"],
    &["list"],
    &["report"],
    &["doctor"],
];

#[test]
fn a_dry_run_spawns_nothing_and_writes_nothing_with_tools_or_without() {
    for tools in [true, false] {
        let repo = Repo::new();
        repo.write("README.md", "");
        if !tools {
            repo.uninstall(&["docker", "poetry", "aws", "python3.13"]);
        }
        let before = repo.snapshot("");
        for args in EVERY_PLAN {
            let ran = repo.run(&[args, &["--dry-run"]].concat());
            let calls: Vec<String> = repo.all_calls().iter().map(Call::line).collect();
            assert_eq!(calls, [""; 0], "{args:?}");
            // `check` reads files only, so that it does all it does.
            if args[0] != "check" {
                let ran = ran.succeeds();
                assert!(!ran.stdout.is_empty() && !ran.stderr.contains("$ "), "{args:?}: {ran:?}");
            }
        }
        assert_eq!(repo.snapshot(""), before);
    }
}

/// The calls, with what differs from one process to the next taken off, and without what only the real run asks.
fn comparable(repo: &Repo) -> Vec<String> {
    let unnumbered = |word: &str| match word.contains("-tests-") || word.contains("build-tools-") {
        true => word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
        false => word.to_owned(),
    };
    let real_only = |call: &String| call.contains("{{.Id}}") || asks_what_is_there(call);
    let calls = repo.calls().into_iter().filter(|call| !real_only(call));
    calls.map(|call| call.split(' ').map(unnumbered).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_shell_that_runs_a_dry_runs_lines_does_what_the_run_does() {
    let prepared = || {
        let repo = Repo::new();
        for image in ["python-base", "fastapi-serve", "kubeflow-a"] {
            repo.engine_has(image, "sha256:1", &[]);
        }
        repo.engine_has("kubeflow-b", "sha256:4", &[("core-images.stage", "development")]);
        repo.on("aws *", Reply::prints(SECRET));
        for image in ["python-base", "fastapi-serve", "kubeflow-a"] {
            let report = format!("printf '<testsuite tests=\"1\">' >target/validate/{image}/junit.xml");
            repo.on(&format!("docker compose * run * {image}-tests"), Reply::does(&report));
        }
        repo.on("poetry lock *", Reply::does("/bin/cp target/new.lock \"${call##* }/poetry.lock\"; exit 0"));
        repo
    };
    for args in [
        &["build", "--all"][..],
        &["build", "fastapi-serve", "--image-tag", "1.5", "--platform", "linux/arm64"],
        &["build", "fastapi-serve", "--environment", "ci"],
        &["start", "kubeflow-b"],
        &["validate", "--all"],
        &["login"],
        &["stop", "--all"],
        &["lock", "--all"],
        &["lock", "--check", "--all"],
    ] {
        let real = prepared();
        real.run(&[args, &["--jobs", "1"]].concat()).succeeds();
        let pasted = prepared();
        let lines = pasted.run(&[args, &["--dry-run"]].concat()).succeeds().stdout;
        pasted.shell(&lines).run().succeeds();
        let expected = comparable(&real);
        assert!(!expected.is_empty());
        assert_eq!(comparable(&pasted), expected, "{args:?}");
        let stdin = |repo: &Repo| repo.all_calls().into_iter().map(|call| call.stdin).collect::<String>();
        assert_eq!(stdin(&pasted), stdin(&real), "{args:?}");
        let files = |repo: &Repo| -> Vec<_> {
            let files = repo.snapshot("images").into_iter();
            files.map(|(path, text)| (path.strip_prefix(&repo.root).unwrap().to_owned(), text)).collect()
        };
        assert_eq!(files(&pasted), files(&real), "{args:?}");
    }
}

// bad input

/// One clear error with this code, before any tool was called, and nothing written.
#[track_caller]
fn refuses(repo: &Repo, args: &[&str], code: i32, words: &[&str]) -> Ran {
    let before = repo.snapshot("images");
    let ran = repo.run(args).fails(code, words);
    assert!(ran.stderr.lines().count() <= 3, "more than three lines: {}", ran.stderr);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(repo.calls(), [""; 0]);
    assert_eq!(repo.snapshot("images"), before);
    ran
}

#[test]
fn an_unknown_image_gets_the_nearest_name() {
    let repo = Repo::new();
    for verb in ["lock", "build", "deploy", "start", "stop", "validate"] {
        let ran = refuses(&repo, &[verb, "fastapi-srve"], 2, &["no image fastapi-srve in docker-compose.dev.yaml"]);
        assert!(ran.help().contains("did you mean fastapi-serve? the images are: kubeflow-a, python-base"));
    }
    refuses(&repo, &["build", "nothing-*"], 2, &["no image nothing-*"]).help();
    for path in ["../x", "/etc", "images/python-base", ""] {
        refuses(&repo, &["build", path], 2, &["is no image name"]).help();
    }
}

#[test]
fn an_image_in_one_file_only_is_the_repositorys_fault() {
    let repo = Repo::new();
    repo.write("docker-compose.ci.yaml", &support::compose(&[PYTHON_BASE], "production"));
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
    let cases: [(&str, &str, &[&str]); 8] = [
        ("    build:\n      context: ./images/python-base", "    build: {\n", &["docker-compose.dev.yaml:"]),
        ("images/python-base\n", "images/${WHERE:?say where}\n", &["python-base", "WHERE", "say where", "yaml:36"]),
        ("images/python-base\n", "images/${WHERE\n", &["yaml:36", "python-base", "invalid interpolation"]),
        ("    image: core-images/build-tools:latest\n", "", &["yaml:9: ", "build-tools has no image:"]),
        (
            "/python-base:${IMAGE_TAG:-latest}\n    build",
            "/other:latest\n    build",
            &["yaml:32: ", "python-base", "/other"],
        ),
        ("  python-base-tests:", "  pyton-base-tests:", &["pyton-base-tests", "pyton-base, which no service builds"]),
        ("\n  kubeflow-b:\n", "\n  lonely: {image: x}\n\n  kubeflow-b:\n", &["lonely", "no build:", "yaml:"]),
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
fn a_variable_must_have_its_form() {
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
fn a_wrong_choice_is_clap_s_error() {
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
fn a_dotenv_with_an_error_is_named_with_the_line() {
    let repo = Repo::new();
    for (text, line, word) in [("A=1\nB='x\n", 2, "no closing '"), ("A=1\n\nB C=2\n", 3, "no variable name")] {
        repo.write(".env", text);
        refuses(&repo, &["build", "python-base"], 65, &[&format!(".env:{line}: "), word]);
    }
}

#[test]
fn a_wrong_pyproject_is_named() {
    for (text, words) in [("[project\n", "pyproject.toml:1"), ("[project]\nname = 'x'\n", "no requires-python")] {
        let repo = Repo::new();
        repo.write("images/python-base/pyproject.toml", text);
        refuses(&repo, &["lock", "python-base"], 65, &["images/python-base/pyproject.toml", words]).help();
    }
}

// tools that are missing

#[test]
fn without_docker_or_aws_both_are_named() {
    let repo = Repo::new();
    repo.uninstall(&["docker", "aws"]);
    let ran = refuses(&repo, &["login"], 69, &["docker is not installed", "aws is not installed"]);
    assert!(ran.help().contains("cargo xtask setup"));
    for verb in ["build", "validate", "deploy", "start", "stop"] {
        assert!(refuses(&repo, &[verb, "python-base"], 69, &["docker is not installed"]).help().contains("setup"));
    }
    let repo = Repo::new();
    repo.uninstall(&["aws"]);
    assert!(!refuses(&repo, &["login"], 69, &["aws is not installed"]).stderr.contains("docker is"));
}

#[test]
fn compose_must_be_there_and_new_enough() {
    let missing = "docker: 'compose' is not a docker command.\nSee 'docker --help'";
    for (reply, first_version, words) in [
        (Reply::fails(1, missing), false, "docker has no compose plugin"),
        (Reply::fails(1, missing), true, "docker-compose, version 1, is no substitute"),
        (Reply::prints("1.29.2"), false, "docker compose is 1.29.2, 2.20 or newer is needed"),
        (Reply::prints("v2.19.1"), false, "docker compose is v2.19.1, 2.20 or newer is needed"),
        (Reply::prints("dev"), false, "docker compose is dev"),
    ] {
        let repo = Repo::new();
        repo.on("docker compose version --short", reply);
        if first_version {
            repo.install("docker-compose");
        }
        assert!(refuses(&repo, &["build", "python-base"], 69, &[words]).help().contains("cargo xtask setup"));
    }
}

#[test]
fn an_engine_must_answer() {
    let repo = Repo::new();
    let silent = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    repo.on("docker version *", Reply::fails(1, silent));
    for args in [&["build", "python-base"][..], &["validate", "python-base"], &["deploy", "python-base"], &["login"]] {
        let ran = refuses(&repo, args, 69, &["the docker engine doesn't answer", "Is the docker daemon running?"]);
        assert!(ran.help().contains("cargo xtask setup"));
    }
}

#[test]
fn lock_needs_poetry_or_docker() {
    let repo = Repo::new();
    repo.uninstall(&["poetry", "docker"]);
    let ran = refuses(&repo, &["lock", "python-base"], 69, &["poetry is not installed", "docker"]);
    assert!(ran.help().contains("cargo xtask setup"));
}

// two at a time, and the end before the end

#[test]
fn a_second_run_on_an_image_is_refused_and_the_first_goes_on() {
    let repo = Repo::new();
    repo.on("docker compose * build python-base", Reply::blocks());
    let first = repo.xtask(&["build", "python-base"]).start();
    repo.wait_until_blocked();
    let holder = format!("cargo xtask build (process {})", first.pid());
    for args in [&["build", "python-base"][..], &["build", "fastapi-serve"], &["deploy", "python-base"]] {
        let second = repo.run(args).fails(75, &[&holder]);
        assert!(second.help().contains("wait"));
    }
    // What has nothing to do with it is free.
    repo.run(&["stop", "kubeflow-b"]).succeeds();
    repo.release();
    first.finish().succeeds();
    repo.run(&["build", "python-base"]).succeeds();
}

#[test]
fn an_interrupt_while_the_engine_is_asked_is_no_failure_of_the_engine() {
    let repo = ready_to_deploy();
    for args in [["deploy", "fastapi-serve"], ["validate", "fastapi-serve"]] {
        repo.on("docker image inspect *", Reply::blocks());
        let running = repo.xtask(&args).start();
        repo.wait_until_blocked();
        running.interrupt();
        running.finish().fails(130, &["interrupted"]);
        assert_eq!(effects(&repo), [""; 0]);
        repo.forget();
    }
}

#[test]
fn an_interrupt_reaches_a_build_once_and_ends_the_run() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let repo = Repo::new();
        repo.on("docker compose * build python-base", Reply::blocks());
        let running = repo.xtask(&["build", "fastapi-serve"]).start();
        repo.wait_until_blocked();
        match signal {
            // As a terminal does it: to the whole process group.
            Signal::SIGINT => running.interrupt(),
            other => running.signal(other),
        }
        running.finish().fails(130, &["interrupted"]);
        let build = dev("build python-base");
        assert_eq!((repo.signals(), repo.wound_down()), (vec![build.clone()], vec![build.clone()]), "{signal}");
        assert_eq!(repo.calls().last().unwrap(), &build);
    }
}

#[test]
fn an_interrupt_reaches_all_that_run_side_by_side() {
    let repo = Repo::new();
    repo.engine_has("python-base", "sha256:1", &[("core-images.stage", "development")]);
    repo.on("docker compose * build fastapi-serve", Reply::does(": >\"$home/second\"; block"));
    let wait = "until [ -e \"$home/second\" ]; do command -p sleep 0.02; done; block";
    repo.on("docker compose * build kubeflow-a", Reply::does(wait));
    let running = repo.xtask(&["build", "fastapi-serve", "kubeflow-a", "--jobs", "2"]).start();
    repo.wait_until_all_blocked(2);
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    let mut signals = repo.signals();
    signals.sort();
    assert_eq!(signals, [dev("build fastapi-serve"), dev("build kubeflow-a")]);
}

#[test]
fn an_interrupted_suite_leaves_no_container() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    repo.on("docker compose * run *", Reply::blocks());
    let running = repo.xtask(&["validate", "fastapi-serve"]).start();
    let container = format!("fastapi-serve-tests-{}", running.pid());
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.signals().len(), 1);
    assert!(repo.calls().contains(&format!("docker rm --force --volumes {container}")), "{:#?}", repo.calls());
    assert!(!repo.has("target/validate/passed"));
}

#[test]
fn an_interrupted_start_leaves_no_container() {
    let repo = Repo::new();
    repo.on("docker compose * up *", Reply::blocks());
    let running = repo.xtask(&["start", "fastapi-serve"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.signals().len(), 1);
    assert_eq!(repo.calls().last().unwrap(), &dev("rm --stop --force --volumes fastapi-serve"));
}

#[test]
fn an_interrupted_lock_leaves_everything_as_it_was() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::blocks());
    let before = repo.snapshot("images");
    let running = repo.xtask(&["lock", "python-base"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.snapshot("images"), before);
    assert!(!repo.has("images/python-base/.lock"));
}

#[test]
fn an_interrupt_ends_the_wait_for_another_try() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push *", Reply::fails(1, "received unexpected HTTP status: 503 Service Unavailable"));
    let running = repo.xtask(&["deploy", "python-base"]).start();
    running.wait_until_it_says("again in 1 s");
    running.interrupt();
    let ran = running.finish().fails(130, &["interrupted"]);
    assert_eq!(ran.echoed(), [push("python-base")], "no push was begun after it");
}

#[test]
fn an_interrupted_deploy_says_nothing_false_of_what_arrived() {
    let repo = ready_to_deploy();
    repo.on("docker compose * push fastapi-serve", Reply::blocks());
    let running = repo.xtask(&["deploy", "python-base", "fastapi-serve"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    let ran = running.finish().fails(130, &["interrupted"]);
    assert!(!ran.stderr.contains("not in the registry: python-base"), "it arrived: {}", ran.stderr);
}

#[test]
fn an_interrupted_validation_is_that_and_nothing_else() {
    let repo = Repo::new();
    for (image, id) in [("python-base", "sha256:1"), ("fastapi-serve", "sha256:2")] {
        repo.engine_has(image, id, &[]);
        suite_reports(&repo, image, 0, 0);
    }
    repo.on("docker compose * run *fastapi-serve-tests", Reply::blocks());
    let running = repo.xtask(&["validate", "python-base", "fastapi-serve", "--jobs", "1"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert!(!repo.has("target/validate/passed/sha256-2.json"));
}

#[test]
fn a_second_interrupt_kills_what_does_not_stop() {
    let repo = Repo::new();
    // Is not impressed by a signal, and ends by itself well before the run's patience does.
    repo.on("docker compose * build python-base", Reply::does("block 9 250"));
    let running = repo.xtask(&["build", "python-base"]).start();
    repo.wait_until_blocked();
    running.interrupt();
    repo.wait_for_signals(1);
    running.interrupt();
    running.finish().fails(130, &["interrupted"]);
    assert_eq!(repo.wound_down(), [""; 0], "it was killed, it didn't end by itself");
}

// the repository's shape

#[test]
fn one_module_spawns_and_one_knows_yaml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("project/src")];
    let mut allowed = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                let place = format!("{}:{}: {line}", path.display(), number + 1);
                let spawns = (line.contains("process::") && line.contains("Command"))
                    || ["xshell", "Command::new(", ".process_group(", ".output()"]
                        .iter()
                        .any(|word| line.contains(word))
                    || (line.contains(".spawn(") && !line.contains("scope.spawn(") && !line.contains("thread::"));
                let mut only = |found: bool, file: &str| {
                    assert!(!found || path == root.join(file), "{place}");
                    allowed.extend(found.then(|| file.to_owned()));
                };
                only(spawns, "src/exec.rs");
                let signals = ["killpg", "ctrlc", "Signal::"].iter().any(|word| line.contains(word));
                only(signals, "src/interrupt.rs");
                only(line.contains("serde_yaml"), "project/src/compose.rs");
            }
        }
    }
    allowed.sort();
    allowed.dedup();
    assert_eq!(allowed, ["project/src/compose.rs", "src/exec.rs", "src/interrupt.rs"]);
}

#[test]
fn bash_completes_images_behind_cargo_xtask_and_leaves_cargo_its_own() {
    let repo = Repo::new();
    let script = repo.run(&["completions", "bash"]).succeeds().stdout;
    repo.write("complete.sh", &script);
    let typed = |words: &str, last: &str| {
        let ask = format!(
            "_cargo() {{ COMPREPLY=(cargos-own); }}; complete -F _cargo cargo; source complete.sh; \
             COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _cargo_xtask cargo {last} x; echo \"${{COMPREPLY[@]}}\""
        );
        repo.shell(&format!("/bin/bash -c '{}'", ask.replace('\'', "'\\''"))).run().succeeds().stdout
    };
    assert_eq!(typed("cargo xtask build py", "py"), "python-base\n");
    assert_eq!(typed("cargo xtask vali", "vali"), "validate\n");
    assert_eq!(typed("cargo bu", "bu"), "cargos-own\n");
}

#[test]
fn a_reader_that_has_gone_is_nobodys_fault() {
    let repo = Repo::new();
    for args in ["list", "build --all --dry-run", "graph"] {
        let script = format!("{{ {} {args}; echo $? >&2; }} | true", env!("CARGO_BIN_EXE_xtask"));
        let ran = repo.shell(&script).run().succeeds();
        assert!(ran.stderr.trim_end().ends_with('0') && !ran.stderr.contains("panicked"), "{args}: {}", ran.stderr);
    }
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
fn a_password_in_the_index_url_is_masked_in_what_tools_print() {
    let repo = Repo::new();
    repo.on("poetry lock *", Reply::fails(1, "All attempts to connect to user:p4ss@index.example failed."));
    let ran = repo.xtask(&["lock", "python-base"]).env("PIP_INDEX_URL", "https://user:p4ss@index.example/simple").run();
    let ran = ran.fails(1, &["All attempts to connect to ***@index.example failed."]);
    assert!(!ran.stderr.contains("p4ss"), "{}", ran.stderr);
}

#[test]
fn what_somebody_writes_into_pyproject_while_poetry_runs_stays() {
    let repo = Repo::new();
    let script = "echo '# mine' >>images/fastapi-serve/pyproject.toml; /bin/cp target/new.lock \"${call##* }/poetry.lock\"; exit 0";
    repo.on("poetry lock *", Reply::does(script));
    repo.run(&["lock", "fastapi-serve"]).succeeds();
    let text = repo.read("images/fastapi-serve/pyproject.toml");
    assert!(text.contains("# mine") && text.contains("requests = \"1\""), "{text}");
}
