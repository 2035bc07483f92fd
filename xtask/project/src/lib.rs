//! The repository as a value: read from the compose files and the folders, checked, and never changed from here.

pub mod compose;
pub mod coupling;
mod dockerfile;
mod dotenv;
mod env_files;
pub mod error;
pub mod family;
pub mod files;
mod graph;
mod image;
mod interpolate;
mod lines;
pub mod lockfile;
pub mod package;
mod parallel;
pub mod pin;
pub mod pyproject;
pub mod python;
#[cfg(test)]
mod testing;
pub mod vars;

use anyhow::Result;
use compose::{About, Build, ComposeFile, Service};
use dockerfile::Dockerfile;
use env_files::{EnvFiles, env_files};
use error::{Cause, Fault};
use files::{Entry, Files, Wanted};
pub use image::{ImageName, ImageRef};
pub use package::PackageName;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt, fs, io,
    path::{Path, PathBuf},
};
use vars::Vars;

/// The profile of services that help to build and are never published.
const TOOLS_PROFILE: &str = "tools";
/// The profile of services that name somebody else's image, so that a bot finds it where it looks.
const EXTERNAL_PROFILE: &str = "external";
/// Ends the build arguments that say where a vendor's wheels come from.
const INDEX_SUFFIX: &str = "_INDEX";
/// What the suite's service is called, after its image.
const SUITE_SUFFIX: &str = "-tests";

/// Which compose file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Dev,
    Ci,
}

impl Environment {
    pub fn file(self) -> &'static str {
        match self {
            Environment::Dev => "docker-compose.dev.yaml",
            Environment::Ci => "docker-compose.ci.yaml",
        }
    }

    pub fn other(self) -> Environment {
        match self {
            Environment::Dev => Environment::Ci,
            Environment::Ci => Environment::Dev,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Environment::Dev => "dev",
            Environment::Ci => "ci",
        })
    }
}

/// One image of the family, or a helper that the family is built with.
#[derive(Debug, Clone)]
pub struct Image {
    pub name: ImageName,
    pub reference: ImageRef,
    /// The Dockerfile's stage that is built.
    pub stage: Option<String>,
    /// Below the root.
    pub folder: PathBuf,
    pub dockerfile: PathBuf,
    pub bases: Vec<Base>,
    /// Where it gets what only a vendor's own index has: the build argument `*_INDEX`, and its value.
    pub indexes: Vec<(String, String)>,
    pub about: Option<About>,
    /// Never published, and left out of `--all`.
    pub helper: bool,
    /// The service that runs its tests.
    pub suite: Option<String>,
    pub ports: Vec<u16>,
    /// How compose builds it: each value by the path of its keys, such as `args.BASE_IMAGE`.
    pub definition: BTreeMap<String, String>,
}

/// An image that an image is built from, as a build argument names it.
#[derive(Debug, Clone)]
pub struct Base {
    pub argument: String,
    pub reference: ImageRef,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A service of this file, at the tag that is being built.
    Family(ImageName),
    /// A service of this file at another tag: used as it is.
    Pinned(ImageName),
    /// Somebody else's image.
    External,
}

/// The repository, seen through one compose file.
#[derive(Debug, Clone)]
pub struct Project {
    pub root: PathBuf,
    pub environment: Environment,
    pub vars: Vars,
    pub images: Vec<Image>,
    /// Other people's images: the service, and what it names.
    pub externals: Vec<(String, ImageRef)>,
    /// The other environment's file: a name that is only there is not a typo.
    other_file: String,
    index: HashMap<ImageName, usize>,
}

/// The root: the nearest folder, from `start` upwards, that holds a compose file of ours.
pub fn find_root(start: &Path) -> Result<PathBuf, Fault> {
    let is_root =
        |dir: &&Path| dir.join(Environment::Dev.file()).is_file() || dir.join(Environment::Ci.file()).is_file();
    start.ancestors().find(is_root).map(Path::to_owned).ok_or_else(|| {
        Fault::usage(format!(
            "looking for {} in {} and the folders above it: none there",
            Environment::Dev.file(),
            start.display()
        ))
        .help("cd into a clone of the repository, then try again")
    })
}

/// Reads the variables' layers: flags, the environment, and the files that compose reads, too. `here` is the current
/// folder.
///
/// # Errors
/// A file can't be read, or has a line that compose refuses.
pub fn read_vars(
    root: &Path,
    here: &Path,
    flags: BTreeMap<String, String>,
    process: BTreeMap<String, String>,
) -> Result<Vars, Fault> {
    let mut dotenv = BTreeMap::new();
    match env_files(root, here, &process)? {
        EnvFiles::Default(path) => match fs::read(&path) {
            Ok(bytes) => dotenv.extend(variables_of(&path, &bytes, &process)?),
            // Compose ignores a folder of that name.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            Err(e) => return Err(Fault::io("reading", &path, &e)),
        },
        EnvFiles::Named(paths) => {
            for path in paths {
                let bytes = fs::read(&path).map_err(|e| {
                    Fault::usage(format!("COMPOSE_ENV_FILES: reading {}: {e}", path.display()))
                        .help("correct COMPOSE_ENV_FILES, or unset it")
                })?;
                // What is above, in an earlier file, too, may be used further down.
                let above = dotenv.clone().into_iter().chain(process.clone()).collect();
                dotenv.extend(variables_of(&path, &bytes, &above)?);
            }
        }
    }
    Ok(Vars { flags, process, dotenv })
}

/// The variables of an env file. Compose doesn't mind the encoding of comments.
fn variables_of(
    path: &Path,
    bytes: &[u8],
    above: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    dotenv::parse(&String::from_utf8_lossy(bytes), above).map_err(|(line, why)| {
        Fault::project(format!("reading {}:{line}: {why}", path.display()))
            .help("correct the line: docker compose refuses it, too")
    })
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
        Project::new(root, environment, vars, &file, other).map_err(|(keys, fault)| {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let at = compose::at(compose::line_of(text, &keys));
            Fault { what: format!("reading {}{at}: {}", path.display(), fault.what), ..fault }
        })
    }

    /// Makes images of services: first those that build, then what is said of them. An error comes with the keys in the
    /// file that it is about.
    fn new(
        root: &Path,
        environment: Environment,
        vars: Vars,
        file: &ComposeFile,
        other_file: String,
    ) -> Result<Project, (Vec<String>, Fault)> {
        let built: Vec<(&Service, &Build)> =
            file.services.iter().filter_map(|service| Some((service, service.build.as_ref()?))).collect();
        let named =
            parallel::map(&built, |(service, build)| named(service, build).map_err(|fault| (keys(service), fault)));
        let named: Vec<(ImageName, ImageRef)> = named.into_iter().collect::<Result<_, _>>()?;
        let index: HashMap<ImageName, usize> =
            named.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        let (mut externals, mut suites) = (Vec::new(), HashSet::new());
        for service in file.services.iter().filter(|service| service.build.is_none()) {
            match without_build(service, &index).map_err(|fault| (keys(service), fault))? {
                Some(reference) => externals.push((service.name.clone(), reference)),
                None => {
                    suites.insert(service.name.as_str());
                }
            }
        }
        let known: Vec<_> = built.into_iter().zip(&named).collect();
        let images = parallel::map(&known, |((service, build), (name, reference))| {
            let suite = format!("{name}{SUITE_SUFFIX}");
            let suite = suites.contains(suite.as_str()).then_some(suite);
            Ok(Image { bases: bases(name, build, &named, &index)?, suite, ..image(name, reference, service, build) })
        });
        let images: Vec<Image> = images.into_iter().collect::<Result<_, _>>()?;
        Ok(Project { root: root.to_owned(), environment, vars, images, externals, other_file, index })
    }

    /// The compose file, relative to the root.
    pub fn file(&self) -> &'static str {
        self.environment.file()
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

    /// What an image is built from, less the helpers: what it stands on first.
    pub fn standing_on<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = &'a ImageRef> {
        self.not_helpers(image).map(|base| &base.reference)
    }

    /// The image of the family that an image stands on, at the very tag that is being built.
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

    /// The images that `patterns` (names, or globs with `*` and `?`) mean, in the order of the compose file.
    pub fn select(&self, patterns: &[String], all: bool) -> Result<Vec<ImageName>, Fault> {
        let mut wanted = vec![false; self.images.len()];
        for pattern in patterns {
            if !pattern.contains(['*', '?']) {
                let name = pattern
                    .parse()
                    .map_err(|why: String| Fault::usage(why).help("`cargo xtask list` shows the images"))?;
                wanted[self.position(&name)?] = true;
                continue;
            }
            let before = wanted.iter().filter(|w| **w).count();
            for (image, wanted) in self.images.iter().zip(&mut wanted).filter(|(image, _)| !image.helper) {
                *wanted |= glob_matches(pattern, image.name.as_str());
            }
            if wanted.iter().filter(|w| **w).count() == before
                && !self.family().any(|i| glob_matches(pattern, i.name.as_str()))
            {
                return Err(self.unknown(pattern));
            }
        }
        let chosen = self.images.iter().zip(wanted).filter(|(image, wanted)| *wanted || (all && !image.helper));
        let chosen: Vec<ImageName> = chosen.map(|(image, _)| image.name.clone()).collect();
        if chosen.is_empty() {
            return Err(Fault::usage("no image named").help("name images, a glob such as 'kubeflow-*', or --all"));
        }
        Ok(chosen)
    }

    fn unknown(&self, name: &str) -> Fault {
        let names: Vec<&str> = self.family().map(|image| image.name.as_str()).collect();
        let other = self.environment.other().file();
        if compose::line_of(&self.other_file, &["services", name]).is_some() {
            return Fault::new(Cause::Project, format!("image {name} stands in {other}, but not in {}", self.file()))
                .help(format!("add the service to {} as well, then run `cargo xtask check`", self.file()));
        }
        let near =
            names.iter().map(|known| (strsim::jaro_winkler(name, known), *known)).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint =
            near.filter(|(score, _)| *score > 0.8).map_or(String::new(), |(_, near)| format!("did you mean {near}? "));
        Fault::usage(format!("no image {name} in {}", self.file()))
            .help(format!("{hint}the images are: {}", names.join(", ")))
    }

    /// The files that `check_stages` and `dockerfile` read.
    pub fn dockerfiles<'a>(images: impl IntoIterator<Item = &'a Image>) -> Wanted {
        Wanted::files(images.into_iter().flat_map(|image| [&image.folder, &image.dockerfile]))
    }

    /// Does every image's Dockerfile have the stage that is to be built?
    ///
    /// # Errors
    /// The first that doesn't, or that can't be read.
    pub fn check_stages(&self, images: &[&Image], files: &Files) -> Result<(), Fault> {
        parallel::map(images, |image| self.dockerfile(image, files).map(drop)).into_iter().collect()
    }

    /// The image's Dockerfile, which has the stage that is to be built.
    ///
    /// # Errors
    /// It can't be read, or lacks the stage.
    pub fn dockerfile(&self, image: &Image, files: &Files) -> Result<Dockerfile, Fault> {
        let parsed = match files.entry(&image.dockerfile)? {
            Entry::File(file) => Dockerfile::parse(&file.text),
            other => return Err(self.no_dockerfile(image, other, files)),
        };
        match &image.stage {
            Some(stage) if !parsed.stages.contains(stage) => Err(Fault::usage(format!(
                "{} has no stage '{stage}'; its stages are: {}",
                image.dockerfile.display(),
                parsed.stages.join(", ")
            ))
            .help("set TARGET_BUILD_STAGE (or --target-build-stage) to one of them")),
            _ => Ok(parsed),
        }
    }

    fn no_dockerfile(&self, image: &Image, entry: &Entry, files: &Files) -> Fault {
        let (what, why) = match entry {
            _ if !files.has(&image.folder) => (&image.folder, "no such folder"),
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

/// Where a service stands in its file.
fn keys(service: &Service) -> Vec<String> {
    vec!["services".to_owned(), service.name.clone()]
}

/// The image that a service builds.
fn named(service: &Service, build: &Build) -> Result<(ImageName, ImageRef), Fault> {
    for (argument, url) in build.args.iter().filter(|(argument, _)| argument.ends_with(INDEX_SUFFIX)) {
        without_credentials(&service.name, argument, url)?;
    }
    let name: ImageName =
        service.name.parse().map_err(|why: String| Fault::project(why).help("rename the service and its folder"))?;
    let reference = service.image.as_deref().ok_or_else(|| {
        Fault::project(format!("service {name} has no image:")).help("give it image: <registry>/<its name>:<tag>")
    })?;
    let reference: ImageRef = reference.parse().map_err(|why| {
        Fault::project(format!("service {name}: image: {why}")).help("mend the reference or the variable")
    })?;
    if reference.name() != name.as_str() {
        let what = format!("service {name} builds {reference}: the repository must bear the service's name");
        return Err(Fault::project(what).help("an image's folder, service and repository have one name"));
    }
    Ok((name, reference))
}

/// What a service is that builds nothing: somebody else's image, else a suite.
fn without_build(service: &Service, images: &HashMap<ImageName, usize>) -> Result<Option<ImageRef>, Fault> {
    let name = &service.name;
    if service.profiles.iter().any(|profile| profile == EXTERNAL_PROFILE) {
        let reference = service.image.as_deref().unwrap_or_default().parse();
        return reference.map(Some).map_err(|why| {
            Fault::project(format!("service {name}: image: {why}")).help("name the image, with its tag")
        });
    }
    let Some(image) = name.strip_suffix(SUITE_SUFFIX) else {
        return Err(Fault::project(format!("service {name} has no build:, and is no suite"))
            .help("give it a build: with its folder under images/ as context"));
    };
    if !images.contains_key(image) {
        return Err(Fault::project(format!("suite {name} is for the image {image}, which no service builds"))
            .help("add the image's service, or remove the suite"));
    }
    let runs = service.image.as_deref().and_then(|image| image.parse::<ImageRef>().ok());
    match runs {
        Some(reference) if reference.name() == image => Ok(None),
        _ => Err(Fault::project(format!("suite {name} doesn't run in the image {image}"))
            .help("give it the same image: as the image's own service")),
    }
}

/// An index's URL becomes a label of the image, and stands in what is printed.
fn without_credentials(service: &str, argument: &str, url: &str) -> Result<(), Fault> {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    if !authority.contains('@') {
        return Ok(());
    }
    let what =
        format!("service {service}: {argument}: its URL has credentials, which would be published with the image");
    Err(Fault::project(what).help("name an index that needs none; a proxy's own may stand in between"))
}

/// All of an image but what other services say of it.
fn image(name: &ImageName, reference: &ImageRef, service: &Service, build: &Build) -> Image {
    let folder = PathBuf::from(build.context.strip_prefix("./").unwrap_or(&build.context));
    let indexes = build.args.iter().filter(|(argument, _)| argument.ends_with(INDEX_SUFFIX));
    Image {
        name: name.clone(),
        reference: reference.clone(),
        stage: build.target.clone(),
        dockerfile: folder.join(build.dockerfile.as_deref().unwrap_or("Dockerfile")),
        folder,
        bases: Vec::new(),
        indexes: indexes.map(|(argument, url)| (argument.clone(), url.clone())).collect(),
        about: service.about.clone(),
        helper: service.profiles.iter().any(|profile| profile == TOOLS_PROFILE),
        suite: None,
        ports: service.ports.clone(),
        definition: build.definition.clone(),
    }
}

/// What the image `name` is built from. An error comes with the keys in the file that it is about.
fn bases(
    name: &ImageName,
    build: &Build,
    named: &[(ImageName, ImageRef)],
    index: &HashMap<ImageName, usize>,
) -> Result<Vec<Base>, (Vec<String>, Fault)> {
    let base = |(argument, value): (&String, &String)| {
        let reference: ImageRef = value.parse().map_err(|why: String| {
            let keys = ["services", name.as_str(), "build", "args", argument].map(str::to_owned).to_vec();
            let fault = Fault::project(format!("service {name}: {argument}: {why}"));
            (keys, fault.help("mend the reference or the variable"))
        })?;
        let origin = match index.get(reference.name()).map(|i| &named[*i]) {
            Some((other, built)) if *built == reference => Origin::Family(other.clone()),
            Some((other, built)) if built.is_version_of(&reference) => Origin::Pinned(other.clone()),
            _ => Origin::External,
        };
        Ok(Base { argument: argument.clone(), reference, origin })
    };
    build.args.iter().filter(|(argument, _)| argument.ends_with("_IMAGE")).map(base).collect()
}

fn glob_matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len()).any(|i| name.is_char_boundary(i) && glob_matches(&pattern[1..], &name[i..])),
        Some(c) => name
            .chars()
            .next()
            .is_some_and(|n| (c == '?' || c == n) && glob_matches(&pattern[c.len_utf8()..], &name[n.len_utf8()..])),
    }
}

/// Says what is wrong with a value.
type Form<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// The make variables that have a form to keep to.
fn check_vars(vars: &Vars) -> Result<(), Fault> {
    let account = |id: &str| match id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(()),
        false => Err(format!("'{id}' is no AWS account id: 12 digits")),
    };
    let region = |name: &str| {
        let parts: Vec<&str> = name.split('-').collect();
        let (number, words) = parts.split_last().unwrap_or((&"", &[]));
        let letters = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        match words.len() >= 2 && words.iter().all(letters) && number.len() == 1 && number.parse::<u8>().is_ok() {
            true => Ok(()),
            false => Err(format!("'{name}' is no AWS region: for example us-east-1")),
        }
    };
    let platform = |text: &str| {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        match matches!(parts.len(), 2 | 3) && parts.iter().all(word) {
            true => Ok(()),
            false => Err(format!("'{text}' is no platform: for example linux/amd64")),
        }
    };
    let port = |text: &str| match text.parse::<u16>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("'{text}' is no port: 0 to 65535")),
    };
    let checks: [(&str, Form); 7] = [
        ("IMAGE_TAG", &image::check_tag),
        ("BASE_IMAGE_TAG", &image::check_tag),
        ("REGISTRY", &image::check_registry),
        ("AWS_ACCOUNT_ID", &account),
        ("AWS_REGION", &region),
        ("PLATFORM", &platform),
        ("PORT", &port),
    ];
    for (name, check) in checks {
        // The compose files take an empty variable for an unset one.
        if let Some(value) = vars.get(name).filter(|value| !value.is_empty()) {
            check(value).map_err(|why| {
                Fault::usage(format!("{name} (from the {}): {why}", vars.origin(name)))
                    .help(format!("give another with --{}, or unset it", name.to_lowercase().replace('_', "-")))
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project of `edges`: an image and what it is built from.
    fn project(edges: &[(&str, &[&str])]) -> Project {
        let mut text = "services:\n".to_owned();
        for (name, bases) in edges {
            text +=
                &["  ", name, ":\n    image: r.io/", name, ":1\n    build:\n      context: ./images/", name].concat();
            text += "\n      args:\n        X: y\n";
            for base in *bases {
                text += &["        ", &base.replace([':', '/', '.', '-'], "_"), "_IMAGE: ", base, "\n"].concat();
            }
        }
        let file = ComposeFile::parse(Path::new("f"), &text, &Vars::default()).unwrap();
        Project::new(Path::new("/r"), Environment::Dev, Vars::default(), &file, String::new()).unwrap()
    }

    fn names(project: &Project, wanted: &[&str]) -> Vec<String> {
        let wanted = project.select(&wanted.iter().map(ToString::to_string).collect::<Vec<_>>(), false).unwrap();
        project.with_bases(&wanted).unwrap().iter().map(|image| image.name.to_string()).collect()
    }

    #[test]
    fn bases_come_first_and_other_tags_are_no_edges() {
        let p = project(&[("c", &["r.io/b:1", "debian:12"]), ("b", &["r.io/a:1"]), ("a", &[]), ("d", &["r.io/a:2"])]);
        assert_eq!(names(&p, &["c"]), ["a", "b", "c"]);
        assert_eq!(names(&p, &["d"]), ["d"]);
        assert_eq!(p.images[3].bases[0].origin, Origin::Pinned("a".parse().unwrap()));
        assert_eq!(p.images[0].bases[0].origin, Origin::External);
        let dependents = p.with_dependents(&["b".parse().unwrap()]).unwrap();
        assert_eq!(dependents.iter().map(ImageName::as_str).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let p = project(&[("a", &["r.io/b:1"]), ("b", &["r.io/c:1"]), ("c", &["r.io/b:1"])]);
        let error = p.with_bases(&["a".parse().unwrap()]).unwrap_err();
        assert!(error.what.contains("b → c → b"), "{error}");
    }

    #[test]
    fn selection() {
        let p = project(&[("kubeflow-a", &[]), ("python-base", &[]), ("kubeflow-b", &[])]);
        assert_eq!(names(&p, &["kubeflow-*"]), ["kubeflow-a", "kubeflow-b"]);
        assert_eq!(names(&p, &["python-base", "kubeflow-?"]), ["kubeflow-a", "python-base", "kubeflow-b"]);
        let typo = p.select(&["pyton-base".to_owned()], false).unwrap_err();
        assert!(typo.help.unwrap().starts_with("did you mean python-base?"));
        assert_eq!(p.select(&["../x".to_owned()], false).unwrap_err().cause, Cause::Usage);
        assert_eq!(p.select(&["z*".to_owned()], false).unwrap_err().cause, Cause::Usage);
        assert_eq!(p.select(&[], false).unwrap_err().cause, Cause::Usage);
        assert_eq!(p.select(&[], true).unwrap().len(), 3);
    }

    #[test]
    fn a_dotenv_is_read_in_any_encoding_and_a_folder_of_that_name_is_passed_over() {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let read = || read_vars(folder.path(), folder.path(), BTreeMap::new(), BTreeMap::new()).map(|vars| vars.dotenv);
        assert_eq!(read().unwrap(), BTreeMap::new());
        let path = folder.path().join(".env");
        fs::create_dir(&path).unwrap();
        assert_eq!(read().unwrap(), BTreeMap::new());
        fs::remove_dir(&path).unwrap();
        fs::write(&path, b"# caf\xe9\nA=1\n").unwrap();
        assert_eq!(read().unwrap(), [("A".to_owned(), "1".to_owned())].into());
        fs::write(&path, b"A=1\n\xe9=2\n").unwrap();
        assert!(read().unwrap_err().to_string().contains(".env:2: unexpected character"));
    }

    #[test]
    fn variables_with_a_form() {
        for (name, bad, good) in [
            ("IMAGE_TAG", "a b", "v1.2"),
            ("AWS_ACCOUNT_ID", "123", "690763002009"),
            ("AWS_REGION", "useast1", "us-gov-west-1"),
            ("REGISTRY", "https://x", "localhost:5000"),
            ("PLATFORM", "amd64", "linux/arm64/v8"),
            ("PORT", "70000", "0"),
        ] {
            let vars = |value: &str| Vars { process: [(name.to_owned(), value.to_owned())].into(), ..Vars::default() };
            let fault = check_vars(&vars(bad)).unwrap_err();
            assert!(fault.cause == Cause::Usage && fault.what.starts_with(name) && fault.what.contains(bad), "{fault}");
            assert_eq!(check_vars(&vars(good)), Ok(()));
            assert_eq!(check_vars(&vars("")), Ok(()));
        }
    }
}
