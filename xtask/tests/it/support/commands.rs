//! The tools' commands as the fakes see them.

use super::{Call, REGISTRY, Repo};

pub fn dev(command: &str) -> String {
    format!("docker compose --file docker-compose.dev.yaml --project-directory . {command}")
}

pub fn ci(command: &str) -> String {
    dev(command).replace("dev", "ci")
}

pub fn push(image: &str) -> String {
    dev(&format!("push {image}"))
}

pub fn id_of(image: &str) -> String {
    format!("docker image inspect --format {{{{.Id}}}} {REGISTRY}/{image}:latest")
}

/// The inspection of these images and of what they are built from, which shows what is outdated.
pub fn what_of(images: &[&str]) -> String {
    let references: Vec<String> = images.iter().map(|image| format!("{REGISTRY}/{image}:latest")).collect();
    format!("docker image inspect {} debian:trixie-slim", references.join(" "))
}

/// A build as it is echoed: with the variables for the labels, where its base is not in the engine.
pub fn labelled(base: &str, build: &str) -> String {
    format!("IMAGE_FINGERPRINT=F OCI_BASE_NAME={base} {build}")
}

/// A helper's, which has no other label.
pub fn identified(build: &str) -> String {
    format!("IMAGE_FINGERPRINT=F {build}")
}

pub fn asks_what_is_there(call: &str) -> bool {
    call.starts_with("docker image inspect ") && !call.contains(" --format ")
}

/// The calls, without those that read digests for labels, and those that look for outdated images.
pub fn calls(repo: &Repo) -> Vec<String> {
    let aside = |call: &String| call.contains("RepoDigests") || asks_what_is_there(call);
    repo.calls().into_iter().filter(|call| !aside(call)).collect()
}

/// The calls that change something.
pub fn effects(repo: &Repo) -> Vec<String> {
    repo.calls().into_iter().filter(|call| !call.contains(" inspect ")).collect()
}

/// The last call that changed something.
pub fn last_effect(repo: &Repo) -> Option<Call> {
    repo.all_calls().into_iter().rfind(|call| !call.line().contains(" inspect "))
}
