//! Every image has a folder with all that belongs to it, and every folder with a Dockerfile is an image.

use super::finding;
use project::{
    Image, Project,
    family::{Finding, Repair},
    files::{Entry, Files},
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// What every image's folder holds besides its Dockerfile.
const FILES: [&str; 3] = [".dockerignore", "README.md", "tests"];
/// The folder of the images' folders.
const IMAGES: &str = "images";

pub fn findings(dev: &Project, ci: &Project, files: &Files) -> Vec<Finding> {
    let in_ci_only = ci.family().filter(|image| dev.find(&image.name).is_none());
    let of_images = dev.family().chain(in_ci_only).flat_map(|image| of_image(image, files));
    of_images.chain(strays(dev, ci, files)).collect()
}

fn of_image(image: &Image, files: &Files) -> Vec<Finding> {
    let folder = &image.folder;
    if !files.has(folder) {
        // The Dockerfile's absence says it.
        return Vec::new();
    }
    let missing = FILES.iter().map(|file| folder.join(file)).filter(|file| !files.has(file));
    let mut findings: Vec<Finding> = missing.map(|file| finding(&file, "is missing")).collect();
    let lock = folder.join("poetry.lock");
    if files.has(folder.join("pyproject.toml")) && !files.has(&lock) {
        findings.push(finding(&lock, "is missing").repair(Repair::Lock(image.name.clone())));
    }
    findings
}

fn strays(dev: &Project, ci: &Project, files: &Files) -> Vec<Finding> {
    let services: HashSet<&PathBuf> = dev.images.iter().chain(&ci.images).map(|image| &image.folder).collect();
    let folders = files.below(Path::new(IMAGES)).filter(|(path, entry)| {
        **entry == Entry::Folder && path.components().count() == 2 && !services.contains(&path.to_path_buf())
    });
    let strays = folders.filter(|(folder, _)| files.has(folder.join("Dockerfile")));
    strays.map(|(folder, _)| finding(folder, "has a Dockerfile, but is no service in the compose files")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Rules;

    #[test]
    fn an_images_folder_is_complete() {
        for (file, place, what) in [
            (".dockerignore", ".dockerignore", "is missing"),
            ("README.md", "README.md", "is missing"),
            ("tests/test_it.py", "tests", "is missing"),
            ("poetry.lock", "poetry.lock", "is missing: cargo xtask lock kubeflow-a"),
        ] {
            let rules = Rules::kept().without(&format!("images/kubeflow-a/{file}"));
            assert_eq!(rules.findings(), [format!("images/kubeflow-a/{place}: {what}")]);
        }
        // An image without Python packages.
        let rules = Rules::kept().without("images/kubeflow-a/pyproject.toml").without("images/kubeflow-a/poetry.lock");
        assert_eq!(rules.written().findings(), [""; 0]);
    }

    #[test]
    fn a_folder_with_a_dockerfile_is_an_image() {
        let rules = Rules::kept().file("images/forgotten/Dockerfile", "FROM scratch\n").file("images/common/x.py", "");
        let what = "has a Dockerfile, but is no service in the compose files";
        assert_eq!(rules.findings(), [format!("images/forgotten: {what}")]);
    }
}
