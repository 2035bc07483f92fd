//! `--dry-run`.

use crate::support::{Call, Reply, Repo, SECRET, effects};

const EVERY_PLAN: [&[&str]; 18] = [
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
    &["pins", "fastapi-serve"],
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
            let ran = repo.run(&[args, &["--dry-run"]].concat()).succeeds();
            let calls: Vec<String> = repo.all_calls().iter().map(Call::line).collect();
            assert_eq!(calls, [""; 0], "{args:?}");
            assert!(!ran.stdout.is_empty() && !ran.stderr.contains("$ "), "{args:?}: {ran:?}");
        }
        assert_eq!(repo.snapshot(""), before);
    }
}

/// The calls, without process ids, and without questions, of which the real run has others.
fn comparable(repo: &Repo) -> Vec<String> {
    let unnumbered = |word: &str| match word.contains("-tests-") || word.contains("build-tools-") {
        true => word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned(),
        false => word.to_owned(),
    };
    effects(repo).iter().map(|call| call.split(' ').map(unnumbered).collect::<Vec<_>>().join(" ")).collect()
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

#[test]
fn a_plan_as_json_holds_the_lines_that_are_printed() {
    let repo = Repo::new();
    let lines = repo.run(&["build", "--all", "--dry-run"]).succeeds().stdout;
    let json = repo.run(&["build", "--all", "--dry-run", "--json"]).succeeds().stdout;
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let steps = &plan["steps"];
    let commands: Vec<&str> = steps.as_array().unwrap().iter().map(|step| step["command"].as_str().unwrap()).collect();
    let exports: Vec<&str> = plan["exports"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(exports.len(), 4);
    assert_eq!([exports, commands].concat(), lines.lines().collect::<Vec<_>>());
    let child = steps.as_array().unwrap().iter().position(|step| step["image"] == "fastapi-serve").unwrap();
    let base = steps.as_array().unwrap().iter().position(|step| step["image"] == "python-base").unwrap();
    assert!(steps[child]["after"].as_array().unwrap().contains(&base.into()));
}
