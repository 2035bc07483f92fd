//! Which suite it is that passes: one hash of how compose runs it and of every file that it is made of.

use crate::{
    context::{self, Entry},
    hash::{Hash, hash},
    ignore::Ignore,
};
use project::{
    Image, Project,
    error::{Cause, Fault},
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Begins what is hashed: other rules give other hashes.
const RULES: &str = "core-images suite 1";
/// What every suite runs with. pytest's own pins are among the shared tests.
const SHARED: [&str; 3] = ["images/conftest.py", "images/pytest.ini", "images/common/tests"];
const TESTS: &str = "tests";
/// What a run of the tests leaves behind.
const LEFT_BEHIND: &str = "**/__pycache__\n**/*.pyc\n**/.pytest_cache\n";
/// Where a suite's container has the folder `images`.
const MOUNTED: &str = "/images/";

/// The hash of an image's suite: its service, without the image, the stage and the hardware that is demanded; the tests
/// of the image and of its bases; and what these name of other files.
///
/// # Errors
/// A file can't be read.
pub fn suite(project: &Project, image: &Image) -> Result<Hash, Fault> {
    let mut text = format!("{RULES}\n{}", image.suite_definition);
    for (path, entry) in files(project, image)? {
        let _ = write!(text, "\n{:?} {entry}", path.display().to_string());
    }
    Ok(hash(text.as_bytes()))
}

fn files(project: &Project, image: &Image) -> Result<BTreeMap<PathBuf, Entry>, Fault> {
    let ignore = Ignore::parse(LEFT_BEHIND);
    let ignore = ignore.map_err(|(_, why)| Fault::new(Cause::Internal, format!("what tests leave behind: {why}")))?;
    let mut files = Files { root: &project.root, ignore, found: BTreeMap::new(), unread: Vec::new() };
    let names = [image.name.clone()];
    let line: Vec<&Image> = project.with_bases(&names)?.into_iter().filter(|image| !image.helper).collect();
    for path in SHARED {
        files.take(Path::new(path))?;
    }
    for image in &line {
        files.take(&image.folder.join(TESTS))?;
    }
    for path in mentioned(&image.suite_definition) {
        files.take(&path)?;
    }
    // What a test reads it names: by its path in the container, or by its name in the folder of an image.
    while let Some(text) = files.unread.pop() {
        for path in mentioned(&text) {
            // Python finds there what it imports; the folders below are for whoever names them.
            for below in files.listed(&path)? {
                files.take_file(&below)?;
            }
            files.take_file(&path)?;
        }
        for image in &line {
            for path in files.listed(&image.folder)? {
                let name = path.file_name().and_then(|name| name.to_str());
                if name.is_some_and(|name| text.contains(name)) {
                    files.take(&path)?;
                }
            }
        }
    }
    Ok(files.found)
}

/// The paths, below the root, that a text names as the container has them.
fn mentioned(text: &str) -> Vec<PathBuf> {
    let ends = |c: char| !(c.is_alphanumeric() || "._-/".contains(c));
    let names = text.split(MOUNTED).skip(1).map(|rest| rest.split(ends).next().unwrap_or_default());
    let names = names.filter(|name| !name.is_empty() && !name.split('/').any(|part| part == ".."));
    names.map(|name| Path::new("images").join(name.trim_end_matches(['/', '.']))).collect()
}

struct Files<'a> {
    root: &'a Path,
    ignore: Ignore,
    found: BTreeMap<PathBuf, Entry>,
    /// What programs say, until it is known which files they name.
    unread: Vec<String>,
}

impl Files<'_> {
    /// A file, or a folder with all that is below; nothing where nothing is.
    fn take(&mut self, path: &Path) -> Result<(), Fault> {
        let folder = self.root.join(path);
        if !folder.is_dir() {
            return self.take_file(path);
        }
        for (below, entry) in context::read(&folder, &self.ignore)? {
            self.add(path.join(below), entry)?;
        }
        Ok(())
    }

    fn take_file(&mut self, path: &Path) -> Result<(), Fault> {
        let file = self.root.join(path);
        match fs::metadata(&file) {
            Ok(found) if found.is_file() && file.extension().is_none_or(|ending| ending != "pyc") => {
                self.add(path.to_owned(), context::entry(&file, found.file_type())?)
            }
            Ok(_) => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
            Err(e) => Err(Fault::io("reading", &file, &e)),
        }
    }

    fn add(&mut self, path: PathBuf, entry: Entry) -> Result<(), Fault> {
        // git knows no folders: one may be left where another branch had files.
        if entry == Entry::Folder || self.found.contains_key(&path) {
            return Ok(());
        }
        let is_program = matches!(entry, Entry::File { executable: true, .. });
        if is_program || path.extension().is_some_and(|ending| ending == "py") {
            let file = self.root.join(&path);
            let bytes = fs::read(&file).map_err(|e| Fault::io("reading", &file, &e))?;
            self.unread.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        self.found.insert(path, entry);
        Ok(())
    }

    /// What is directly in a folder; nothing where there is none.
    fn listed(&self, path: &Path) -> Result<Vec<PathBuf>, Fault> {
        let folder = self.root.join(path);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let failed = |e: io::Error| Fault::io("reading the folder", &folder, &e);
        let entries = fs::read_dir(&folder).map_err(failed)?;
        entries.map(|entry| Ok(path.join(entry.map_err(failed)?.file_name()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use project::{Environment, ImageName, vars::Vars};

    const COMPOSE: &str = "
x-tests: &tests
  environment: {STAGE: '${TARGET_BUILD_STAGE:-production}', REQUIRE_HARDWARE: '${REQUIRE_HARDWARE:-}', IMAGE_INSPECT: , PROXY: }
  runtime: ${GPU_RUNTIME:-runc}
services:
  base:
    image: ${REGISTRY:-r.io}/base:${IMAGE_TAG:-1}
    build: {context: images/base, args: {DEBIAN_IMAGE: 'debian:13'}}
  base-tests:
    <<: *tests
    image: ${REGISTRY:-r.io}/base:${IMAGE_TAG:-1}
    command: [pytest, /images/common/tests, /images/base/tests]
  child:
    image: ${REGISTRY:-r.io}/child:${IMAGE_TAG:-1}
    build: {context: images/child, args: {BASE_IMAGE: '${REGISTRY:-r.io}/base:${IMAGE_TAG:-1}'}}
  child-tests:
    <<: *tests
    image: ${REGISTRY:-r.io}/child:${IMAGE_TAG:-1}
    command: [/images/common/more/suite, /images/common/more, /images/child/tests]
";

    fn repository() -> xshell::TempDir {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        for (path, text) in [
            ("images/conftest.py", "(folder / 'poetry.lock').read_text()"),
            ("images/pytest.ini", ""),
            ("images/common/s3.py", ""),
            ("images/common/tests/requirements.txt", "pytest==1"),
            ("images/common/tests/test_s3.py", "sys.path.append('/images/common')"),
            ("images/common/more/suite", ""),
            ("images/common/more/test_more.py", ""),
            ("images/common/none/test_none.py", ""),
            ("images/base/Dockerfile", ""),
            ("images/base/poetry.lock", ""),
            ("images/base/README.md", ""),
            ("images/base/tests/test_base.py", "open('/images/tools/pins.txt')"),
            ("images/tools/pins.txt", ""),
            ("images/tools/Dockerfile", ""),
            ("images/child/Dockerfile", ""),
            ("images/child/README.md", ""),
            ("images/child/example/app.txt", ""),
            ("images/child/tests/test_child.py", "image.folder / 'example'"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// The hashes of the suites of `base` and `child`.
    fn of(root: &Path, compose: &str, vars: &[(&str, &str)]) -> [Hash; 2] {
        let process = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let vars = Vars { process, ..Vars::default() };
        let project = Project::parse(root, Environment::Ci, vars, compose, String::new()).unwrap();
        ["base", "child"]
            .map(|name| suite(&project, project.image(&name.parse::<ImageName>().unwrap()).unwrap()).unwrap())
    }

    #[test]
    fn each_file_that_a_suite_is_made_of_counts_and_no_other() {
        let folder = repository();
        let now = || of(folder.path(), COMPOSE, &[]);
        let first = now();
        let changed = || [0, 1].map(|i| now()[i] != first[i]);
        for (path, of_base, of_child) in [
            ("images/conftest.py", true, true),
            ("images/pytest.ini", true, true),
            ("images/common/s3.py", true, true),
            ("images/common/tests/requirements.txt", true, true),
            ("images/common/tests/test_s3.py", true, true),
            ("images/common/more/suite", false, true),
            ("images/common/more/test_more.py", false, true),
            ("images/common/none/test_none.py", false, false),
            ("images/base/poetry.lock", true, true),
            ("images/base/README.md", false, false),
            ("images/base/tests/test_base.py", true, true),
            ("images/tools/pins.txt", true, true),
            ("images/tools/Dockerfile", false, false),
            ("images/child/README.md", false, false),
            ("images/child/example/app.txt", false, true),
            ("images/child/tests/test_child.py", false, true),
        ] {
            let path = folder.path().join(path);
            let before = fs::read(&path).unwrap();
            fs::write(&path, [&before[..], b"#"].concat()).unwrap();
            assert_eq!(changed(), [of_base, of_child], "{}", path.display());
            fs::write(&path, before).unwrap();
            assert_eq!(changed(), [false, false], "{}", path.display());
        }
        // A new test counts, what a run leaves behind doesn't.
        for (path, counts) in [
            ("images/base/tests/test_new.py", true),
            ("images/base/tests/__pycache__/test_base.pyc", false),
            ("images/common/tests/a/__pycache__/b.pyc", false),
            ("images/common/__pycache__/s3.pyc", false),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            assert_eq!(changed(), [counts, counts], "{}", path.display());
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn how_compose_runs_it_counts_but_what_the_record_names_does_not() {
        let folder = repository();
        let first = of(folder.path(), COMPOSE, &[]);
        for same in ["IMAGE_TAG", "TARGET_BUILD_STAGE", "REQUIRE_HARDWARE", "IMAGE_INSPECT"] {
            assert_eq!(of(folder.path(), COMPOSE, &[(same, "x")]), first, "{same}");
        }
        assert_eq!(of(folder.path(), &COMPOSE.replace(":-production", ":-development"), &[]), first);
        for other in ["GPU_RUNTIME", "PROXY"] {
            let now = of(folder.path(), COMPOSE, &[(other, "x")]);
            assert!(now[0] != first[0] && now[1] != first[1], "{other}");
        }
        let command = of(folder.path(), &COMPOSE.replace("[pytest,", "[pytest, -x,"), &[]);
        assert!(command[0] != first[0] && command[1] == first[1]);
    }
}
