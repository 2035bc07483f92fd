//! The memory that machines share: a registry (`CACHE_REGISTRY`) where images are kept under their fingerprint, and what
//! their suites passed for under the hash of all that a pass depends on. What a name says never changes, so there is
//! nothing to lock, and immutable tags suit it.

use super::{own_variable, registry};
use identity::Hash;
use plan::{
    Action, Facts, Invocation, OnFailure, Role, Step,
    facts::Published,
    tools::docker::{self, STAND_IN},
};
use project::{
    Image, ImageName, ImageRef, Origin, Project,
    error::{Cause, Fault},
};
use std::path::Path;

pub const VARIABLE: &str = "CACHE_REGISTRY";
/// Begins the tag of an image that is kept by its fingerprint.
const FINGERPRINT: &str = "fp-";

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    pub place: String,
}

impl Shared {
    /// None where nobody asked for one.
    pub fn of(project: &Project) -> Option<Shared> {
        own_variable(project, None, VARIABLE).map(|place| Shared { place })
    }

    /// Where the image with this fingerprint is kept.
    pub fn image(&self, name: &ImageName, fingerprint: Hash) -> Option<ImageRef> {
        format!("{}/{name}:{FINGERPRINT}{fingerprint}", self.place).parse().ok()
    }

    /// Where an image's build cache is kept: the one name whose content changes, so where that isn't allowed, it is kept once.
    pub fn layers(&self, name: &ImageName) -> Option<ImageRef> {
        format!("{}/{name}:buildcache", self.place).parse().ok()
    }

    /// Where it is kept that an image's suite has passed, by the hash of what the pass depends on.
    pub fn pass(&self, name: &ImageName, key: Hash) -> Option<ImageRef> {
        format!("{}/{name}:passed-{key}", self.place).parse().ok()
    }

    /// What a dry run says, since it doesn't ask what there is.
    pub fn foretold(&self, does: &str) -> String {
        format!("{VARIABLE}={}: a run {does}", self.place)
    }

    /// Why the registry was no help, where it didn't answer.
    pub fn silence(&self, facts: &Facts, asked: &[ImageRef]) -> Option<String> {
        let why = asked.iter().find_map(|reference| match facts.registry.get(reference)? {
            Published::Refused(why) | Published::Unreachable(why) => Some(why),
            _ => None,
        })?;
        Some(format!("{VARIABLE}: {} doesn't say what it has, so it is passed over: {why}", self.place))
    }
}

/// Has a registry this?
pub fn has(facts: &Facts, reference: &ImageRef) -> bool {
    matches!(facts.registry.get(reference), Some(Published::Image { .. }))
}

/// Does a registry say that it hasn't?
pub fn lacks(facts: &Facts, reference: &ImageRef) -> bool {
    matches!(facts.registry.get(reference), Some(Published::Missing | Published::NoRepository))
}

/// May what is built for this image be kept there? What stands on a stand-in never leaves this machine.
pub fn may_leave(project: &Project, facts: &Facts, image: &Image, to: &ImageRef) -> bool {
    let on_stand_in = |image: &&Image| {
        let stands_in = |reference: &ImageRef| {
            facts.engine.find(reference).is_some_and(|found| !docker::stand_ins(&found.labels).is_empty())
        };
        let of_others = image.bases.iter().filter(|base| !matches!(base.origin, Origin::Family(_)));
        image.indexes.iter().any(|(_, url)| url == STAND_IN) || of_others.map(|base| &base.reference).any(stands_in)
    };
    to.is_loopback()
        || project.with_bases(std::slice::from_ref(&image.name)).is_ok_and(|images| !images.iter().any(on_stand_in))
}

/// A step that brings an image from where it is kept, under its own name: only if it is what the name there says.
pub fn fetch(project: &Project, facts: &Facts, image: &Image, from: &ImageRef) -> Step {
    let what = format!("fetch {}: {from} has another fingerprint than its name says", image.name);
    let help = format!("remove it there, or build without it: `{VARIABLE}= cargo xtask build {}`", image.name);
    let named = if_as_named(from, docker::tag(from, &image.reference), Fault::new(Cause::Refused, what).help(help));
    step(project, facts, image, "fetch", [Action::Run(docker::pull(from)), named], from)
}

/// A step that keeps an image there, which fails nothing where it can't: only if it still is what the name there says, since another run, or plain compose, may
/// have built it again.
pub fn keep(project: &Project, facts: &Facts, image: &Image, to: &ImageRef) -> Step {
    let what = format!("keep {}: the engine has another image of that name by now", image.name);
    let help = format!("`cargo xtask build {}`", image.name);
    let named = if_as_named(to, docker::push(to), Fault::new(Cause::Busy, what).help(help));
    let tag = Action::Run(docker::tag(&image.reference, to));
    step(project, facts, image, "keep", [tag, named], to).on_failure(OnFailure::Continue)
}

/// A step that keeps there what was built from a folder.
pub fn keep_folder(project: &Project, facts: &Facts, image: &Image, folder: &Path, to: &ImageRef) -> Step {
    let run = [docker::build_folder(folder, to), docker::push(to)].map(Action::Run);
    step(project, facts, image, "keep the pass of", run, to).on_failure(OnFailure::Continue)
}

/// A command on an image that was given its name there, where its label says the same.
fn if_as_named(named: &ImageRef, run: Invocation, otherwise: Fault) -> Action {
    let fingerprint = named.tag.trim_start_matches(FINGERPRINT);
    Action::OnlyIf(docker::has_fingerprint(named, fingerprint), run, otherwise)
}

/// A step that leaves nothing in the engine under the name `there`.
fn step(project: &Project, facts: &Facts, image: &Image, what: &str, run: [Action; 2], there: &ImageRef) -> Step {
    let login = registry::login(project, facts, there).map(Box::new);
    let untag = || Action::Run(docker::untag(there));
    Step::new(format!("{what} {}", image.name), Action::All(run.into_iter().chain([untag()]).collect()))
        .image(&image.name)
        .role(Role::Registry { login })
        .cleanup([untag()])
}
