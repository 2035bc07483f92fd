//! Every image has a suite, which also runs its ancestors' tests: what they promise holds for their children.

use super::Side;
use project::{Image, Project, family::Finding};
use std::collections::HashSet;

pub fn findings(sides: &[Side; 2]) -> Vec<Finding> {
    let of_side = |side: &Side| {
        let images = side.project.family().filter_map(|image| {
            let what = match &image.suite {
                Some(suite) => missing_tests(side, image, suite)?,
                None => format!("{0} has no suite: add the service {0}-tests, which runs its tests", image.name),
            };
            Some(side.finding(image, what))
        });
        images.collect::<Vec<_>>()
    };
    sides.iter().flat_map(of_side).collect()
}

fn missing_tests(side: &Side, image: &Image, suite: &str) -> Option<String> {
    let key = side.keys.line(&["services", suite])?;
    let lines = side.block(key).map(|number| side.lines[number - 1].1);
    let lines = lines.filter(|line| !line.trim_start().starts_with('#'));
    let body: String = lines.flat_map(|line| [line.split(" #").next().unwrap_or_default(), "\n"]).collect();
    let missing: Vec<String> = line_of_bases(side.project, image)
        .into_iter()
        .map(|image| format!("{}/tests", image.folder.display()))
        .filter(|folder| !names(&body, folder))
        .collect();
    (!missing.is_empty()).then(|| format!("{suite} doesn't run {}", missing.join(", ")))
}

/// As a whole word: `x/tests-old` is not `x/tests`.
fn names(body: &str, folder: &str) -> bool {
    body.match_indices(folder)
        .any(|(at, _)| !body[at + folder.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-'))
}

/// An image and all of the family that it is built from, bases first.
fn line_of_bases<'a>(project: &'a Project, image: &'a Image) -> Vec<&'a Image> {
    let (mut found, mut seen) = (vec![image], HashSet::from([&image.name]));
    let mut next = 0;
    while let Some(image) = found.get(next).copied() {
        let bases = image.family_bases().filter_map(|name| project.find(name));
        found.extend(bases.filter(|base| !base.helper && seen.insert(&base.name)));
        next += 1;
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CI, DEV, Rules};

    #[test]
    fn a_suite_runs_its_own_tests_and_those_of_every_ancestor() {
        let command = "[pytest, /images/python-base/tests, /images/fastapi-serve/tests]";
        for (file, edited, missing) in [
            (CI, "[pytest, /images/fastapi-serve/tests]", "images/python-base/tests"),
            (DEV, "[pytest, /images/python-base/tests]", "images/fastapi-serve/tests"),
            (DEV, "[pytest]", "images/python-base/tests, images/fastapi-serve/tests"),
            (DEV, "[pytest, /images/python-base/tests-old, /images/fastapi-serve/tests]", "images/python-base/tests"),
            (DEV, "[pytest, /images/fastapi-serve/tests] # /images/python-base/tests", "images/python-base/tests"),
        ] {
            let rules = Rules::kept().edit(file, command, edited);
            let place = rules.line(file, "  fastapi-serve:");
            assert_eq!(rules.findings(), [format!("{place}: fastapi-serve-tests doesn't run {missing}")]);
        }
    }

    #[test]
    fn every_image_has_a_suite_in_both_files() {
        let suite = "\n  fastapi-serve-tests:\n    profiles: [tests]\n    image: r.io/fastapi-serve:latest\n    \
                     command: [pytest, /images/python-base/tests, /images/fastapi-serve/tests]\n";
        let what = "fastapi-serve has no suite: add the service fastapi-serve-tests, which runs its tests";
        let rules = Rules::kept().edit(CI, suite, "");
        let place = |rules: &Rules, file| format!("{}: {what}", rules.line(file, "  fastapi-serve:"));
        assert_eq!(rules.findings(), [place(&rules, CI)]);
        let rules = rules.edit(DEV, suite, "");
        assert_eq!(rules.findings(), [place(&rules, DEV), place(&rules, CI)]);
    }
}
