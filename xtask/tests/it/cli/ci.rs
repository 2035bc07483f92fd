//! `ci`.

use crate::support::{Reply, Repo};

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
