//! One version across the family: an image's pyproject.toml pins what its base's lock holds, so that the resolver itself
//! refuses a split.

use crate::{
    Image, Origin, Project,
    error::Fault,
    family::Member,
    lockfile::{Lockfile, Package},
    package::PackageName,
    pin::{Pin, Pins},
    pyproject::Pyproject,
};
use std::collections::BTreeMap;

/// Excepts every package that is split: for an image whose interpreter or vendor leaves no choice.
const EVERYTHING: &str = "*";

/// What an image's pins must be: everything its base has installed, less the exceptions.
pub fn pins_of(base: &Lockfile, exceptions: &BTreeMap<PackageName, String>) -> Pins {
    let mut pins = Pins::new();
    if exceptions.contains_key(EVERYTHING) {
        return pins;
    }
    for package in base.packages.iter().filter(|package| package.installed) {
        if !exceptions.contains_key(&package.name) {
            pins.entry(package.name.clone()).or_default().push(pin(package));
        }
    }
    pins
}

/// What an image holds: what it installs itself, a vendor's wheels included, and all that its bases hold, but for what is
/// in an environment of another Python. In the order from the image to its outermost base.
pub fn held(project: &Project, members: &[Member], image: &Image) -> Pins {
    let mut held = Pins::new();
    let mut next = Some(image);
    while let Some(image) = next.take() {
        let Some(member) = members.iter().find(|member| member.image.name == image.name) else { break };
        let mut own = Pins::new();
        for package in member.lock.packages.iter().filter(|package| package.own) {
            own.entry(package.name.clone()).or_default().push(pin(package));
        }
        let vendors = member.vendor.iter().map(|wheel| {
            let pin = Pin { version: wheel.version.clone(), markers: None, source: None };
            (wheel.name.clone(), vec![pin])
        });
        for (name, pins) in own.into_iter().chain(vendors) {
            held.entry(name).or_insert(pins);
        }
        if !member.exceptions.contains_key(EVERYTHING) {
            next = image.family_bases().filter_map(|base| project.find(base)).find(|base| !base.helper);
        }
    }
    held
}

fn pin(package: &Package) -> Pin {
    Pin { version: package.version.clone(), markers: package.marker.clone(), source: package.source.clone() }
}

impl Pyproject {
    /// Does it go its own way, whatever another image's lock says?
    ///
    /// # Errors
    /// An exception without a reason.
    pub fn is_apart(&self) -> Result<bool, Fault> {
        Ok(self.exceptions()?.contains_key(EVERYTHING))
    }
}

impl Project {
    /// The image whose versions `image` keeps to: what its pyproject.toml names, else the one it is built on.
    ///
    /// # Errors
    /// It names an image that isn't there.
    pub fn coupled_to(&self, image: &Image, pyproject: &Pyproject) -> Result<Option<&Image>, Fault> {
        if let Some(name) = pyproject.coupled_to() {
            let unknown = |why: String| {
                let what = format!("{}/pyproject.toml: coupled-to = \"{name}\": {why}", image.folder.display());
                Fault::project(what).help("name an image of the compose file that the versions are to be kept to")
            };
            let name = name.parse().map_err(unknown)?;
            return self.image(&name).map(Some).map_err(|fault| unknown(fault.what));
        }
        // What the image installs on top of, before what it only copies from.
        let (first, others): (Vec<_>, Vec<_>) = image.bases.iter().partition(|base| base.argument == "BASE_IMAGE");
        let named = first.into_iter().chain(others).filter_map(|base| match &base.origin {
            Origin::Family(name) | Origin::Pinned(name) => Some(name),
            Origin::External => None,
        });
        Ok(named.filter_map(|name| self.image(name).ok()).find(|base| !base.helper))
    }
}
