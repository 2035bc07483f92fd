//! An image's folder and its Dockerfile.

use super::each;
use crate::support::{append, clean, remove};

#[test]
fn a_dockerfile_takes_the_images_that_the_compose_files_name() {
    const FILE: &str = "images/fastapi-serve/Dockerfile";
    each(&[
        (
            "FROM an image",
            |repo| append(repo, FILE, "FROM debian:trixie AS last\n"),
            &[(
                FILE,
                "FROM debian",
                "debian:trixie is neither a build argument *_IMAGE nor an additional context of fastapi-serve in the compose files",
            )],
        ),
        (
            "FROM another argument",
            |repo| append(repo, FILE, "FROM $PORT AS last\n"),
            &[(
                FILE,
                "FROM $PORT",
                "$PORT is neither a build argument *_IMAGE nor an additional context of fastapi-serve in the compose files",
            )],
        ),
        (
            "COPY from an image",
            |repo| append(repo, FILE, "COPY --from=r.io/uv:1 /uv /uv\n"),
            &[(
                FILE,
                "COPY",
                "r.io/uv:1 is neither a build argument *_IMAGE nor an additional context of fastapi-serve in the compose files",
            )],
        ),
        (
            "RUN with an image",
            |repo| append(repo, FILE, "RUN --mount=type=bind,from=alpine,target=/x true\n"),
            &[(
                FILE,
                "RUN",
                "alpine is neither a build argument *_IMAGE nor an additional context of fastapi-serve in the compose files",
            )],
        ),
        (
            "a helper's FROM",
            |repo| append(repo, "images/build-tools/Dockerfile", "FROM alpine\n"),
            &[(
                "images/build-tools/Dockerfile",
                "FROM alpine",
                "alpine is neither a build argument *_IMAGE nor an additional context of build-tools in the compose files",
            )],
        ),
        (
            "an argument for nothing",
            |repo| repo.edit(FILE, "FROM ${TOOLS_IMAGE} AS tools\n", ""),
            &[(FILE, "", "TOOLS_IMAGE of the compose files is used in no FROM, COPY --from or RUN --mount")],
        ),
        (
            "files with the modes of the builder's umask",
            |repo| append(repo, FILE, "COPY healthcheck.py /opt/\n"),
            &[(
                FILE,
                "COPY",
                "copies files with the modes that the builder's umask gave them: add --chmod=0644, or 0755 for programs \
                 and folders",
            )],
        ),
        (
            "no label",
            |repo| repo.edit(FILE, "LABEL core-images.stage=development\n", ""),
            &[(FILE, "", "the development stage has no LABEL core-images.stage=development, which deploy goes by")],
        ),
        (
            "no such stage",
            |repo| repo.edit(FILE, "AS development\n", "AS dev\n"),
            &[(
                FILE,
                "",
                "images/fastapi-serve/Dockerfile has no stage 'development'; its stages are: tools, production, dev",
            )],
        ),
        (
            "no Dockerfile",
            |repo| remove(repo, FILE),
            &[(FILE, "", "reading the Dockerfile of fastapi-serve: images/fastapi-serve/Dockerfile: no such file")],
        ),
    ]);
}

#[test]
fn an_images_folder_is_complete_and_every_folder_is_an_image() {
    each(&[
        (
            "no .dockerignore",
            |repo| remove(repo, "images/kubeflow-a/.dockerignore"),
            &[("images/kubeflow-a/.dockerignore", "", "is missing")],
        ),
        (
            "no README.md",
            |repo| remove(repo, "images/kubeflow-a/README.md"),
            &[("images/kubeflow-a/README.md", "", "is missing")],
        ),
        ("no tests", |repo| remove(repo, "images/kubeflow-a/tests"), &[("images/kubeflow-a/tests", "", "is missing")]),
        (
            "no lock",
            |repo| remove(repo, "images/kubeflow-a/poetry.lock"),
            &[("images/kubeflow-a/poetry.lock", "", "is missing: cargo xtask lock kubeflow-a")],
        ),
        (
            "a stray folder",
            |repo| repo.write("images/forgotten/Dockerfile", "FROM scratch\n"),
            &[("images/forgotten", "", "has a Dockerfile, but is no service in the compose files")],
        ),
    ]);
    // A folder without a Dockerfile, and an image without Python packages, are no faults.
    let repo = clean();
    repo.write("images/common/conftest.py", "");
    remove(&repo, "images/kubeflow-a/pyproject.toml");
    remove(&repo, "images/kubeflow-a/poetry.lock");
    repo.run(&["check", "--write"]).succeeds();
}
