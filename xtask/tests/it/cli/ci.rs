//! `ci`.

use crate::support::{Reply, Repo, refuses};

#[test]
fn ci_ends_at_the_first_failure_and_reports_it() {
    let repo = Repo::new();
    repo.install("cargo");
    repo.on(
        "cargo xtask check",
        Reply::fails(65, "a lot\nerror: the lock is stale\n help: lock it: `cargo xtask lock a`"),
    );
    let ran = repo.run(&["ci"]);
    let end = "error: check: `cargo xtask check` ended with exit code 65: the lock is stale\n help: lock it: `cargo xtask lock a`\n";
    assert!(ran.code == 65 && ran.stderr.ends_with(end), "{ran:?}");
    assert_eq!(repo.calls().last().unwrap(), "cargo xtask check");
    assert!(ran.stderr.contains("\n· build the family not run\n"), "{}", ran.stderr);
}

#[test]
fn ci_without_setup_names_the_tools_that_only_setup_brings() {
    let repo = Repo::new();
    repo.install("cargo");
    let missing = ["hadolint is not installed", "check-jsonschema is not installed", "zizmor is not installed"];
    assert!(refuses(&repo, &["ci", "--no-setup"], 69, &missing).help().contains("`cargo xtask setup`"));
    for tool in ["hadolint", "check-jsonschema", "zizmor"] {
        repo.install(tool);
    }
    // Which the PATH has.
    let ran = repo.run(&["ci", "--no-setup"]).succeeds();
    assert!(ran.stderr.contains("$ zizmor --offline"), "{}", ran.stderr);
}
