//! What a registry says of a reference, by the answers of `docker buildx imagetools inspect`.

use super::diagnose;
use crate::{facts::Published, invocation::Output};
use serde_json::Value;

/// What the registry has, by its manifest as it is and by the manifest's descriptor.
pub fn published(manifest: &Output, descriptor: &Output) -> Published {
    if let Some(failed) = [manifest, descriptor].into_iter().find(|output| !output.success()) {
        return why(&failed.stderr);
    }
    let parsed = |output: &Output| serde_json::from_str::<Value>(&output.stdout).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match text(&parsed(descriptor)["digest"]) {
        Some(digest) => Published::Image { digest, config: text(&parsed(manifest)["config"]["digest"]) },
        None => Published::Unreachable("docker buildx imagetools inspect names no digest".to_owned()),
    }
}

/// A repository that doesn't exist, in ECR's words. (Other registries make one with the first push.)
const NO_REPOSITORY: [&str; 2] = ["does not exist in the registry with id", "repositorynotfound"];
const FORBIDDEN: [&str; 4] = ["403 forbidden", "denied", "authorization failed", "failed to authorize"];
const MISSING: [&str; 3] = ["not found", "manifest unknown", "manifest_unknown"];

fn why(stderr: &str) -> Published {
    let text = stderr.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let last = stderr.trim().lines().last().unwrap_or("no answer").trim();
    let last = last.strip_prefix("ERROR: ").unwrap_or(last).to_owned();
    if says(&NO_REPOSITORY) {
        Published::NoRepository
    } else if diagnose::login_refused(stderr) || says(&FORBIDDEN) {
        Published::Refused(last)
    } else if says(&MISSING) {
        Published::Missing
    } else {
        Published::Unreachable(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(stdout: &str) -> Output {
        Output { stdout: stdout.to_owned(), ..Output::default() }
    }

    #[test]
    fn an_image_has_its_digests() {
        let image = |config: Option<&str>| Published::Image {
            digest: "sha256:m".to_owned(),
            config: config.map(str::to_owned),
        };
        let descriptor = printed(r#"{"mediaType": "x", "digest": "sha256:m", "size": 7}"#);
        let manifest = printed(r#"{"config": {"digest": "sha256:c"}, "layers": []}"#);
        assert_eq!(published(&manifest, &descriptor), image(Some("sha256:c")));
        // An index, as the containerd image store pushes it.
        let index = printed(r#"{"manifests": [{"digest": "sha256:a"}, {"digest": "sha256:b"}]}"#);
        assert_eq!(published(&index, &descriptor), image(None));
        assert!(matches!(published(&manifest, &printed("")), Published::Unreachable(_)));
    }

    #[test]
    fn only_a_registry_that_answers_says_no() {
        let refused = |said: &str| Published::Refused(said.to_owned());
        let unreachable = |said: &str| Published::Unreachable(said.to_owned());
        let head = "unexpected status from HEAD request to https://r.io/v2/a/manifests/1";
        for (stderr, expected) in [
            ("ERROR: r.io/a:1: not found", Published::Missing),
            ("ERROR: manifest unknown: Requested image not found", Published::Missing),
            (
                "ERROR: name unknown: The repository with name 'a' does not exist in the registry with id '1'",
                Published::NoRepository,
            ),
            (&format!("ERROR: {head}: 401 Unauthorized"), refused(&format!("{head}: 401 Unauthorized"))),
            (&format!("ERROR: {head}: 403 Forbidden"), refused(&format!("{head}: 403 Forbidden"))),
            (
                "ERROR: pull access denied, repository does not exist or may require authorization: server message: x",
                refused(
                    "pull access denied, repository does not exist or may require authorization: server message: x",
                ),
            ),
            (
                "denied: Your authorization token has expired. Reauthenticate and try again.",
                refused("denied: Your authorization token has expired. Reauthenticate and try again."),
            ),
            (
                "ERROR: failed to do request: Head \"https://r.io\": dial tcp: connect: connection refused",
                unreachable("failed to do request: Head \"https://r.io\": dial tcp: connect: connection refused"),
            ),
            (
                "ERROR: docker: 'buildx' is not a docker command.",
                unreachable("docker: 'buildx' is not a docker command."),
            ),
            ("", unreachable("no answer")),
        ] {
            let failed = Output { code: 1, stderr: stderr.to_owned(), ..Output::default() };
            assert_eq!(published(&failed, &failed), expected, "{stderr}");
        }
        let failed = Output { code: 1, stderr: "ERROR: r.io/a:1: not found".to_owned(), ..Output::default() };
        assert_eq!(published(&printed("{}"), &failed), Published::Missing, "gone between the two questions");
    }
}
