//! The two compose files, and the suites in them.

use super::{CI, DEV, STALE_README, each, finds};
use crate::support::{COMPOSE_FILES, Repo, append, clean, cut, remove};

#[test]
fn the_two_compose_files_name_the_same_images_alike() {
    each(&[
        (
            "an image in dev only",
            |repo| cut(repo, CI, "\n  kubeflow-a:"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a isn't in docker-compose.ci.yaml")],
        ),
        (
            "an image in ci only",
            |repo| {
                cut(repo, DEV, "\n  kubeflow-a:");
                remove(repo, "images/kubeflow-a");
            },
            &[
                (CI, "  kubeflow-a:", "kubeflow-a isn't in docker-compose.dev.yaml"),
                STALE_README,
                (".github/dependabot.yml", "", STALE_README.2),
                (
                    "images/kubeflow-a/Dockerfile",
                    "",
                    "reading the Dockerfile of kubeflow-a: images/kubeflow-a: no such folder",
                ),
            ],
        ),
        (
            "another base",
            |repo| repo.edit(CI, "BASE_IMAGE: debian:trixie-slim", "BASE_IMAGE: debian:bookworm-slim"),
            &[
                (DEV, "  python-base:", "python-base: the images in build.args differs between the two compose files"),
                (
                    CI,
                    "        BASE_IMAGE: debian:bookworm-slim",
                    "python-base: BASE_IMAGE is debian:bookworm-slim, which no service with the profile external has",
                ),
            ],
        ),
        (
            "another base's tag",
            |repo| repo.edit(CI, "/python-base:${BASE_IMAGE_TAG:-${IMAGE_TAG:-latest}}", "/python-base:1.4.0"),
            &[
                (
                    DEV,
                    "  fastapi-serve:",
                    "fastapi-serve: the images in build.args differs between the two compose files",
                ),
                (DEV, "  kubeflow-a:", "kubeflow-a: the images in build.args differs between the two compose files"),
            ],
        ),
        (
            "another reference",
            |repo| repo.edit(CI, "/kubeflow-a:${IMAGE_TAG:-latest}", "/kubeflow-a:${IMAGE_TAG:-1}"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a: image: differs between the two compose files")],
        ),
        (
            "another folder",
            |repo| repo.edit(CI, "context: ./images/kubeflow-a\n", "context: ./images/fastapi-serve\n"),
            &[
                (DEV, "  kubeflow-a:", "kubeflow-a: build.context differs between the two compose files"),
                (CI, "  kubeflow-a:", "kubeflow-a-tests doesn't run images/fastapi-serve/tests"),
            ],
        ),
        (
            "another Dockerfile",
            |repo| {
                repo.edit(
                    CI,
                    "context: ./images/kubeflow-a\n",
                    "context: ./images/kubeflow-a\n      dockerfile: Other\n",
                );
            },
            &[(DEV, "  kubeflow-a:", "kubeflow-a: build.context differs between the two compose files")],
        ),
        (
            "a suite in dev only",
            |repo| cut(repo, CI, "\n  kubeflow-a-tests:"),
            &[(CI, "  kubeflow-a:", "kubeflow-a has no suite: add the service kubeflow-a-tests, which runs its tests")],
        ),
        (
            "another description",
            |repo| repo.edit(CI, "The kubeflow-a image", "Another"),
            &[(DEV, "  kubeflow-a:", "kubeflow-a: x-core-images differs between the two compose files")],
        ),
        (
            "no description",
            |repo| {
                let about = "    x-core-images: {description: The kubeflow-a image, hardware: cpu}\n";
                repo.edit(DEV, about, "");
                repo.edit(CI, about, "");
            },
            &[
                (DEV, "  kubeflow-a:", "kubeflow-a has no x-core-images: with description and hardware"),
                (CI, "  kubeflow-a:", "kubeflow-a has no x-core-images: with description and hardware"),
                STALE_README,
            ],
        ),
    ]);
}

#[test]
fn a_suite_runs_its_own_tests_and_those_of_every_ancestor() {
    each(&[
        (
            "the base's, in ci",
            |repo| repo.edit(CI, "/images/python-base/tests, /images/fastapi-serve", "/images/fastapi-serve"),
            &[(CI, "  fastapi-serve:", "fastapi-serve-tests doesn't run images/python-base/tests")],
        ),
        (
            "its own, in dev",
            |repo| repo.edit(DEV, ", /images/fastapi-serve/tests", ""),
            &[(DEV, "  fastapi-serve:", "fastapi-serve-tests doesn't run images/fastapi-serve/tests")],
        ),
        (
            "both, though the next suite has them",
            |repo| repo.edit(DEV, "[pytest, /images/python-base/tests, /images/fastapi-serve/tests]", "[pytest]"),
            &[(
                DEV,
                "  fastapi-serve:",
                "fastapi-serve-tests doesn't run images/python-base/tests, images/fastapi-serve/tests",
            )],
        ),
    ]);
}

/// A vendor's index stands in both files alike, and in a label, for deploy goes by that.
#[test]
fn an_index_is_named_in_both_files_and_in_the_image() {
    const FILE: &str = "images/kubeflow-a/Dockerfile";
    let named = |repo: &Repo, files: &[&str], url: &str| {
        for file in files {
            let (head, tail) = {
                let text = repo.read(file);
                let at = text.find("context: ./images/kubeflow-a").unwrap();
                let at = at + text[at..].find("      args:\n").unwrap() + "      args:\n".len();
                (text[..at].to_owned(), text[at..].to_owned())
            };
            repo.write(file, &format!("{head}        ACME_WHEELS_INDEX: {url}\n{tail}"));
        }
    };
    let label = "ARG ACME_WHEELS_INDEX\nLABEL core-images.index.acme-wheels=${ACME_WHEELS_INDEX}\n";
    let repo = clean();
    named(&repo, &COMPOSE_FILES, "https://acme.example");
    let unlabelled = "ACME_WHEELS_INDEX of the compose files has no LABEL core-images.index.acme-wheels=${ACME_WHEELS_INDEX}, \
                      which deploy goes by";
    finds(&repo, "no label", &[(FILE, "", unlabelled)]);
    append(&repo, FILE, label);
    repo.run(&["check"]).succeeds();
    let repo = clean();
    append(&repo, FILE, label);
    named(&repo, &[DEV], "https://acme.example");
    let differs = "kubeflow-a: the indexes in build.args differs between the two compose files";
    finds(&repo, "in one file", &[(DEV, "  kubeflow-a:", differs)]);
    // What is in the URL would be published with the image.
    let repo = clean();
    named(&repo, &COMPOSE_FILES, "https://user:pw@acme.example/simple");
    let ran = repo.run(&["check"]).fails(65, &["kubeflow-a", "ACME_WHEELS_INDEX: its URL has credentials"]);
    assert!(!ran.stderr.contains("pw"), "{}", ran.stderr);
}

#[test]
fn a_bot_moves_an_external_image_where_it_looks_and_check_carries_it_on() {
    let repo = clean();
    for file in COMPOSE_FILES {
        repo.edit(file, "image: debian:trixie-slim", "image: debian:trixie-20261117-slim");
    }
    let stale = "is debian:trixie-slim, the service debian has debian:trixie-20261117-slim: cargo xtask check --write";
    let ran = repo.run(&["check"]).fails(65, &["check: "]);
    assert!(ran.stderr.contains(&format!("{CI}:25: error: python-base: BASE_IMAGE {stale}")), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("{DEV}:15: error: build-tools: DEBIAN_IMAGE {stale}")), "{}", ran.stderr);
    repo.run(&["check", "--write"]).succeeds();
    for file in COMPOSE_FILES {
        assert!(!repo.read(file).contains("debian:trixie-slim"), "{}", repo.read(file));
    }
    repo.run(&["check"]).succeeds();
    // Two versions of one external image are no fault, where each has a service of its own.
    for file in COMPOSE_FILES {
        repo.edit(
            file,
            "services:\n",
            "services:\n  old:\n    profiles: [external]\n    image: debian:bullseye-slim\n\n",
        );
        repo.edit(file, "BASE_IMAGE: debian:trixie-20261117-slim", "BASE_IMAGE: debian:bullseye-slim");
    }
    repo.run(&["check", "--write"]).succeeds();
    assert!(repo.read(DEV).contains("BASE_IMAGE: debian:bullseye-slim"));
}
