//! What is generated from the locks: a table in each image's README.md, and Dependabot's configuration.

use super::{LOCK, PYPROJECT, choose::Chosen};
use crate::common::{dependabot, readme};
use plan::{Facts, compute::Input};
use project::{
    ImageName, Project, family,
    files::{Entry, File, Files, Wanted},
};
use std::{path::PathBuf, time::SystemTime};

/// The files that it is generated from, besides those that `lock` reads anyway.
pub fn wanted(project: &Project) -> Wanted {
    let mut wanted = family::wanted(project);
    wanted.files.extend(project.family().flat_map(readme::wanted));
    wanted.files.push(dependabot::FILE.into());
    wanted.trees.extend(dependabot::TREES.map(PathBuf::from));
    wanted
}

/// What is needed to write it again after the locks have changed.
pub struct Generated {
    /// To be read then: somebody may have edited them meanwhile.
    pub paths: Vec<PathBuf>,
    /// As they are written, from the folder that the user stands in.
    shown: Vec<PathBuf>,
    project: Project,
    /// Everything else, as it was before.
    files: Files,
    images: Vec<ImageName>,
}

impl Generated {
    pub fn of(project: &Project, facts: &Facts, chosen: &Chosen) -> Generated {
        let images = chosen.images.iter().map(|locked| locked.image);
        let of_image =
            images.clone().flat_map(|image| [LOCK, PYPROJECT, readme::FILE].map(|file| image.folder.join(file)));
        let paths: Vec<PathBuf> = of_image.chain([dependabot::FILE.into()]).collect();
        Generated {
            shown: paths.iter().map(|path| facts.shown(path)).collect(),
            paths,
            project: project.clone(),
            files: facts.files.clone(),
            images: images.map(|image| image.name.clone()).collect(),
        }
    }

    /// What changes, given what `paths` hold now. What can't be generated is for `check` to report.
    pub fn writes(&self, read: &[Input]) -> Vec<(PathBuf, String)> {
        let mut files = self.files.clone();
        for (path, input) in self.paths.iter().zip(read) {
            let entry = match input {
                Input::Text(text) => Entry::File(File {
                    text: text.clone(),
                    read_only: false,
                    private: false,
                    modified: SystemTime::UNIX_EPOCH,
                }),
                _ => Entry::Missing,
            };
            files.set(path, entry);
        }
        let (mut members, _) = family::members(&self.project, &files);
        let configuration = dependabot::generate(&self.project, &members, &files);
        members.retain(|member| self.images.contains(&member.image.name));
        let texts = readme::of_images(&members, &files).into_iter();
        let texts = texts.chain([(dependabot::FILE.into(), Ok(configuration))]);
        let changed = texts.filter_map(|(path, text)| {
            let (text, old) = (text.ok()?, files.text(&path).ok()??);
            let at = self.paths.iter().position(|known| *known == path)?;
            (text != old).then(|| (self.shown[at].clone(), text))
        });
        changed.collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;
    use plan::{Action, Inputs, Source, compute::Input};
    use project::files::Files;
    use std::path::Path;

    #[test]
    fn new_versions_are_named_where_versions_are_listed() {
        let page = "mine\n<!-- begin versions -->\nold\n<!-- end versions -->\n<!-- begin example -->\n\
                    <!-- end example -->\n";
        let pyproject = "[project]\nname = \"python-base\"\nrequires-python = \">=3.13,<3.14\"\n\
                         dependencies = [\"requests\"]\n";
        let family = testing::family()
            .file("images/python-base/README.md", page)
            .file("images/python-base/example/Dockerfile", "FROM python-base\n")
            .file("images/python-base/pyproject.toml", pyproject);
        let plan = family.plan(&["lock", "python-base"]).unwrap();
        let Action::Compute(report) = &plan.steps.last().unwrap().action else { panic!("{}", plan.outline()) };
        let now = |path: &Path, files: &Files| match path.ends_with("poetry.lock") {
            true => Input::Text(testing::lock(&[("requests", "2")])),
            false => files.text(path).unwrap().map_or(Input::Missing, |text| Input::Text(format!("{text}# edited\n"))),
        };
        let read = report.sources.iter().map(|source| match source {
            Source::File(path) => now(path, &family.facts.files),
            Source::Output(run) => panic!("{run}"),
        });
        let report = report.report(&Inputs { read: read.collect(), after: Vec::new() });
        assert_eq!(report.notes[0].text, "python-base: requests 1 → 2");
        let [(path, text)] = report.writes.as_slice() else { panic!("{report:?}") };
        assert_eq!(path, Path::new("images/python-base/README.md"));
        assert!(text.contains("| requests | 2 |\n") && text.ends_with("# edited\n"), "{text}");
    }
}
