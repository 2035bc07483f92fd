//! `--changed-since`: the images whose inputs differ from a commit's.

use crate::support::{Reply, Repo, dev, effects, refuses};

/// A repository where git says that these files differ from the commit `main`, and that these are not tracked.
fn repo(differ: &[&str], untracked: &[&str]) -> Repo {
    let repo = Repo::new();
    repo.install("git");
    let differ: String = differ.iter().map(|path| format!(r":100644 100644 a b M\0{path}\0")).collect();
    repo.on("git diff * main -- *", Reply::does(&format!("printf '{differ}'; exit 0")));
    let untracked: String = untracked.iter().map(|path| format!(r"?? {path}\0")).collect();
    repo.on("git status *", Reply::does(&format!("printf '{untracked}'; exit 0")));
    repo
}

#[test]
fn only_what_changed_is_worked_on_and_what_is_built_on_it() {
    for (differ, untracked, built) in [
        (&["images/fastapi-serve/pyproject.toml"][..], &[][..], &["build-tools", "python-base", "fastapi-serve"][..]),
        (&["README.md"], &["images/kubeflow-b/new"], &["build-tools", "kubeflow-b"]),
        (&["images/python-base/Dockerfile"], &[], &["build-tools", "python-base", "kubeflow-a", "fastapi-serve"]),
    ] {
        let repo = repo(differ, untracked);
        repo.run(&["build", "--changed-since", "main", "--jobs", "1"]).succeeds();
        let mut expected: Vec<String> = built.iter().map(|image| dev(&format!("build {image}"))).collect();
        let mut built = effects(&repo);
        built.retain(|call| call.starts_with("docker "));
        expected.sort();
        built.sort();
        assert_eq!(built, expected, "{differ:?} {untracked:?}");
    }
    let repo = repo(&["images/python-base/Dockerfile"], &[]);
    let list = repo.run(&["list", "--changed-since", "main"]).succeeds().stdout;
    assert!(list.contains("\nfastapi-serve ") && !list.contains("\nkubeflow-b "), "{list}");
    // Of those that are named.
    let plan = repo.run(&["build", "kubeflow-*", "--changed-since", "main", "--dry-run"]).succeeds().stdout;
    assert!(plan.contains(" build kubeflow-a") && !plan.contains("build kubeflow-b"), "{plan}");
}

#[test]
fn where_nothing_changed_nothing_is_done() {
    let repo = repo(&["README.md", "images/notes"], &[]);
    for args in [
        &["build", "--changed-since", "main"][..],
        &["deploy", "--all", "--changed-since", "main"],
        &["list", "--changed-since", "main"],
    ] {
        let ran = repo.run(args).succeeds();
        assert!(ran.stderr.contains("nothing that images are made of has changed since main"), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    assert!(repo.calls().iter().all(|call| call.starts_with("git ")), "{:?}", repo.calls());
}

#[test]
fn a_commit_that_is_not_there_is_a_usage_error() {
    let repo = repo(&[], &[]);
    repo.on("git diff * nowhere -- *", Reply::fails(128, "fatal: bad revision 'nowhere'"));
    for (reference, words) in
        [("nowhere", "comparing with nowhere: bad revision"), ("-x", "not a commit"), ("", "not a commit")]
    {
        let ran = repo.run(&["build", &format!("--changed-since={reference}")]).fails(2, &[words]);
        assert!(ran.help().contains("git fetch --unshallow"));
    }
    let without = Repo::new();
    refuses(&without, &["build", "--changed-since", "main"], 69, &["git"]);
}
