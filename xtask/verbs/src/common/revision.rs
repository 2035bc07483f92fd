//! The commit that an image is of: the last one that changed what it is made of.

use identity::{Sources, additional_folders};
use plan::{
    Facts,
    facts::{Change, Commit, Difference, Git, History},
};
use project::{Image, ImageName, Project, error::Fault};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

/// What the labels say of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The commit, with `-dirty` where something that goes in isn't committed.
    pub commit: String,
    /// The commit's time, RFC 3339.
    pub time: String,
    /// A shallow clone ends with the commit: it is only the oldest one known that has the same inputs.
    pub is_cut: bool,
}

/// The revisions of these images, where git knows them.
///
/// # Errors
/// Bases that go round in a circle.
pub fn revisions(
    project: &Project,
    facts: &Facts,
    names: &[ImageName],
) -> Result<BTreeMap<ImageName, Revision>, Fault> {
    let Git::Clone { history, .. } = &facts.git else { return Ok(BTreeMap::new()) };
    let images = project.with_bases(names)?;
    let mut changes = Changes::new(project, &images, &facts.contexts, &history.texts)?;
    let mut found: BTreeMap<&ImageName, &Commit> = BTreeMap::new();
    for commit in &history.commits {
        for name in with_what_is_built_on(&images, |image| commit.changes.iter().any(|it| changes.concerns(image, it)))
        {
            found.entry(name).or_insert(commit);
        }
        if found.len() == images.len() {
            break;
        }
    }
    let dirty = with_what_is_built_on(&images, |image| changes.are_uncommitted(image, history));
    let revision = |(name, commit): (&ImageName, &Commit)| {
        let Commit { id, time, is_cut, .. } = commit;
        let dirty = if dirty.contains(name) { "-dirty" } else { "" };
        (name.clone(), Revision { commit: format!("{id}{dirty}"), time: time.clone(), is_cut: *is_cut })
    };
    Ok(found.into_iter().map(revision).collect())
}

/// The images whose inputs differ from those of a commit, by what differs from it; also by their bases.
///
/// # Errors
/// Bases that go round in a circle.
pub fn changed(
    project: &Project,
    contexts: &BTreeMap<ImageName, Result<Sources, Fault>>,
    difference: &Difference,
) -> Result<BTreeSet<ImageName>, Fault> {
    let Difference { changes, untracked, texts } = difference;
    let names: Vec<ImageName> = project.images.iter().map(|image| image.name.clone()).collect();
    let compose = Path::new(project.file());
    let images = project.with_bases(&names)?;
    let mut read = Changes::new(project, &images, contexts, texts)?;
    let (of_compose, of_files): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.path == compose);
    let files = of_files.iter().map(|change| change.path.as_path());
    let near = near(&images, files.chain(untracked.iter().map(PathBuf::as_path)));
    let differs = with_what_is_built_on(&images, |image| {
        near.get(&image.name).into_iter().flatten().any(|path| read.goes_in(image, path))
            || of_compose
                .iter()
                .any(|change| read.definition(image, &change.before).as_ref() != Some(&image.definition))
    });
    Ok(differs.into_iter().cloned().collect())
}

/// The paths that may concern each image: those in its folders, and its Dockerfile. (Each image held against each path would
/// take minutes for thousands.)
fn near<'a, 'p>(images: &[&'a Image], paths: impl Iterator<Item = &'p Path>) -> BTreeMap<&'a ImageName, Vec<&'p Path>> {
    let mut places: HashMap<&Path, Vec<&ImageName>> = HashMap::new();
    for image in images {
        let additional = additional_folders(image).map(|(_, folder)| Path::new(folder));
        for place in [image.folder.as_path(), image.dockerfile.as_path()].into_iter().chain(additional) {
            places.entry(place).or_default().push(&image.name);
        }
    }
    let mut near: BTreeMap<&ImageName, Vec<&Path>> = BTreeMap::new();
    for path in paths {
        let names: BTreeSet<&ImageName> =
            path.ancestors().filter_map(|place| places.get(place)).flatten().copied().collect();
        for name in names {
            near.entry(name).or_default().push(path);
        }
    }
    near
}

/// The images that something holds for, and those that are built on them; `images` has bases first.
fn with_what_is_built_on<'a>(images: &[&'a Image], mut holds: impl FnMut(&Image) -> bool) -> BTreeSet<&'a ImageName> {
    let mut chosen = BTreeSet::new();
    for image in images {
        if image.family_bases().any(|base| chosen.contains(base)) || holds(image) {
            chosen.insert(&image.name);
        }
    }
    chosen
}

/// What of the compose file's texts decides what each image becomes.
type Definitions = BTreeMap<ImageName, BTreeMap<String, String>>;

pub struct Changes<'a> {
    project: &'a Project,
    contexts: &'a BTreeMap<ImageName, Result<Sources, Fault>>,
    texts: &'a BTreeMap<String, String>,
    /// Of the compose file's texts, by git's ids; read when they are asked for.
    definitions: BTreeMap<String, Definitions>,
}

impl<'a> Changes<'a> {
    /// # Errors
    /// The folder of one of these images can't be read: nobody knows what of it goes in.
    pub fn new(
        project: &'a Project,
        images: &[&Image],
        contexts: &'a BTreeMap<ImageName, Result<Sources, Fault>>,
        texts: &'a BTreeMap<String, String>,
    ) -> Result<Changes<'a>, Fault> {
        let mut sources = images.iter().filter_map(|image| contexts.get(&image.name));
        sources.try_for_each(|sources| sources.as_ref().map(drop).map_err(Fault::clone))?;
        Ok(Changes { project, contexts, texts, definitions: BTreeMap::new() })
    }

    /// Did the change concern what the image is made of, less its bases?
    fn concerns(&mut self, image: &Image, change: &Change) -> bool {
        if change.path != Path::new(self.project.file()) {
            return self.goes_in(image, &change.path);
        }
        let before = self.definition(image, &change.before);
        before != self.definition(image, &change.after)
    }

    pub fn goes_in(&self, image: &Image, path: &Path) -> bool {
        let Some(Ok(Sources { ignore, .. })) = self.contexts.get(&image.name) else { return false };
        let within = |folder: &Path| path.strip_prefix(folder).ok().and_then(Path::to_str).map(str::to_owned);
        let is_own = path == image.dockerfile
            || path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".dockerignore"))
                && path.starts_with(&image.folder);
        is_own
            || within(&image.folder).is_some_and(|path| ignore.admits(&path))
            || additional_folders(image).any(|(_, folder)| within(Path::new(folder)).is_some())
    }

    /// How the text with this id, or none, has it that the image is built.
    pub fn definition(&mut self, image: &Image, id: &str) -> Option<BTreeMap<String, String>> {
        if !self.definitions.contains_key(id) {
            let definitions = self.texts.get(id).map(|text| self.definitions(text)).unwrap_or_default();
            self.definitions.insert(id.to_owned(), definitions);
        }
        self.definitions.get(id)?.get(&image.name).cloned()
    }

    /// With today's variables. A text that isn't a compose file, or an older xtask's, defines nothing.
    fn definitions(&self, text: &str) -> Definitions {
        let Project { root, environment, vars, .. } = self.project;
        let then = Project::parse(root, *environment, vars.clone(), text, String::new());
        let images = then.map(|project| project.images).unwrap_or_default();
        images.into_iter().map(|image| (image.name, image.definition)).collect()
    }

    /// Is something of what the image is made of, less its bases, not as the last commit has it?
    fn are_uncommitted(&mut self, image: &Image, history: &History) -> bool {
        let compose = Path::new(self.project.file());
        let uncommitted = &history.uncommitted;
        if uncommitted.iter().any(|path| path != compose && self.goes_in(image, path)) {
            return true;
        }
        let changes = history.commits.iter().flat_map(|commit| &commit.changes);
        let last = changes.filter(|change| change.path == compose).map(|change| change.after.clone()).next();
        uncommitted.iter().any(|path| path == compose)
            && last.is_none_or(|last| self.definition(image, &last).as_ref() != Some(&image.definition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use project::{Environment, vars::Vars};

    fn commit(id: &str, changes: &[(&str, &str, &str)]) -> Commit {
        let change = |(path, before, after): &(&str, &str, &str)| Change {
            path: (*path).into(),
            before: (*before).to_owned(),
            after: (*after).to_owned(),
        };
        Commit { id: id.to_owned(), time: "T".to_owned(), is_cut: false, changes: changes.iter().map(change).collect() }
    }

    /// The revisions of python-base and fastapi-serve after these commits, the newest first.
    fn revisions_of(commits: Vec<Commit>, uncommitted: &[&str], texts: &[(&str, &str)]) -> [Option<String>; 2] {
        let mut family = testing::family();
        let project = family.facts.project(Environment::Dev, Vars::default()).unwrap();
        family.facts.contexts = testing::contexts(&project, &family.facts.files);
        let ignore = identity::ignore::Ignore::parse("*\n!poetry.lock\n!pyproject.toml").unwrap();
        for sources in family.facts.contexts.values_mut().flatten() {
            sources.ignore = ignore.clone();
        }
        let today = family.facts.files.text(project.file()).unwrap().unwrap().to_owned();
        let mut texts: BTreeMap<String, String> = texts
            .iter()
            .map(|(id, change)| ((*id).to_owned(), today.replace("./images/fastapi-serve\n", change)))
            .collect();
        texts.insert("today".to_owned(), today);
        let uncommitted = uncommitted.iter().map(Into::into).collect();
        let history = History { commits, uncommitted, texts };
        family.facts.git = Git::Clone { remotes: Vec::new(), history };
        let names = ["python-base", "fastapi-serve"].map(|name| name.parse::<ImageName>().unwrap());
        let found = revisions(&project, &family.facts, &names).unwrap();
        names.map(|name| {
            let Revision { commit, is_cut, .. } = found.get(&name)?;
            Some(format!("{commit}{}", if *is_cut { " (cut)" } else { "" }))
        })
    }

    const COMPOSE: &str = "docker-compose.dev.yaml";

    fn all() -> Commit {
        commit("1", &[("images/python-base/Dockerfile", "0", "a"), ("images/fastapi-serve/Dockerfile", "0", "b")])
    }

    fn some(one: &str, other: &str) -> [Option<String>; 2] {
        [Some(one.to_owned()), Some(other.to_owned())]
    }

    #[test]
    fn the_last_commit_that_changed_what_goes_in() {
        for (path, expected) in [
            ("README.md", some("1", "1")),
            ("images/python-base/README.md", some("1", "1")),
            ("images/python-base/tests/test_x.py", some("1", "1")),
            ("images/fastapi-serve/poetry.lock", some("1", "2")),
            // What a base or a helper is made of goes in as well.
            ("images/python-base/pyproject.toml", some("2", "2")),
            ("images/build-tools/Dockerfile", some("2", "2")),
            ("images/fastapi-serve/.dockerignore", some("1", "2")),
            ("images/fastapi-serve/Dockerfile.dockerignore", some("1", "2")),
        ] {
            let commits = vec![commit("2", &[(path, "x", "y")]), all()];
            assert_eq!(revisions_of(commits, &[], &[]), expected, "{path}");
        }
    }

    #[test]
    fn of_the_compose_file_only_the_image_s_own_definition_counts() {
        let comment = ("comment", "./images/fastapi-serve # as ever\n");
        let other = ("other", "./images/fastapi-serve\n      network: none\n");
        for (before, expected) in [("comment", some("1", "1")), ("other", some("1", "2")), ("lost", some("2", "2"))] {
            let commits = vec![commit("2", &[(COMPOSE, before, "today")]), all()];
            assert_eq!(revisions_of(commits, &[], &[comment, other]), expected, "{before}");
        }
    }

    #[test]
    fn what_is_not_committed_is_said() {
        let first = || vec![all(), commit("0", &[(COMPOSE, "", "other")])];
        for (path, after, expected) in [
            ("images/fastapi-serve/README.md", "today", some("1", "1")),
            ("images/fastapi-serve/pyproject.toml", "today", some("1", "1-dirty")),
            ("images/python-base/poetry.lock", "today", some("1-dirty", "1-dirty")),
            (COMPOSE, "today", some("1", "1")),
            (COMPOSE, "other", some("1", "1-dirty")),
        ] {
            let mut commits = first();
            commits[1].changes[0].after = after.to_owned();
            let texts = [("other", "./images/fastapi-serve\n      network: none\n")];
            assert_eq!(revisions_of(commits, &[path], &texts), expected, "{path} {after}");
        }
    }

    #[test]
    fn what_differs_from_a_commit() {
        let project = testing::family().facts.project(Environment::Dev, Vars::default()).unwrap();
        let contexts = testing::contexts(&project, &testing::family().facts.files);
        let today = testing::family().facts.files.text(project.file()).unwrap().unwrap().to_owned();
        let then = today.replace("./images/fastapi-serve\n", "./images/fastapi-serve\n      network: none\n");
        let texts = BTreeMap::from([("today".to_owned(), today), ("then".to_owned(), then)]);
        let changed = |path: &str, before: &str, untracked: &[&str]| -> Vec<String> {
            let changes = commit("", &[(path, before, "")]).changes;
            let untracked = untracked.iter().map(Into::into).collect();
            let difference = Difference { changes, untracked, texts: texts.clone() };
            changed(&project, &contexts, &difference).unwrap().iter().map(ToString::to_string).collect()
        };
        let all = ["build-tools", "fastapi-serve", "kubeflow-a", "kubeflow-b", "python-base"];
        assert_eq!(changed("README.md", "x", &["images/x"]), [""; 0]);
        assert_eq!(changed("images/fastapi-serve/gone", "x", &[]), ["fastapi-serve"]);
        assert_eq!(changed("images/build-tools/Dockerfile", "x", &[]), all);
        assert_eq!(
            changed("README.md", "x", &["images/python-base/new"]),
            ["fastapi-serve", "kubeflow-a", "python-base"]
        );
        assert_eq!(changed(COMPOSE, "today", &[]), [""; 0]);
        assert_eq!(changed(COMPOSE, "then", &[]), ["fastapi-serve"]);
        assert_eq!(changed(COMPOSE, "lost", &[]), all);
    }

    #[test]
    fn a_shallow_clone_s_end_is_only_the_oldest_commit_known() {
        let mut cut = all();
        cut.is_cut = true;
        let commits = vec![commit("2", &[("images/fastapi-serve/poetry.lock", "x", "y")]), cut];
        assert_eq!(revisions_of(commits, &[], &[]), some("1 (cut)", "2"));
        assert_eq!(revisions_of(Vec::new(), &[], &[]), [None, None]);
    }
}
