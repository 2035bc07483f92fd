//! The repository as a value: read from the compose files and the folders, checked, and never changed from here.

mod assemble;
pub mod compose;
pub mod coupling;
mod dockerfile;
mod dotenv;
mod env_files;
mod environment;
pub mod error;
pub mod family;
pub mod files;
mod forms;
mod graph;
mod image;
mod interpolate;
mod lines;
pub mod lockfile;
mod marker;
pub mod package;
mod parallel;
pub mod pin;
pub mod pyproject;
pub mod python;
mod reference;
mod selection;
#[cfg(test)]
mod testing;
pub mod vars;

use assemble::Assembled;
use compose::ComposeFile;
use dockerfile::Dockerfile;
pub use environment::{Environment, find_root, read_vars};
use error::Fault;
use files::{Entry, Files, Wanted};
use forms::check_vars;
pub use image::{Base, Image, NamedBy, Origin};
pub use package::PackageName;
pub use reference::{ImageName, ImageRef};
use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};
use vars::Vars;

/// The repository, seen through one compose file.
#[derive(Debug, Clone)]
pub struct Project {
    pub root: PathBuf,
    pub environment: Environment,
    pub vars: Vars,
    /// What compose calls the project: images that it builds bear this name.
    pub compose_name: String,
    pub images: Vec<Image>,
    /// Other people's images: the service, and what it names.
    pub externals: Vec<(String, ImageRef)>,
    /// Where a commit was named to compare with: the images that are made of other inputs than in it.
    pub changed: Option<BTreeSet<ImageName>>,
    /// The other environment's file: a name that is only there is not a typo.
    other_file: String,
    index: HashMap<ImageName, usize>,
}

impl Project {
    /// Reads the environment's compose file.
    ///
    /// # Errors
    /// It can't be read, or is wrong: the file, and the line where it is known.
    pub fn load(root: &Path, environment: Environment, vars: Vars) -> Result<Project, Fault> {
        check_vars(&vars)?;
        let path = root.join(environment.file());
        let text = fs::read_to_string(&path).map_err(|e| {
            Fault::project(format!("reading {}: {e}", path.display()))
                .help("restore it from git; both compose files belong to the repository")
        })?;
        let other = fs::read_to_string(root.join(environment.other().file())).unwrap_or_default();
        Project::parse(root, environment, vars, &text, other)
    }

    /// The project of a compose file with this text; `other` is the text of the other environment's file.
    ///
    /// # Errors
    /// The file, and the line where it is known.
    pub fn parse(
        root: &Path,
        environment: Environment,
        vars: Vars,
        text: &str,
        other: String,
    ) -> Result<Project, Fault> {
        check_vars(&vars)?;
        let path = root.join(environment.file());
        let file = ComposeFile::parse(&path, text, &vars)?;
        let Assembled { images, externals, index } = assemble::assemble(root, &file).map_err(|(keys, fault)| {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let at = compose::at(compose::nearest_line(text, &keys));
            Fault { what: format!("reading {}{at}: {}", path.display(), fault.what), ..fault }
        })?;
        let folder = || root.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let given = vars.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).map(str::to_owned);
        let compose_name = given.or(file.name).unwrap_or_else(folder);
        Ok(Project {
            root: root.to_owned(),
            environment,
            vars,
            compose_name,
            images,
            externals,
            changed: None,
            other_file: other,
            index,
        })
    }

    /// The compose file, relative to the root.
    pub fn file(&self) -> &'static str {
        self.environment.file()
    }

    /// Is the image among those that are meant, where only what has changed is?
    pub fn is_meant(&self, name: &ImageName) -> bool {
        self.changed.as_ref().is_none_or(|changed| changed.contains(name))
    }

    /// The images that are published, in the order of the compose file.
    pub fn family(&self) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(|image| !image.helper)
    }

    pub fn image(&self, name: &ImageName) -> Result<&Image, Fault> {
        self.position(name).map(|i| &self.images[i])
    }

    /// As `image`, where its absence is not a fault.
    pub fn find(&self, name: &ImageName) -> Option<&Image> {
        self.index.get(name).map(|i| &self.images[*i])
    }

    fn position(&self, name: &ImageName) -> Result<usize, Fault> {
        self.index.get(name).copied().ok_or_else(|| self.unknown(name.as_str()))
    }

    /// What an image is built from, less the helpers: what it is built on first.
    pub fn standing_on<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = &'a ImageRef> {
        self.not_helpers(image).map(|base| &base.reference)
    }

    /// The image of the family that an image is built on, at the very tag that is being built.
    pub fn base<'a>(&'a self, image: &'a Image) -> Option<&'a Image> {
        match &self.not_helpers(image).next()?.origin {
            Origin::Family(name) => self.image(name).ok(),
            Origin::Pinned(_) | Origin::External => None,
        }
    }

    fn not_helpers<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = &'a Base> {
        let helps = |base: &&'a Base| match &base.origin {
            Origin::Family(name) => self.image(name).is_ok_and(|image| image.helper),
            Origin::Pinned(_) | Origin::External => false,
        };
        image.bases.iter().filter(move |base| !helps(base))
    }

    /// The files that `check_stages` and `dockerfile` read.
    pub fn dockerfiles<'a>(images: impl IntoIterator<Item = &'a Image>) -> Wanted {
        Wanted::files(images.into_iter().map(|image| &image.dockerfile))
    }

    /// Does every image's Dockerfile have the stage that is to be built?
    ///
    /// # Errors
    /// The first that doesn't, or that can't be read.
    pub fn check_stages(&self, images: &[&Image], files: &Files) -> Result<(), Fault> {
        let check = |image: &&Image| image.check_stage(&self.dockerfile(image, files)?);
        parallel::map(images, check).into_iter().collect()
    }

    /// The image's Dockerfile.
    ///
    /// # Errors
    /// It can't be read.
    pub fn dockerfile(&self, image: &Image, files: &Files) -> Result<Dockerfile, Fault> {
        match files.entry(&image.dockerfile)? {
            Entry::File(file) => Ok(Dockerfile::parse(&file.text)),
            other => Err(self.no_dockerfile(image, other, files)),
        }
    }

    fn no_dockerfile(&self, image: &Image, entry: &Entry, files: &Files) -> Fault {
        let (what, why) = match entry {
            Entry::Missing if !files.has(&image.folder) => (&image.folder, "no such folder"),
            Entry::Unreadable(why) => (&image.dockerfile, why.as_str()),
            Entry::Folder => (&image.dockerfile, "it is a folder"),
            Entry::File(_) | Entry::Missing => (&image.dockerfile, "no such file"),
        };
        let what = self.root.join(what);
        Fault::project(format!("reading the Dockerfile of {}: {}: {why}", image.name, what.display())).help(format!(
            "add it, or correct build: of {} in {}",
            image.name,
            self.file()
        ))
    }
}
