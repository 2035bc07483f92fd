//! Two runs at a time.

use crate::support::{Reply, Repo};

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
    // An image that has nothing to do with it is not claimed.
    repo.run(&["stop", "kubeflow-b"]).succeeds();
    repo.release();
    first.finish().succeeds();
    repo.run(&["build", "python-base"]).succeeds();
}
