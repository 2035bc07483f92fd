//! Repositories where a part of the work has been done.

use super::{Reply, Repo};
use std::fs;

pub const SECRET: &str = "p4ss w0rd'$HOME";

pub const EXPIRED: &str = "denied: Your authorization token has expired. Reauthenticate and try again.";

/// A suite with this exit code and this number of failures in its report.
pub fn suite_reports(repo: &Repo, image: &str, code: u8, failures: u8) {
    let report = format!("<testsuites><testsuite tests=\"5\" failures=\"{failures}\" errors=\"0\" skipped=\"1\">");
    let script = format!("printf '%s' '{report}' >target/validate/{image}/junit.xml\nexit {code}");
    repo.on(&format!("docker compose * run *{image}-tests"), Reply::does(&script));
}

/// The record that a suite has passed for the image with this id.
pub fn record_of(repo: &Repo, id: &str) -> Option<String> {
    let records = fs::read_dir(repo.root.join("target/validate/passed")).ok()?;
    let mut texts = records.map(|record| fs::read_to_string(record.unwrap().path()).unwrap());
    texts.find(|text| text.contains(&format!("\"id\": \"{id}\"")))
}

/// Puts an image into the engine, built for production and validated.
pub fn is_ready(repo: &Repo, image: &str, id: &str) {
    repo.engine_has(image, id, &[]);
    suite_reports(repo, image, 0, 0);
    repo.run(&["validate", image, "--environment", "ci"]).succeeds();
    repo.forget();
}

/// A registry that has an image as soon as it was pushed.
pub fn registry_takes(repo: &Repo, image: &str, id: &str) {
    let there = format!("[ -e \"$home/pushed-{image}\" ] || {{ printf 'not found\\n' >&2; exit 1; }}");
    repo.on(&format!("docker compose * push {image}"), Reply::does(&format!(": >\"$home/pushed-{image}\"; exit 0")));
    let manifest = format!("{there}\nprintf '{{\"config\":{{\"digest\":\"{id}\"}}}}\\n'; exit 0");
    repo.on(&format!("docker buildx imagetools inspect --raw */{image}:*"), Reply::does(&manifest));
    let digest = format!("{there}\nprintf '{{\"digest\":\"sha256:d19e57-{image}\"}}\\n'; exit 0");
    repo.on(&format!("docker buildx imagetools inspect --format * */{image}:*"), Reply::does(&digest));
}

/// python-base and fastapi-serve ready to go, and a registry that takes them.
pub fn ready_to_deploy() -> Repo {
    let repo = Repo::new();
    for (image, id) in [("python-base", "sha256:1"), ("fastapi-serve", "sha256:2")] {
        is_ready(&repo, image, id);
        registry_takes(&repo, image, id);
    }
    repo
}
