//! What people see: echoed commands, tools' output, paths, groups on GitHub.

use crate::support::{Reply, Repo, calls, effects, identified, labelled, last_effect, record_of};

#[test]
fn echoed_lines_are_quoted_so_that_a_shell_does_the_same() {
    let repo = Repo::new();
    repo.edit("images/python-base/Dockerfile", "AS production", "AS it's");
    let ran = repo.run(&["build", "python-base", "--target-build-stage", "it's"]).succeeds();
    let echoed = ran.echoed().join("\n");
    assert!(echoed.contains(r"TARGET_BUILD_STAGE='it'\''s' IMAGE_FINGERPRINT="), "{echoed}");
    let (calls, stage) = (effects(&repo), last_effect(&repo).unwrap().env);
    repo.forget();
    repo.shell(&echoed).run().succeeds();
    assert_eq!(effects(&repo), calls);
    assert!(stage.contains("TARGET_BUILD_STAGE=") && last_effect(&repo).unwrap().env.contains("TARGET_BUILD_STAGE="));
}

#[test]
fn output_of_tools_goes_to_standard_error() {
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
fn a_quiet_run_says_nothing_unless_it_fails() {
    let repo = Repo::new();
    for jobs in ["1", "2"] {
        let build = ["build", "--all", "--quiet", "--jobs", jobs];
        let ran = repo.run(&build).succeeds();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
        let fails = Repo::new();
        fails.on("docker compose * build fastapi-serve", Reply::fails(3, "it broke"));
        let ran = fails.run(&build).fails(3, &["build fastapi-serve", "it broke"]);
        assert!(ran.stderr.contains("fastapi-serve │ it broke\n") && !ran.stderr.contains("✓"), "{}", ran.stderr);
    }
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
    assert_eq!(ran.echoed_builds(), [identified(&expected[0]), labelled("debian:trixie-slim", &expected[1])]);

    repo.forget();
    inside(&["lock", "fastapi-serve"]);
    assert!(repo.calls()[1].ends_with("--directory ../../images/.lock-fastapi-serve"), "{:?}", repo.calls());
    assert!(!repo.has("images/.lock-fastapi-serve") && !repo.has("images/fastapi-serve/target"));

    let report = "printf '<testsuite tests=\"1\">' >../../target/validate/fastapi-serve/junit.xml";
    repo.on("docker compose * run *", Reply::does(report));
    let ran = inside(&["validate", "fastapi-serve"]);
    assert!(ran.stderr.contains("(../../target/validate/fastapi-serve/junit.xml)"), "{}", ran.stderr);
    assert!(record_of(&repo, "sha256:2").is_some());
}

#[test]
fn outside_the_repository_is_an_error() {
    let repo = Repo::new();
    let ran = repo.xtask(&["list"]).within("..").run().fails(2, &["docker-compose.dev.yaml", "none there"]);
    assert!(ran.help().contains("cd into"));
}

#[test]
fn a_closed_standard_output_is_no_error() {
    let repo = Repo::new();
    for args in ["list", "build --all --dry-run", "graph"] {
        // It starts after its reader has gone, so that its first line already fails to be written.
        let script = format!(
            "rm -f gone; {{ until [ -e gone ]; do sleep 0.01; done; set +e; cargo xtask {args}; echo code $? >&2; }} \
             | {{ exec <&-; : >gone; }}"
        );
        let ran = repo.shell(&script).run().succeeds();
        assert_eq!(ran.stderr, "code 0\n", "{args}");
    }
}

/// A full disk under a redirection.
#[test]
fn a_standard_output_that_cannot_be_written_is_an_error() {
    let repo = Repo::new();
    for args in
        ["list", "graph", "build --all --dry-run", "doctor", "completions bash", "--help", "help build", "--version"]
    {
        let ran = repo.shell(&format!("cargo xtask {args} >/dev/full")).run();
        let ran = ran.fails(74, &["writing to standard output: No space left on device"]);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}

/// A token needs no colon, and a tool may print it decoded.
#[test]
fn no_credential_of_an_index_is_shown() {
    let repo = Repo::new();
    repo.write(".env", "EXTRA_INDEX=https://other%21secret@extra.example/\n");
    let says = "echo \"no answer from $PIP_INDEX_URL\"; echo 'nor with other!secret or t0ken-of-mine' >&2; exit 1";
    repo.on("poetry lock *", Reply::does(says));
    let url = "https://t0ken-of-mine@index.example/simple";
    let ran = repo.xtask(&["lock", "python-base"]).env("PIP_INDEX_URL", url).run();
    assert!(ran.stderr.contains("no answer from https://***@index.example/simple\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret") && !ran.stderr.contains("t0ken"), "{}", ran.stderr);
}
