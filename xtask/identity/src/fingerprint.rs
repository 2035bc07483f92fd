//! The fingerprint of an image: one hash of all that it is made of. Not of who builds it, where, when, at which tag or of
//! which commit.

use crate::{
    context::{self, Context, Entry},
    hash::{Hash, hash},
    ignore::Ignore,
};
use project::{
    Base, Image, ImageName, ImageRef, NamedBy, Origin, Project,
    error::{Cause, Fault},
};
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::{Path, PathBuf},
};

/// Begins what is hashed: other rules give other fingerprints.
const RULES: &str = "core-images fingerprint 1";

/// What is read of an image's folders.
#[derive(Debug, Clone)]
pub struct Sources {
    pub dockerfile: Hash,
    pub context: Context,
    /// What the context leaves out: it says of a file that is no longer there whether it went in.
    pub ignore: Ignore,
    /// The folders that `additional_contexts` names, by the name that the Dockerfile knows them by.
    pub additional: BTreeMap<String, Context>,
}

/// What an image is made of, and the hash of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub hash: Hash,
    pub parts: BTreeMap<Part, Value>,
}

/// Something that goes into an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Of the build definition in the compose file, by the path of its keys: `target`, `args.BASE_IMAGE`.
    Definition(String),
    Dockerfile,
    /// Of the context.
    Path(PathBuf),
    /// Of one of the additional contexts.
    AdditionalPath(String, PathBuf),
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Content(Hash),
    Entry(Entry),
    /// An image of the family, by its fingerprint.
    Family(ImageName, Hash),
    /// An image that is used as it is: the digest that a registry gave it, else its id; none where the engine doesn't
    /// have it.
    Used(ImageRef, Option<String>),
}

impl Sources {
    /// Reads an image's Dockerfile and contexts; `root` is the repository's.
    ///
    /// # Errors
    /// As [`context::read`], or the Dockerfile can't be read.
    pub fn read(root: &Path, image: &Image) -> Result<Sources, Fault> {
        let dockerfile = root.join(&image.dockerfile);
        let text = fs::read(&dockerfile).map_err(|e| Fault::io("reading", &dockerfile, &e))?;
        let additional = additional_folders(image).map(|(name, folder)| {
            let folder = root.join(folder);
            Ok((name.to_owned(), context::read(&folder, &context::ignore(&folder, None)?)?))
        });
        let folder = root.join(&image.folder);
        let ignore = context::ignore(&folder, Some(&dockerfile))?;
        Ok(Sources {
            dockerfile: hash(&text),
            additional: additional.collect::<Result<_, Fault>>()?,
            context: context::read(&folder, &ignore)?,
            ignore,
        })
    }
}

/// Of `additional_contexts`, what is a folder: else it is an image, a service or an address.
pub fn additional_folders(image: &Image) -> impl Iterator<Item = (&str, &str)> {
    let contexts = image
        .definition
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("additional_contexts.")?, value.as_str())));
    contexts.filter(|(_, value)| !value.contains("://") && !value.starts_with("service:") && !value.contains('@'))
}

/// The fingerprints of images and of all that they are built from.
///
/// # Errors
/// Bases that go round in a circle, or a folder that can't be read or was not read.
pub fn fingerprints(
    project: &Project,
    names: &[ImageName],
    sources: &BTreeMap<ImageName, Result<Sources, Fault>>,
    digest: impl Fn(&ImageRef) -> Option<String>,
) -> Result<BTreeMap<ImageName, Fingerprint>, Fault> {
    let mut known: BTreeMap<ImageName, Fingerprint> = BTreeMap::new();
    for image in project.with_bases(names)? {
        let sources = sources.get(&image.name).ok_or_else(|| not_read(image))?.as_ref().map_err(Fault::clone)?;
        let parts = parts(image, sources, &known, &digest);
        known.insert(image.name.clone(), Fingerprint { hash: hash_of(&parts), parts });
    }
    Ok(known)
}

fn not_read(image: &Image) -> Fault {
    Fault::new(Cause::Internal, format!("the context of {} was not read before planning", image.name))
        .help("this is a fault of the xtask itself: please report it")
}

/// The images that these are built from and that the family doesn't build: by their digests, what is built on them differs.
///
/// # Errors
/// Bases that go round in a circle.
pub fn used(project: &Project, names: &[ImageName]) -> Result<Vec<ImageRef>, Fault> {
    let images = project.with_bases(names)?.into_iter();
    let bases = images.flat_map(|image| &image.bases).filter(|base| !matches!(base.origin, Origin::Family(_)));
    let mut references: Vec<ImageRef> = bases.map(|base| base.reference.clone()).collect();
    references.sort();
    references.dedup();
    Ok(references)
}

fn parts(
    image: &Image,
    sources: &Sources,
    known: &BTreeMap<ImageName, Fingerprint>,
    digest: &impl Fn(&ImageRef) -> Option<String>,
) -> BTreeMap<Part, Value> {
    let mut parts = BTreeMap::from([(Part::Dockerfile, Value::Content(sources.dockerfile))]);
    let text = |(key, value): (&String, &String)| (Part::Definition(key.clone()), Value::Text(value.clone()));
    parts.extend(image.definition.iter().map(text));
    for base in &image.bases {
        let value = match &base.origin {
            Origin::Family(name) => known.get(name).map(|base| Value::Family(name.clone(), base.hash)),
            Origin::Pinned(_) | Origin::External => Some(Value::Used(base.reference.clone(), digest(&base.reference))),
        };
        parts.extend(value.map(|value| (Part::Definition(key(base)), value)));
    }
    let entry = |entry: &Entry| Value::Entry(entry.clone());
    parts.extend(sources.context.iter().map(|(path, found)| (Part::Path(path.clone()), entry(found))));
    for (name, context) in &sources.additional {
        let part = |path: &PathBuf| Part::AdditionalPath(name.clone(), path.clone());
        parts.extend(context.iter().map(|(path, found)| (part(path), entry(found))));
    }
    parts
}

/// Where the definition names a base.
fn key(base: &Base) -> String {
    match base.named_by {
        NamedBy::Argument => format!("args.{}", base.argument),
        NamedBy::Context => format!("additional_contexts.{}", base.argument),
    }
}

fn hash_of(parts: &BTreeMap<Part, Value>) -> Hash {
    let mut text = RULES.to_owned();
    for (part, value) in parts {
        // An image of the family is what it is made of, whatever it is called.
        let value = match value {
            Value::Family(_, hash) => format!("image {hash}"),
            value => value.to_string(),
        };
        let part = part.to_string();
        // With their lengths, so that no value looks like another part.
        let _ = write!(text, "\n{} {part} {} {value}", part.len(), value.len());
    }
    hash(text.as_bytes())
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Definition(key) => f.write_str(key),
            Part::Dockerfile => f.write_str("Dockerfile"),
            Part::Path(path) => write!(f, "context/{}", path.display()),
            Part::AdditionalPath(name, path) => write!(f, "{name}/{}", path.display()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Content(hash) => hash.fmt(f),
            Value::Entry(entry) => entry.fmt(f),
            Value::Family(name, hash) => write!(f, "{name} {hash}"),
            Value::Used(reference, Some(digest)) => write!(f, "{reference} {digest}"),
            Value::Used(reference, None) => write!(f, "{reference} (not in the engine)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use project::{Environment, vars::Vars};

    const COMPOSE: &str = "
services:
  tools:
    profiles: [tools]
    image: core/tools:latest
    build: {context: images/tools, args: {DEBIAN_IMAGE: 'debian:13'}}
  base:
    image: ${REGISTRY:-r.io}/base:${IMAGE_TAG:-1}
    platform: ${PLATFORM:-linux/amd64}
    build: {context: images/base, target: '${STAGE:-t}', args: {DEBIAN_IMAGE: 'debian:13', TOOLS_IMAGE: core/tools:latest}}
  child:
    image: ${REGISTRY:-r.io}/child:${IMAGE_TAG:-1}
    build:
      context: images/child
      args: {BASE_IMAGE: '${REGISTRY:-r.io}/base:${BASE_IMAGE_TAG:-${IMAGE_TAG:-1}}', X_INDEX: '${X:-https://x.io}'}
      labels: {revision: '${OCI_REVISION:-}'}
";

    /// Changes what is read of one image.
    type Change<'a> = &'a dyn Fn(&mut Sources);

    /// The fingerprints with these variables, a change to the sources of one image, and this digest of debian.
    fn of(vars: &[(&str, &str)], change: Option<(&str, Change)>, digest: &str) -> BTreeMap<ImageName, Fingerprint> {
        let process = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let vars = Vars { process, ..Vars::default() };
        let project = Project::parse(Path::new("/r"), Environment::Dev, vars, COMPOSE, String::new()).unwrap();
        let file = |text: &str| Entry::File { executable: false, content: hash(text.as_bytes()) };
        let mut sources: BTreeMap<ImageName, Result<Sources, Fault>> = BTreeMap::new();
        for image in &project.images {
            let context = Context::from([("a".into(), file("a")), ("b".into(), file("b"))]);
            let dockerfile = hash(image.name.as_str().as_bytes());
            let mut sources_of =
                Sources { dockerfile, context, ignore: Ignore::default(), additional: BTreeMap::new() };
            if let Some((name, change)) = change
                && name == image.name.as_str()
            {
                change(&mut sources_of);
            }
            sources.insert(image.name.clone(), Ok(sources_of));
        }
        let names: Vec<ImageName> = project.images.iter().map(|image| image.name.clone()).collect();
        assert_eq!(used(&project, &names).unwrap()[0].to_string(), "debian:13");
        fingerprints(&project, &names, &sources, |_| Some(digest.to_owned())).unwrap()
    }

    /// The images whose fingerprints differ.
    fn changed(vars: &[(&str, &str)], change: Option<(&str, Change)>, digest: &str) -> Vec<String> {
        let (before, after) = (of(&[], None, "sha256:1"), of(vars, change, digest));
        let differs = before.iter().filter(|(name, before)| after[*name].hash != before.hash);
        differs.map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn where_it_is_called_what_and_by_whom_built_does_not_count() {
        for vars in [("IMAGE_TAG", "7"), ("REGISTRY", "localhost:5000"), ("OCI_REVISION", "abc"), ("X", "")] {
            assert_eq!(changed(&[vars], None, "sha256:1"), Vec::<String>::new(), "{vars:?}");
        }
    }

    #[test]
    fn what_goes_in_counts_and_so_it_does_for_what_is_built_on_it() {
        let all = ["base", "child", "tools"];
        let program: Change = &|sources| {
            let content = hash(b"a");
            sources.context.insert("a".into(), Entry::File { executable: true, content });
        };
        let renamed: Change = &|sources| {
            let entry = sources.context.remove(Path::new("a")).unwrap();
            sources.context.insert("c".into(), entry);
        };
        let swapped: Change = &|sources| {
            let b = sources.context.insert("b".into(), Entry::Folder).unwrap();
            sources.context.insert("a".into(), b);
        };
        let link: Change = &|sources| drop(sources.context.insert("l".into(), Entry::Link { target: "a".into() }));
        let dockerfile: Change = &|sources| sources.dockerfile = hash(b"other");
        let additional: Change = &|sources| {
            sources.additional.insert("x".to_owned(), Context::from([("a".into(), Entry::Folder)]));
        };
        for change in [program, renamed, swapped, link, dockerfile, additional] {
            assert_eq!(changed(&[], Some(("child", change)), "sha256:1"), ["child"]);
            assert_eq!(changed(&[], Some(("base", change)), "sha256:1"), ["base", "child"]);
            assert_eq!(changed(&[], Some(("tools", change)), "sha256:1"), all);
        }
        assert_eq!(changed(&[], None, "sha256:2"), all);
        assert_eq!(changed(&[("STAGE", "u")], None, "sha256:1"), ["base", "child"]);
        assert_eq!(changed(&[("PLATFORM", "linux/arm64")], None, "sha256:1"), ["base", "child"]);
        assert_eq!(changed(&[("X", "stand-in")], None, "sha256:1"), ["child"]);
        // A base at another tag is used as it is.
        assert_eq!(changed(&[("BASE_IMAGE_TAG", "1.4")], None, "sha256:1"), ["child"]);
    }

    #[test]
    fn the_parts_say_what_went_in() {
        let all = of(&[], None, "sha256:1");
        let parts: Vec<String> = all["base"].parts.iter().map(|(part, value)| format!("{part}: {value}")).collect();
        let (a, b) = (hash(b"a"), hash(b"b"));
        let expected = [
            "args.DEBIAN_IMAGE: debian:13 sha256:1".to_owned(),
            format!("args.TOOLS_IMAGE: tools {}", all["tools"].hash),
            "platform: linux/amd64".to_owned(),
            "target: t".to_owned(),
            format!("Dockerfile: {}", hash(b"base")),
            format!("context/a: file {a}"),
            format!("context/b: file {b}"),
        ];
        assert_eq!(parts, expected);
        // The rules: where they change, every image that has been built is outdated, so do it knowingly.
        let tools = all["tools"].hash.to_string();
        assert_eq!(&tools[..16], "3c8933eb4e86bba1");
    }

    #[test]
    fn what_was_not_read_is_no_fingerprint() {
        let vars = Vars::default();
        let project = Project::parse(Path::new("/r"), Environment::Dev, vars, COMPOSE, String::new()).unwrap();
        let names = ["child".parse().unwrap()];
        let fault = fingerprints(&project, &names, &BTreeMap::new(), |_| None).unwrap_err();
        assert_eq!(fault.cause, Cause::Internal);
        let sources = BTreeMap::from([("tools".parse().unwrap(), Err(Fault::project("no such folder")))]);
        assert_eq!(fingerprints(&project, &names, &sources, |_| None).unwrap_err().what, "no such folder");
    }
}
