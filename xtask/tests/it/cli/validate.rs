//! `validate`: the suite, its report, and the record that it passed.

use crate::support::{REGISTRY, Reply, Repo, dev, effects, id_of, record_of, suite_reports, what_of};
use std::{fs, os::unix::fs::PermissionsExt as _};

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
    let configuration = format!("docker image inspect {REGISTRY}/fastapi-serve:latest");
    assert_eq!(repo.calls(), [all, configuration, suite, id]);
    let given = repo.all_calls().into_iter().find(|call| call.line().contains(" run ")).unwrap();
    assert!(given.var("IMAGE_INSPECT").is_some_and(|json| json.contains("sha256:2")), "{given:?}");
    assert!(ran.stderr.contains("fastapi-serve: 4 passed, 0 failed, 1 skipped"), "{}", ran.stderr);
    assert!(ran.stderr.contains("target/validate/fastapi-serve/junit.xml"), "{}", ran.stderr);
    let record: serde_json::Value = serde_json::from_str(&record_of(&repo, "sha256:2").unwrap()).unwrap();
    assert_eq!((&record["id"], &record["tests"]), (&"sha256:2".into(), &5.into()));
    // The suite writes its report as the container's user.
    let reports = fs::metadata(repo.root.join("target/validate/fastapi-serve")).unwrap();
    assert_eq!(reports.permissions().mode() & 0o777, 0o777);
    assert_eq!(ran.stdout, "");
}

/// The suites that were run.
fn suites_of(repo: &Repo) -> Vec<String> {
    let runs = repo.calls().into_iter().filter(|call| call.contains(" run "));
    runs.map(|call| call.rsplit(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn what_has_passed_is_not_run_again_until_something_changes() {
    let repo = Repo::new();
    for (image, id) in [("python-base", "sha256:1"), ("fastapi-serve", "sha256:2")] {
        repo.write(&format!("images/{image}/tests/test_it.py"), "");
        repo.engine_has(image, id, &[]);
        suite_reports(&repo, image, 0, 0);
    }
    let both = ["python-base-tests", "fastapi-serve-tests"];
    let validate = |options: &[&str]| {
        repo.forget();
        let ran = repo.run(&[&["validate", "python-base", "fastapi-serve", "--jobs", "1"], options].concat());
        (ran.succeeds().stderr, suites_of(&repo))
    };
    assert_eq!(validate(&[]).1, both);
    let (said, ran) = validate(&[]);
    assert!(
        said.contains("already passed as they are now (`--rerun` runs them): python-base, fastapi-serve"),
        "{said}"
    );
    assert_eq!(ran, [""; 0]);
    // One question, and nothing else: compose isn't asked for its version.
    assert_eq!(repo.all_calls().len(), 1, "{:?}", repo.all_calls());
    assert_eq!(validate(&["--rerun"]).1, both);
    assert_eq!(validate(&["--dry-run"]), {
        let (said, _) = validate(&["--dry-run", "--rerun"]);
        (said, Vec::new())
    });
    assert_eq!(validate(&["--", "-x"]).1.len(), 2);
    assert_eq!(validate(&[]).1, [""; 0]);
    repo.write("images/fastapi-serve/tests/__pycache__/test_it.pyc", "left by a run");
    assert_eq!(validate(&[]).1, [""; 0]);

    repo.write("images/fastapi-serve/tests/test_it.py", "assert 1 < 2");
    assert_eq!(validate(&[]).1, ["fastapi-serve-tests"]);
    assert_eq!(validate(&[]).1, [""; 0]);
    // A base's suite is a part of it.
    repo.write("images/python-base/tests/test_it.py", "assert 1 < 2");
    assert_eq!(validate(&[]).1, both);
    repo.engine_has("fastapi-serve", "sha256:3", &[]);
    assert_eq!(validate(&[]).1, ["fastapi-serve-tests"]);
    // What passed is known for good.
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    assert_eq!(validate(&[]).1, [""; 0]);
    repo.forget();
    repo.xtask(&["validate", "python-base"]).env("REQUIRE_HARDWARE", "gpu").run().succeeds();
    assert_eq!(suites_of(&repo), ["python-base-tests"]);
}

#[test]
fn the_suites_exit_code_is_kept_and_nothing_is_recorded() {
    // Also with a report that has no failure: a crash after the last test.
    for (code, failures) in [(1, 2), (1, 0), (5, 2), (42, 0), (69, 2)] {
        let repo = Repo::new();
        repo.engine_has("fastapi-serve", "sha256:2", &[]);
        suite_reports(&repo, "fastapi-serve", code, failures);
        let ran = repo.run(&["validate", "fastapi-serve"]);
        let ran = ran.fails(code.into(), &["fastapi-serve-tests", &format!("exit code {code}")]);
        let counts = format!("{} passed, {failures} failed, 1 skipped", 4 - failures);
        assert!(ran.stderr.contains(&counts), "{}", ran.stderr);
        assert!(!repo.has("target/validate/passed"));
        assert!(effects(&repo).last().unwrap().starts_with("docker rm --force --volumes fastapi-serve-tests-"));
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
fn the_tests_that_failed_are_listed_at_the_end() {
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
fn a_credential_in_a_test_report_is_masked() {
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
fn a_part_of_a_suite_is_not_recorded_as_validated() {
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
    // A path would not select a part: it would be run in addition to the suite's own folders.
    repo.forget();
    for path in ["/images/common/tests/test_tls.py", "images/common/tests", "test_tls.py", "test_tls.py::test_x"] {
        let ran = repo.run(&["validate", "fastapi-serve", "--", "-x", path]).fails(2, &[path]);
        assert!(ran.help().contains("-- -k NAME"), "{}", ran.stderr);
    }
    assert_eq!(repo.all_calls().len(), 0);
    for option in [&["-k", "a::b"][..], &["-W", "error::DeprecationWarning"], &["--deselect", "a.py::b"], &["--x=/y"]] {
        repo.forget();
        repo.run(&[&["validate", "fastapi-serve", "--"], option].concat()).succeeds();
        let suite = repo.calls().into_iter().find(|call| call.contains(" run ")).unwrap();
        assert!(suite.contains(&format!("PYTEST_ADDOPTS={}", option.join(" "))), "{suite}");
    }
}

#[test]
fn a_record_that_cannot_be_written_does_not_hide_failed_tests() {
    let repo = Repo::new();
    for (image, id, code) in [("kubeflow-a", "sha256:3", 0), ("fastapi-serve", "sha256:2", 3)] {
        repo.engine_has(image, id, &[]);
        suite_reports(&repo, image, code, code);
    }
    repo.write("target/validate/passed", "a file");
    let ran = repo.run(&["validate", "kubeflow-a", "fastapi-serve", "--jobs", "1"]).fails(3, &["fastapi-serve-tests"]);
    assert!(ran.stderr.contains("kubeflow-a: 4 passed"), "{}", ran.stderr);
    repo.run(&["validate", "kubeflow-a"]).fails(74, &["target/validate/passed"]);
}

#[test]
fn the_report_of_an_earlier_run_does_not_count() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    repo.write("target/validate/fastapi-serve/junit.xml", "<testsuite tests=\"3\">");
    repo.run(&["validate", "fastapi-serve"]).fails(65, &["the suite ended well", "has no test that was run"]);
    assert!(!repo.has("target/validate/passed") && !repo.has("target/validate/fastapi-serve/junit.xml"));
}

#[test]
fn an_image_that_changed_under_its_suite_is_not_recorded() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:after", &[]);
    repo.on("docker image inspect --format {{.Id}} *", Reply::prints("sha256:before").times(1));
    suite_reports(&repo, "fastapi-serve", 0, 0);
    let ran = repo.run(&["validate", "fastapi-serve"]).fails(75, &["fastapi-serve", "built again"]);
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
    let recorded = ["sha256:1", "sha256:2", "sha256:3"].map(|id| record_of(&repo, id).is_some());
    assert_eq!(recorded, [false, true, true]);
    // The next run is of what is left.
    repo.forget();
    repo.run(&["validate", "--all", "--jobs", "1"]).fails(7, &["python-base-tests"]);
    assert_eq!(suites_of(&repo), ["python-base-tests"]);
}

#[test]
fn an_image_without_a_suite_is_skipped_with_a_note() {
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
fn an_engine_error_is_not_a_failed_suite() {
    let repo = Repo::new();
    repo.engine_has("fastapi-serve", "sha256:2", &[]);
    let gone = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    repo.on("docker compose * run *", Reply::fails(1, gone));
    repo.run(&["validate", "fastapi-serve"]).fails(69, &["the docker engine doesn't answer"]);
}

#[test]
fn a_strict_umask_keeps_no_suite_from_its_tests() {
    for (mode, opened) in [(0o644, 0), (0o640, 1), (0o600, 1)] {
        let repo = Repo::new();
        repo.install("chmod");
        repo.engine_has("fastapi-serve", "sha256:2", &[]);
        suite_reports(&repo, "fastapi-serve", 0, 0);
        let file = repo.root.join("images/fastapi-serve/Dockerfile");
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        repo.run(&["validate", "fastapi-serve"]).succeeds();
        let calls = repo.calls();
        assert_eq!(calls.iter().filter(|call| *call == "chmod --recursive go+rX images").count(), opened, "{calls:?}");
    }
}
