//! Makes images of the services of a compose file.

use crate::{
    Base, Image, ImageName, ImageRef, NamedBy, Origin,
    compose::{Build, ComposeFile, Service},
    error::Fault,
    parallel,
};
use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
};

/// The profile of services that help to build and are never published.
const TOOLS_PROFILE: &str = "tools";
/// The profile of services that name somebody else's image, so that a bot finds it where it looks.
const EXTERNAL_PROFILE: &str = "external";
/// Ends the build arguments that say where a vendor's wheels come from.
const INDEX_SUFFIX: &str = "_INDEX";
/// Ends the build arguments that name an image.
const IMAGE_SUFFIX: &str = "_IMAGE";
/// What the suite's service is called, after its image.
const SUITE_SUFFIX: &str = "-tests";

/// A fault, and the keys in the file that it is about.
pub(crate) type Located = (Vec<String>, Fault);

/// What the services of a file are.
pub(crate) struct Assembled {
    pub images: Vec<Image>,
    pub externals: Vec<(String, ImageRef)>,
    pub index: HashMap<ImageName, usize>,
}

/// First the names of the services that build, then what is said of them.
pub(crate) fn assemble(root: &Path, file: &ComposeFile) -> Result<Assembled, Located> {
    let built: Vec<(&Service, &Build)> =
        file.services.iter().filter_map(|service| Some((service, service.build.as_ref()?))).collect();
    let references = parallel::map(&built, |(service, build)| reference(service, build));
    let references: Vec<(ImageName, ImageRef)> = references.into_iter().collect::<Result<_, _>>()?;
    let index: HashMap<ImageName, usize> =
        references.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
    let (mut externals, mut suites) = (Vec::new(), HashMap::new());
    for service in file.services.iter().filter(|service| service.build.is_none()) {
        match role(service, &index)? {
            Role::External(reference) => externals.push((service.name.clone(), reference)),
            Role::Suite => {
                suites.insert(service.name.as_str(), service.running.as_str());
            }
            Role::Sidecar => {}
        }
    }
    let family = Family { references: &references, index: &index };
    let known: Vec<_> = built.into_iter().zip(&references).collect();
    let images = parallel::map(&known, |((service, build), (name, reference))| {
        let suite = format!("{name}{SUITE_SUFFIX}");
        let running = suites.get(suite.as_str());
        let folder = folder(root, name, build)?;
        let indexes = build.args.iter().filter(|(argument, _)| argument.ends_with(INDEX_SUFFIX));
        Ok(Image {
            name: name.clone(),
            reference: reference.clone(),
            stage: build.target.clone(),
            dockerfile: folder.join(build.dockerfile.as_deref().unwrap_or("Dockerfile")),
            folder,
            bases: family.bases(name, build)?,
            indexes: indexes.map(|(argument, url)| (argument.clone(), url.clone())).collect(),
            about: service.about.clone(),
            helper: service.profiles.iter().any(|profile| profile == TOOLS_PROFILE),
            suite: running.map(|_| suite),
            suite_definition: running.map_or_else(String::new, |running| (*running).to_owned()),
            ports: service.ports.clone(),
            definition: build.definition.clone(),
            templates: build.templates.clone(),
        })
    });
    let images: Vec<Image> = images.into_iter().collect::<Result<_, _>>()?;
    Ok(Assembled { images, externals, index })
}

/// Where a service's key stands in its file.
fn keys(service: &str, inner: &[&str]) -> Vec<String> {
    ["services", service].iter().chain(inner).map(|key| (*key).to_owned()).collect()
}

/// The image that a service builds.
fn reference(service: &Service, build: &Build) -> Result<(ImageName, ImageRef), Located> {
    let at = |inner: &[&str], what: String, help: &str| (keys(&service.name, inner), Fault::project(what).help(help));
    for (argument, url) in build.args.iter().filter(|(argument, _)| argument.ends_with(INDEX_SUFFIX)) {
        without_credentials(&service.name, argument, url)?;
    }
    let name: ImageName =
        service.name.parse().map_err(|why: String| at(&[], why, "rename the service and its folder"))?;
    let reference = service.image.as_deref().ok_or_else(|| {
        at(&[], format!("service {name} has no image:"), "give it image: <registry>/<its name>:<tag>")
    })?;
    let reference: ImageRef = reference.parse().map_err(|why: String| {
        at(&["image"], format!("service {name}: image: {why}"), "correct the reference or the variable")
    })?;
    if reference.name() != name.as_str() {
        let what = format!("service {name} builds {reference}: the repository must have the service's name");
        return Err(at(&["image"], what, "an image's folder, service and repository have one name"));
    }
    Ok((name, reference))
}

/// What a service is that builds nothing.
enum Role {
    /// Somebody else's image, named where bots look for it.
    External(ImageRef),
    /// Runs the tests of an image.
    Suite,
    /// Something that an image needs to run, such as a database: compose's own business.
    Sidecar,
}

fn role(service: &Service, images: &HashMap<ImageName, usize>) -> Result<Role, Located> {
    let name = &service.name;
    let at = |inner: &[&str], what: String, help: &str| (keys(name, inner), Fault::project(what).help(help));
    if service.profiles.iter().any(|profile| profile == EXTERNAL_PROFILE) {
        let reference = service.image.as_deref().unwrap_or_default().parse();
        return reference.map(Role::External).map_err(|why: String| {
            at(&["image"], format!("service {name}: image: {why}"), "name the image, with its tag")
        });
    }
    let Some(image) = name.strip_suffix(SUITE_SUFFIX) else {
        return Ok(Role::Sidecar);
    };
    if !images.contains_key(image) {
        let what = format!("suite {name} is for the image {image}, which no service builds");
        return Err(at(&[], what, "add the image's service, or rename this one if it is not a suite"));
    }
    let runs = service.image.as_deref().and_then(|image| image.parse::<ImageRef>().ok());
    match runs {
        Some(reference) if reference.name() == image => Ok(Role::Suite),
        _ => Err(at(
            &["image"],
            format!("suite {name} doesn't run in the image {image}"),
            "give it the same image: as the image's own service",
        )),
    }
}

/// An index's URL becomes a label of the image, and stands in what is printed.
fn without_credentials(service: &str, argument: &str, url: &str) -> Result<(), Located> {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    if !authority.contains('@') {
        return Ok(());
    }
    let what =
        format!("service {service}: {argument}: its URL has credentials, which would be published with the image");
    let fault = Fault::project(what).help("name an index that needs none; a proxy's own may stand in between");
    Err((keys(service, &["build", "args", argument]), fault))
}

/// The image's folder, below the root.
fn folder(root: &Path, name: &ImageName, build: &Build) -> Result<PathBuf, Located> {
    let context = build.context.as_str();
    if ["://", "git@", "github.com/"].iter().any(|remote| context.contains(remote)) {
        let what = format!("service {name}: build.context: a remote context, {context}, isn't supported");
        let fault = Fault::project(what).help("an image is made from its folder below images/: name that");
        return Err((keys(name.as_str(), &["build", "context"]), fault));
    }
    let path = Path::new(context);
    let path = path.strip_prefix(root).unwrap_or(path);
    Ok(path.components().filter(|component| *component != Component::CurDir).collect())
}

/// The images that the file's services build.
struct Family<'a> {
    references: &'a [(ImageName, ImageRef)],
    index: &'a HashMap<ImageName, usize>,
}

impl Family<'_> {
    /// What the image `name` is built from: what build arguments and additional contexts name.
    fn bases(&self, name: &ImageName, build: &Build) -> Result<Vec<Base>, Located> {
        let arguments = build.args.iter().filter(|(argument, _)| argument.ends_with(IMAGE_SUFFIX));
        let arguments = arguments.map(|(argument, value)| {
            let reference = value.parse().map_err(|why: String| wrong(name, ["args", argument], &why))?;
            Ok(self.base(argument, NamedBy::Argument, reference))
        });
        let contexts = build.contexts.iter().filter_map(|(context, value)| {
            let wrong = |why: String| wrong(name, ["additional_contexts", context], &why);
            let reference = match (value.strip_prefix("service:"), value.strip_prefix("docker-image://")) {
                (Some(service), _) => match self.index.get(service) {
                    Some(position) => Ok(self.references[*position].1.clone()),
                    None => Err(wrong(format!("no service {service} builds an image"))),
                },
                (None, Some(reference)) => reference.parse().map_err(wrong),
                // A folder or a repository: not an image.
                (None, None) => return None,
            };
            Some(reference.map(|reference| self.base(context, NamedBy::Context, reference)))
        });
        arguments.chain(contexts).collect()
    }

    fn base(&self, argument: &str, named_by: NamedBy, reference: ImageRef) -> Base {
        let origin = match self.index.get(reference.name()).map(|position| &self.references[*position]) {
            Some((other, built)) if *built == reference => Origin::Family(other.clone()),
            Some((other, built)) if built.is_version_of(&reference) => Origin::Pinned(other.clone()),
            _ => Origin::External,
        };
        Base { argument: argument.to_owned(), named_by, reference, origin }
    }
}

fn wrong(name: &ImageName, [key, entry]: [&str; 2], why: &str) -> Located {
    let fault = Fault::project(format!("service {name}: {entry}: {why}"));
    (keys(name.as_str(), &["build", key, entry]), fault.help("correct the reference or the variable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Project, vars::Vars};

    fn parse(services: &str) -> Result<Project, Fault> {
        let text = format!("services:\n{services}");
        Project::parse(Path::new("/r"), Environment::Dev, Vars::default(), &text, String::new())
    }

    const TWO: &str = "  a:\n    image: r.io/a:1\n    build: ./images/a\n  b:\n    image: r.io/b:1\n    build:\n      context: ./images/b/\n";

    #[test]
    fn a_service_that_builds_nothing_is_a_suite_or_somebody_elses() {
        let project = parse(
            "  db: {image: 'postgres:17', profiles: [db]}\n  d: {image: 'debian:13', profiles: [external]}\n  \
             a-tests: {image: 'r.io/a:1'}\n  a: {image: 'r.io/a:1', build: images/./a}\n",
        )
        .unwrap();
        assert_eq!(project.images.len(), 1);
        assert_eq!(project.images[0].suite.as_deref(), Some("a-tests"));
        assert_eq!(project.images[0].dockerfile, Path::new("images/a/Dockerfile"));
        assert_eq!(project.externals.len(), 1);
    }

    #[test]
    fn additional_contexts_are_edges() {
        let contexts = "      additional_contexts:\n        x: service:a\n        y: docker-image://r.io/a:2\n        \
                        z: docker-image://debian:13\n        folder: ../x\n        git: https://x.io/y.git\n";
        let project = parse(&format!("{TWO}{contexts}")).unwrap();
        let b = project.image(&"b".parse().unwrap()).unwrap();
        let name: ImageName = "a".parse().unwrap();
        let bases: Vec<_> = b.bases.iter().map(|base| (base.argument.as_str(), base.origin.clone())).collect();
        assert_eq!(bases, [("x", Origin::Family(name.clone())), ("y", Origin::Pinned(name)), ("z", Origin::External)]);
        let order = project.with_bases(std::slice::from_ref(&b.name)).unwrap();
        assert_eq!(order.iter().map(|image| image.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let source = |image: &str| crate::dockerfile::Source { line: 1, image: image.to_owned() };
        assert!(b.bases[0].is_meant_by(&source("x")) && !b.bases[0].is_meant_by(&source("${x}")));
    }

    #[test]
    fn faults_name_the_line_of_what_is_wrong() {
        for (services, expected) in [
            ("      additional_contexts:\n        x: service:no\n", ":10: service b: x: no service no builds an image"),
            ("      args:\n        X_IMAGE: 'a b'\n", ":10: service b: X_IMAGE: "),
            (
                "  c:\n    image: r.io/c:1\n    build: https://github.com/x/y.git\n",
                ":11: service c: build.context: a remote context",
            ),
            ("  c:\n    image: r.io/d:1\n    build: .\n", ":10: service c builds r.io/d:1: the repository must"),
            ("  load-tests:\n    image: k6\n", ":9: suite load-tests is for the image load, which"),
            ("  a-tests:\n    image: k6\n", ":10: suite a-tests doesn't run in the image a"),
        ] {
            let fault = parse(&format!("{TWO}{services}")).unwrap_err();
            assert!(fault.what.contains(expected), "{fault}");
        }
    }
}
