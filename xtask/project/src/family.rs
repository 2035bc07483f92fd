//! The whole family's versions: what each image has, and every way in which they can fall apart.

mod finding;
mod includes;
mod splits;

use crate::{
    Image, ImageName, Project,
    coupling::pins_of,
    error::Fault,
    files::{Files, Wanted},
    lockfile::{Lockfile, Package},
    package::PackageName,
    parallel,
    pin::Pins,
    pyproject::Pyproject,
};
pub use finding::{Finding, Repair, repairs};
pub use splits::{Standards, standards};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Wheels that only vendors' own indexes have, beside a lock: a file an index, exact versions, one a line.
const VENDOR_WHEELS: &str = "vendor-wheels";
const STALE: &str = "stale: its pyproject.toml has changed since";
/// Ends the files, in that folder, that say what is installed where the index can't be reached.
const STAND_IN: &str = ".stand-in.txt";
/// The exception that lets an image have another Python than its base.
pub const PYTHON: &str = "python";

/// A package that comes from a vendor's own index.
pub struct VendorWheel {
    /// File and line.
    place: String,
    pub name: PackageName,
    /// Without the vendor's local part.
    pub version: String,
    pub full_version: String,
}

/// An image with its dependencies.
pub struct Member<'a> {
    pub image: &'a Image,
    pub pyproject: Pyproject,
    pub lock: Lockfile,
    /// The image whose versions it keeps to.
    pub base: Option<ImageName>,
    pub exceptions: BTreeMap<PackageName, String>,
    /// The images all of whose packages it promises to have.
    pub includes: Vec<String>,
    pub vendor: Vec<VendorWheel>,
}

impl Member<'_> {
    fn file(&self, name: &str) -> String {
        self.image.folder.join(name).display().to_string()
    }

    fn excepts(&self, package: &PackageName) -> bool {
        self.reason(package).is_some()
    }

    /// Why a package may have another version here.
    pub fn reason(&self, package: &PackageName) -> Option<&str> {
        self.exceptions.get(package).or_else(|| self.exceptions.get("*")).map(String::as_str)
    }

    /// Each package's versions, vendor wheels among them.
    pub fn versions(&self) -> BTreeMap<&PackageName, BTreeSet<&str>> {
        let mut versions = self.lock.installed();
        for wheel in &self.vendor {
            versions.insert(&wheel.name, BTreeSet::from([wheel.version.as_str()]));
        }
        versions
    }

    /// Where a package's version is written.
    fn place(&self, package: &PackageName) -> String {
        if let Some(wheel) = self.vendor.iter().find(|wheel| wheel.name == *package) {
            return wheel.place.clone();
        }
        let line = self.lock.packages.iter().find(|found| found.name == *package && found.installed);
        format!("{}:{}", self.file("poetry.lock"), line.map_or(1, |found: &Package| found.line))
    }
}

/// The files that `members` reads.
pub fn wanted(project: &Project) -> Wanted {
    let mut wanted = Wanted::default();
    for image in project.family() {
        wanted.files.extend(["pyproject.toml", "poetry.lock"].map(|file| image.folder.join(file)));
        wanted.trees.push(image.folder.join(VENDOR_WHEELS));
    }
    wanted
}

/// Every image that has dependencies; what can't be read is among the findings.
pub fn members<'a>(project: &'a Project, files: &Files) -> (Vec<Member<'a>>, Vec<Finding>) {
    let mut findings = Vec::new();
    let images: Vec<&Image> = project.family().collect();
    let read = parallel::map(&images, |image| member(project, files, image).map_err(|fault| (*image, fault)));
    let members = read.into_iter().filter_map(|member| match member {
        Ok(member) => member,
        Err((image, fault)) => {
            let what = match fault.help {
                Some(help) => format!("{}: {help}", fault.what),
                None => fault.what,
            };
            findings.push(Finding::new(image.folder.display().to_string(), what));
            None
        }
    });
    let members = members.collect();
    (members, findings)
}

fn member<'a>(project: &'a Project, files: &Files, image: &'a Image) -> Result<Option<Member<'a>>, Fault> {
    let path = image.folder.join("pyproject.toml");
    let Some(text) = files.text(&path)? else { return Ok(None) };
    let pyproject = Pyproject::parse(&path, text)?;
    let path = image.folder.join("poetry.lock");
    let Some(text) = files.text(&path)? else { return Ok(None) };
    let lock = Lockfile::parse(&path, text)?;
    let mut vendor = Vec::new();
    for (path, _) in files.below(&image.folder.join(VENDOR_WHEELS)) {
        if path.to_string_lossy().ends_with(STAND_IN) {
            continue;
        }
        if let Some(text) = files.text(path)? {
            vendor.extend(vendor_wheels(path, text));
        }
    }
    let base = project.coupled_to(image, &pyproject)?.map(|base| base.name.clone());
    let (exceptions, includes) = (pyproject.exceptions()?, pyproject.includes()?);
    Ok(Some(Member { image, pyproject, lock, base, exceptions, includes, vendor }))
}

/// `name==version+local` lines, as pip reads them.
fn vendor_wheels(path: &Path, text: &str) -> Vec<VendorWheel> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let requirement = line.split(['#', ';', ' ']).next()?.trim();
        let (name, version) = requirement.split_once("==")?;
        let public = version.split('+').next().unwrap_or(version);
        Some(VendorWheel {
            place: format!("{}:{}", path.display(), index + 1),
            name: name.into(),
            version: public.to_owned(),
            full_version: version.to_owned(),
        })
    });
    lines.collect()
}

/// Everything that is wrong with the family's versions.
pub fn findings(members: &[Member]) -> Vec<Finding> {
    let locks: BTreeMap<&ImageName, &Member> = members.iter().map(|member| (&member.image.name, member)).collect();
    let mut findings = Vec::new();
    for member in members {
        findings.extend(stale(member));
        if let Some(base) = member.base.as_ref().and_then(|base| locks.get(base)) {
            findings.extend(uncoupled(member, base));
            findings.extend(python(member, base));
        }
        findings.extend(includes::unmet(member, &locks));
    }
    findings.extend(splits::splits(members));
    findings
}

fn stale(member: &Member) -> Option<Finding> {
    (!member.pyproject.is_locked_by(&member.lock)).then(|| unfit(member.image, STALE))
}

fn unfit(image: &Image, why: &str) -> Finding {
    let place = format!("{}:1", image.folder.join("poetry.lock").display());
    Finding::new(place, why).repair(Repair::Lock(image.name.clone()))
}

/// The locks of these that poetry would refuse to install.
pub fn unfit_locks<'a>(images: impl IntoIterator<Item = &'a Image>, files: &Files) -> Vec<Finding> {
    let images: Vec<&Image> = images.into_iter().collect();
    let found = parallel::map(&images, |image| {
        let [pyproject, lock] = ["pyproject.toml", "poetry.lock"].map(|file| image.folder.join(file));
        let (made_of, text) = (files.text(&pyproject).ok()??, files.text(&lock).ok()??);
        if !Lockfile::is_poetrys(text) {
            return Some(unfit(image, "not a lock: cut off, or a merge conflict"));
        }
        // What only we can't read is for `check` to say.
        let (pyproject, lock) = (Pyproject::parse(&pyproject, made_of).ok()?, Lockfile::parse(&lock, text).ok()?);
        (!pyproject.is_locked_by(&lock)).then(|| unfit(image, STALE))
    });
    found.into_iter().flatten().collect()
}

/// The pins must be the base's lock.
fn uncoupled(member: &Member, base: &Member) -> Option<Finding> {
    let wanted = pins_of(&base.lock, &member.exceptions);
    let written = member.pyproject.pins();
    if wanted == written {
        return None;
    }
    let names: BTreeSet<&PackageName> = wanted.keys().chain(written.keys()).collect();
    let differing: Vec<&PackageName> =
        names.into_iter().filter(|name| wanted.get(*name) != written.get(*name)).collect();
    let versions = |pins: &Pins, name: &PackageName| {
        let versions = pins.get(name).map(|pins| pins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        versions.unwrap_or_else(|| "nothing".to_owned())
    };
    let first: Vec<String> = differing
        .iter()
        .take(3)
        .map(|name| format!("{name} {}, {} has {}", versions(&written, name), base.image.name, versions(&wanted, name)))
        .collect();
    let more = differing.len().saturating_sub(3);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    let line = differing.first().map_or(1, |name| member.pyproject.line_of(&format!("{name} =")));
    let (name, base_name) = (&member.image.name, &base.image.name);
    let place = format!("{}:{line}", member.file("pyproject.toml"));
    let what = format!("coupled pins are not those of {base_name}'s lock ({}{more})", first.join("; "));
    Some(Finding::new(place, what).repair(Repair::Lock(name.clone())))
}

fn python(member: &Member, base: &Member) -> Option<Finding> {
    let (own, bases) = (member.pyproject.requires_python().ok()?, base.pyproject.requires_python().ok()?);
    let line = member.pyproject.line_of("requires-python");
    let finding = |what: String| Finding::new(format!("{}:{line}", member.file("pyproject.toml")), what);
    match (own == bases, member.exceptions.contains_key(PYTHON)) {
        (false, false) => Some(finding(format!(
            "Python {own}, but {} has {bases}: make them one, or say why not: [tool.core-images.exceptions] {PYTHON} = \"<reason>\"",
            base.image.name
        ))),
        (true, true) => Some(finding(format!("the exception {PYTHON} is no longer needed: remove it"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, vars::Vars};
    use std::path::Path;

    const DEV: &str = "services:\n  base:\n    image: r.io/base:1\n    build: {context: ./images/base}\n  child:\n    image: r.io/child:1\n    \
                       build: {context: ./images/child, args: {BASE_IMAGE: 'r.io/base:1'}}\n";

    /// A family of two, from (package, version) lists; the child's pins are what `pins` makes of the base's lock.
    fn family(base: &[(&str, &str)], child: &[(&str, &str)], extra: &str, change: fn(String) -> String) -> Vec<String> {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("docker-compose.dev.yaml"), DEV).unwrap();
        let lock = |image: &str, packages: &[(&str, &str)], hash: &str| {
            let packages: String = packages
                .iter()
                .map(|(n, v)| format!("[[package]]\nname = \"{n}\"\nversion = \"{v}\"\ngroups = [\"main\"]\n\n"))
                .collect();
            let metadata =
                format!("[metadata]\nlock-version = \"2.1\"\npython-versions = \"3\"\ncontent-hash = \"{hash}\"\n");
            std::fs::write(root.join(format!("images/{image}/poetry.lock")), packages + &metadata).unwrap();
        };
        let write = |image: &str, text: &str| {
            std::fs::create_dir_all(root.join("images").join(image)).unwrap();
            std::fs::write(root.join(format!("images/{image}/pyproject.toml")), text).unwrap();
            Pyproject::parse(Path::new("p"), text).unwrap().content_hash()
        };
        let head = "[project]\nrequires-python = \">=3.13\"\n";
        lock("base", base, &write("base", head));
        let base_lock =
            Lockfile::parse(Path::new("l"), &std::fs::read_to_string(root.join("images/base/poetry.lock")).unwrap())
                .unwrap();
        let plain = Pyproject::parse(Path::new("p"), &format!("{head}{extra}")).unwrap();
        let coupled = change(plain.with_pins(&pins_of(&base_lock, &plain.exceptions().unwrap())).unwrap());
        lock("child", child, &write("child", &coupled));
        let project = Project::load(root, Environment::Dev, Vars::default()).unwrap();
        let files = Files::read(root, &wanted(&project));
        let (members, unread) = members(&project, &files);
        assert_eq!(unread, []);
        findings(&members).into_iter().map(|finding| format!("{}: {}", finding.place, finding.what)).collect()
    }

    fn same(text: String) -> String {
        text
    }

    #[test]
    fn a_coupled_family_has_no_findings() {
        assert_eq!(family(&[("a", "1"), ("b", "2")], &[("a", "1"), ("c", "3")], "", same), [""; 0]);
    }

    #[test]
    fn a_split_is_found_where_it_is_written() {
        let found = family(&[("a", "1")], &[("b", "1"), ("a", "2")], "", same);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("images/child/poetry.lock:6: a 2 here, 1 in base"), "{found:?}");
    }

    #[test]
    fn an_exception_allows_a_split_and_must_be_needed() {
        let exception = "[tool.core-images.exceptions]\na = \"frozen upstream\"\n";
        assert_eq!(family(&[("a", "1")], &[("a", "2")], exception, same), [""; 0]);
        let needless = family(&[("a", "1")], &[("a", "1")], exception, same);
        assert_eq!(needless.len(), 1, "{needless:?}");
        assert!(
            needless[0].starts_with("images/child/pyproject.toml:4: the exception a is no longer needed"),
            "{needless:?}"
        );
        let all = "[tool.core-images.exceptions]\n\"*\" = \"another Python\"\n";
        assert_eq!(family(&[("a", "1"), ("b", "1")], &[("a", "2"), ("b", "3")], all, same), [""; 0]);
    }

    #[test]
    fn what_stands_on_an_exception_follows_it() {
        let folder = xshell::Shell::new().unwrap().create_temp_dir().unwrap();
        let root = folder.path();
        let service = |name: &str, base: &str| {
            format!(
                "  {name}:\n    image: r.io/{name}:1\n    build: {{context: ./images/{name}, args: {{BASE_IMAGE: '{base}'}}}}\n"
            )
        };
        let services =
            [service("base", "debian:13"), service("child", "r.io/base:1"), service("grand", "r.io/child:1")].concat();
        std::fs::write(root.join("docker-compose.dev.yaml"), format!("services:\n{services}")).unwrap();
        let exception = "[tool.core-images.exceptions]\na = \"frozen upstream\"\n";
        for (name, version, extra) in [("base", "1", ""), ("child", "2", exception), ("grand", "2", "")] {
            let images = root.join("images").join(name);
            std::fs::create_dir_all(&images).unwrap();
            let head = format!("[project]\nrequires-python = \">=3.13\"\n{extra}");
            let plain = Pyproject::parse(Path::new("p"), &head).unwrap();
            let bases = root.join("images").join(if name == "grand" { "child" } else { "base" }).join("poetry.lock");
            let pins = match std::fs::read_to_string(&bases) {
                Ok(text) if name != "base" => {
                    pins_of(&Lockfile::parse(&bases, &text).unwrap(), &plain.exceptions().unwrap())
                }
                _ => Pins::new(),
            };
            let text = plain.with_pins(&pins).unwrap();
            let hash = Pyproject::parse(Path::new("p"), &text).unwrap().content_hash();
            std::fs::write(images.join("pyproject.toml"), text).unwrap();
            let lock = format!(
                "[[package]]\nname = \"a\"\nversion = \"{version}\"\ngroups = [\"main\"]\n\n[metadata]\nlock-version = \"2.1\"\n\
                 python-versions = \"3\"\ncontent-hash = \"{hash}\"\n"
            );
            std::fs::write(images.join("poetry.lock"), lock).unwrap();
        }
        let project = Project::load(root, Environment::Dev, Vars::default()).unwrap();
        let files = Files::read(root, &wanted(&project));
        let (members, unread) = members(&project, &files);
        assert_eq!((unread, findings(&members)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn hand_edited_pins_are_found() {
        let found = family(&[("a", "1")], &[("a", "1")], "", |text| text.replace("a = \"1\"", "a = \"2\""));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("coupled pins are not those of base's lock (a 2, base has 1)"), "{found:?}");
    }

    #[test]
    fn another_python_is_found() {
        let found = family(&[("a", "1")], &[("a", "1")], "", |text| text.replace("3.13", "3.12"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("images/child/pyproject.toml:2: Python >=3.12, but base has >=3.13"), "{found:?}");
    }

    #[test]
    fn vendor_wheels_count_without_their_local_part() {
        let text = "# PyTorch\ntorch==2.13.0+cpu --hash=sha256:x\nTorch_Vision==0.29.2\n--no-index\n";
        let wheels = vendor_wheels(Path::new("w.txt"), text);
        let wheels: Vec<_> = wheels.iter().map(|w| (w.place.as_str(), w.name.as_str(), w.version.as_str())).collect();
        assert_eq!(wheels, [("w.txt:2", "torch", "2.13.0"), ("w.txt:3", "torch-vision", "0.29.2")]);
    }
}
