//! Packages that are not the same in two images: another version, or another artefact of the version.

use super::{Finding, Member, PYTHON};
use crate::{ImageName, PackageName, lockfile::Package};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The image and the versions that each package of a member is held against.
pub type Standards<'a> = BTreeMap<&'a PackageName, (&'a Member<'a>, BTreeSet<&'a str>)>;

/// What each member is held against: the image it is coupled to, where that has the package; else the first image, in the
/// order of the compose file, that has it. (So an exception is said once, and what is built on that image follows it.)
pub fn standards<'a>(members: &'a [Member<'a>]) -> Vec<Standards<'a>> {
    let versions: Vec<_> = members.iter().map(Member::versions).collect();
    let mut first = Standards::new();
    // An image that excepts a package sets no standard for the others, if another one has it.
    for excepted in [false, true] {
        for (member, versions) in members.iter().zip(&versions) {
            for (package, versions) in versions {
                if member.excepts(package) == excepted {
                    first.entry(package).or_insert_with(|| (member, versions.clone()));
                }
            }
        }
    }
    let positions: HashMap<&ImageName, usize> =
        members.iter().enumerate().map(|(position, member)| (&member.image.name, position)).collect();
    let of_member = |(member, own): (&Member, &BTreeMap<&'a PackageName, BTreeSet<&'a str>>)| {
        let base = member.base.as_ref().and_then(|base| positions.get(base).copied());
        let standard = |package: &&'a PackageName| {
            let bases = base.and_then(|base| Some((&members[base], versions[base].get(package)?.clone())));
            Some((*package, bases.or_else(|| first.get(package).cloned())?))
        };
        own.keys().filter_map(standard).collect()
    };
    members.iter().zip(&versions).map(of_member).collect()
}

/// The installed packages of a lock, by their name.
type Locked<'a> = BTreeMap<&'a PackageName, Vec<&'a Package>>;

fn locked<'a>(member: &'a Member) -> Locked<'a> {
    let mut locked = Locked::new();
    for package in member.lock.packages.iter().filter(|package| package.installed) {
        locked.entry(&package.name).or_default().push(package);
    }
    locked
}

/// No package at two versions or from two sources, unless the image that differs says why; and no saying so without need.
pub(super) fn splits(members: &[Member]) -> Vec<Finding> {
    let locks: HashMap<&ImageName, Locked> =
        members.iter().map(|member| (&member.image.name, locked(member))).collect();
    let mut findings = Vec::new();
    for (member, standards) in members.iter().zip(standards(members)) {
        let differing = differing(member, &standards, &locks);
        for (package, how) in differing.iter().filter(|(package, _)| !member.excepts(package)) {
            let (name, other) = (&member.image.name, &standards[*package].0.image.name);
            let what = format!(
                "{package} {how}: cargo xtask lock {other} {name} --update={package}, or say why: \
                 [tool.core-images.exceptions] {package} = \"<reason>\" in {}",
                member.file("pyproject.toml")
            );
            findings.push(Finding::new(member.place(package), what));
        }
        let needless = member.exceptions.keys().filter(|package| match package.as_str() {
            "*" => differing.is_empty(),
            PYTHON => false,
            _ => !differing.contains_key(package),
        });
        findings.extend(needless.map(|package| {
            let place = format!("{}:{}", member.file("pyproject.toml"), member.pyproject.line_of_key(package));
            let what = format!("the exception {package} is no longer needed: remove it, then");
            Finding::new(place, what + " cargo xtask lock " + member.image.name.as_str())
        }));
    }
    findings
}

/// The packages of a member that differ from what they are held against, and how.
fn differing<'a>(
    member: &'a Member,
    standards: &Standards<'a>,
    locks: &HashMap<&ImageName, Locked<'a>>,
) -> BTreeMap<&'a PackageName, String> {
    let list = |versions: &BTreeSet<&str>| versions.iter().copied().collect::<Vec<_>>().join(", ");
    let none = Locked::new();
    let of = |image: &ImageName| locks.get(image).unwrap_or(&none);
    let how = |(package, own): (&'a PackageName, BTreeSet<&str>)| {
        let (standard, theirs) = standards.get(package)?;
        let (name, other) = (&member.image.name, &standard.image.name);
        if own != *theirs {
            return Some((package, format!("{} here, {} in {other}", list(&own), list(theirs))));
        }
        if name == other {
            return None;
        }
        let pairs = of(name)
            .get(package)?
            .iter()
            .flat_map(|ours| of(other).get(package).into_iter().flatten().map(move |theirs| (ours, theirs)));
        let mut same_version = pairs.filter(|(ours, theirs)| ours.version == theirs.version);
        let how = same_version.find_map(|(ours, theirs)| artefact(ours, theirs, other))?;
        Some((package, format!("{} {how}", list(&own))))
    };
    member.versions().into_iter().filter_map(how).collect()
}

/// How a version here is not the one that the image `other` has.
fn artefact(ours: &Package, theirs: &Package, other: &ImageName) -> Option<String> {
    let from = |package: &Package| package.source.as_ref().map_or("PyPI".to_owned(), ToString::to_string);
    if ours.source != theirs.source {
        return Some(format!("from {} here, from {} in {other}", from(ours), from(theirs)));
    }
    ours.contradicts(theirs).then(|| format!("with other files (by their hashes) than in {other}"))
}

#[cfg(test)]
mod tests {
    use super::super::{findings, members};
    use crate::{Environment, Project, files::Files, vars::Vars};
    use std::path::Path;

    /// What is found in a family of two whose locks have one package each, less what is stale.
    fn found(base: &str, child: &str, exceptions: &str) -> Vec<String> {
        let services = "services:\n  base: {image: 'r.io/base:1', build: ./images/base}\n  \
                        child: {image: 'r.io/child:1', build: {context: ./images/child, args: {BASE_IMAGE: 'r.io/base:1'}}}\n";
        let project =
            Project::parse(Path::new("/r"), Environment::Dev, Vars::default(), services, String::new()).unwrap();
        let lock = |package: &str| {
            format!(
                "[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"main\"]\n{package}\n[metadata]\nlock-version = \"2.1\"\n\
                 python-versions = \"3\"\ncontent-hash = \"x\"\n"
            )
        };
        let head = "[project]\nrequires-python = \">=3.13\"\n";
        let files = Files::of([
            ("images/base/pyproject.toml", head.to_owned()),
            ("images/base/poetry.lock", lock(base)),
            ("images/child/pyproject.toml", format!("{head}{exceptions}")),
            ("images/child/poetry.lock", lock(child)),
        ]);
        let (members, unread) = members(&project, &files);
        assert_eq!(unread, []);
        let found = findings(&members).into_iter().map(|finding| format!("{}: {}", finding.place, finding.what));
        found.filter(|finding| finding.contains("poetry.lock") && !finding.contains("stale")).collect()
    }

    fn files(hashes: &[(&str, &str)]) -> String {
        let files: String =
            hashes.iter().map(|(file, hash)| format!("{{file = \"{file}\", hash = \"{hash}\"}},")).collect();
        format!("files = [{files}]\n")
    }

    #[test]
    fn the_same_version_from_another_source_is_a_split() {
        let acme = "\n[package.source]\ntype = \"legacy\"\nurl = \"https://acme.io/simple\"\nreference = \"acme\"\n";
        let split = found(acme, "", "");
        assert_eq!(split.len(), 1, "{split:?}");
        let expected =
            "images/child/poetry.lock:1: a 1 from PyPI here, from the index acme (https://acme.io/simple) in base: ";
        assert!(split[0].starts_with(expected), "{split:?}");
        assert_eq!(found(acme, acme, ""), [""; 0]);
        assert_eq!(found(acme, "", "[tool.core-images.exceptions]\na = \"ours\"\n"), [""; 0]);
    }

    #[test]
    fn other_files_of_the_same_version_are_a_split() {
        let one = files(&[("a.whl", "sha256:1")]);
        let split = found(&one, &files(&[("a.whl", "sha256:2")]), "");
        assert!(split[0].contains("a 1 with other files (by their hashes) than in base"), "{split:?}");
        assert_eq!(found(&one, &files(&[("b.whl", "sha256:1")]), "").len(), 1);
        // PyPI got one more meanwhile.
        assert_eq!(found(&one, &files(&[("a.whl", "sha256:1"), ("b.whl", "sha256:2")]), ""), [""; 0]);
    }
}
