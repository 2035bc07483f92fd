//! The two compose files say the same of an image, but for stage, mounts and ports.

use super::Side;
use project::{Image, family::Finding};
use std::collections::BTreeSet;

pub fn findings(sides: &[Side; 2]) -> Vec<Finding> {
    let [dev, ci] = sides;
    let mut findings = Vec::new();
    for (here, there) in [(dev, ci), (ci, dev)] {
        for image in &here.project.images {
            match there.project.find(&image.name) {
                None => {
                    findings.push(here.finding(image, format!("{} isn't in {}", image.name, there.project.file())));
                }
                // Each difference is said once.
                Some(other) if std::ptr::eq(here, dev) => {
                    let what = differences(image, other).map(|what| format!("{}: {what}", image.name));
                    findings.extend(what.map(|what| here.finding(image, what)));
                }
                Some(_) => {}
            }
            if !image.helper && image.about.is_none() {
                let what = format!("{} has no x-core-images: with description and hardware", image.name);
                findings.push(here.finding(image, what));
            }
        }
    }
    findings
}

fn differences(dev: &Image, ci: &Image) -> impl Iterator<Item = String> {
    let bases = |image: &Image| -> BTreeSet<String> {
        image.bases.iter().map(|base| format!("{}={}", base.argument, base.reference)).collect()
    };
    let about = |image: &Image| image.about.as_ref().map(|about| (about.description.clone(), about.hardware.clone()));
    [
        (dev.reference != ci.reference, "image:"),
        (dev.dockerfile != ci.dockerfile, "build.context"),
        (dev.helper != ci.helper, "the profile tools"),
        (bases(dev) != bases(ci), "the images in build.args"),
        (dev.indexes != ci.indexes, "the indexes in build.args"),
        (about(dev) != about(ci), "x-core-images"),
    ]
    .into_iter()
    .filter(|(differs, _)| *differs)
    .map(|(_, what)| format!("{what} differs between the two compose files"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CI, DEV, Rules};

    /// What is found after a change of ci's file, which is said of the image's line in dev's.
    #[track_caller]
    fn differs(from: &str, to: &str, what: &str) {
        let rules = Rules::kept().edit(CI, from, to);
        let expected =
            format!("{}: kubeflow-a: {what} differs between the two compose files", rules.line(DEV, "  kubeflow-a:"));
        assert!(rules.findings().contains(&expected), "no {expected} in {:?}", rules.findings());
    }

    #[test]
    fn the_two_files_say_the_same_of_an_image() {
        differs("image: r.io/kubeflow-a:latest\n    build", "image: r.io/kubeflow-a:1\n    build", "image:");
        differs("context: ./images/kubeflow-a\n", "context: ./images/fastapi-serve\n", "build.context");
        let context = "context: ./images/kubeflow-a\n";
        differs(context, &format!("{context}      dockerfile: Other\n"), "build.context");
        differs("The kubeflow-a image", "Another", "x-core-images");
        differs("BASE_IMAGE: r.io/python-base:latest", "BASE_IMAGE: r.io/python-base:1.4", "the images in build.args");
        let target = "context: ./images/kubeflow-a\n      target: production\n      args:\n";
        differs(target, &format!("{target}        ACME_INDEX: https://acme.example\n"), "the indexes in build.args");
    }

    #[test]
    fn every_image_is_in_both_files_and_described() {
        let service = |rules: &Rules, file: &str| {
            let text = rules.read(file);
            let at = text.find("\n  kubeflow-a:").unwrap();
            text[at..].to_owned()
        };
        for (here, there) in [(DEV, CI), (CI, DEV)] {
            let rules = Rules::kept();
            let cut = service(&rules, there);
            let rules = rules.edit(there, &cut, "");
            let expected = format!("{}: kubeflow-a isn't in {there}", rules.line(here, "  kubeflow-a:"));
            assert!(rules.findings().contains(&expected), "no {expected} in {:?}", rules.findings());
        }
        let about = "    x-core-images: {description: The kubeflow-a image, hardware: cpu}\n";
        let rules = Rules::kept().edit(DEV, about, "").edit(CI, about, "").written();
        let what = "kubeflow-a has no x-core-images: with description and hardware";
        let expected = [DEV, CI].map(|file| format!("{}: {what}", rules.line(file, "  kubeflow-a:")));
        assert_eq!(rules.findings(), expected);
    }
}
