//! An external image is a service of the compose files, for bots look there, and an argument of what is built from it:
//! both name the same. `--write` carries a tag that a bot moved from the service to the arguments.

mod edit;

use super::{Side, Written};
use project::{
    Base, Image, ImageRef, Origin, Project,
    family::{Finding, Repair},
};
use std::collections::{HashMap, HashSet};

/// An external image that an argument names and no service does.
struct Unnamed<'a> {
    image: &'a Image,
    base: &'a Base,
    /// The service that names another version of it, one that no argument has.
    moved: Option<&'a (String, ImageRef)>,
}

pub fn findings(sides: &[Side; 2]) -> Vec<Finding> {
    sides.iter().flat_map(of_side).collect()
}

fn of_side(side: &Side) -> Vec<Finding> {
    let finding = |Unnamed { image, base, moved }: Unnamed| {
        let (name, argument, reference) = (&image.name, &base.argument, &base.reference);
        let finding = |what| side.finding_at(&["services", name.as_str(), "build", "args", argument], what);
        let Some((service, named)) = moved else {
            return finding(format!(
                "{name}: {argument} is {reference}, which no service with the profile external has"
            ));
        };
        let what = format!("{name}: {argument} is {reference}, the service {service} has {named}");
        match edit::place(side, image, base) {
            Some(_) => finding(what).repair(Repair::Write),
            None => finding(what + ": change it by hand"),
        }
    };
    unnamed(side.project).into_iter().map(finding).collect()
}

fn unnamed(project: &Project) -> Vec<Unnamed<'_>> {
    let bases = project.images.iter().flat_map(|image| image.bases.iter().map(move |base| (image, base)));
    let external: Vec<_> = bases.filter(|(_, base)| base.origin == Origin::External).collect();
    let used: HashSet<&ImageRef> = external.iter().map(|(_, base)| &base.reference).collect();
    let named: HashSet<&ImageRef> = project.externals.iter().map(|(_, named)| named).collect();
    let repository = |reference: &ImageRef| (reference.registry.clone(), reference.repository.clone());
    let unused = project.externals.iter().filter(|(_, named)| !used.contains(named));
    // The first service of each repository.
    let moved: HashMap<_, _> = unused.rev().map(|service| (repository(&service.1), service)).collect();
    let unnamed = external.into_iter().filter(|(_, base)| !named.contains(&base.reference));
    let moved = |base: &Base| moved.get(&repository(&base.reference)).copied();
    unnamed.map(|(image, base)| Unnamed { image, base, moved: moved(base) }).collect()
}

/// The compose files with the references of the external services in the arguments that name another version.
pub fn carried(sides: &[Side; 2]) -> Vec<Written> {
    let of_side = |side: &Side| {
        let edit = |Unnamed { image, base, moved }: Unnamed| {
            let place = edit::place(side, image, base)?;
            Some((place.start, place.end, moved?.1.to_string()))
        };
        let mut edits: Vec<_> = unnamed(side.project).into_iter().filter_map(edit).collect();
        // An anchor's value is several images'.
        edits.sort();
        edits.dedup();
        let mut text = side.text.to_owned();
        // From the end, so that what is before keeps its place.
        edits.iter().rev().for_each(|(start, end, new)| text.replace_range(start..end, new));
        let note = "external images' tags carried to the arguments";
        (!edits.is_empty()).then(|| Written { path: side.project.file().into(), text, note })
    };
    sides.iter().filter_map(of_side).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CI, DEV, Rules};

    fn moved(rules: Rules, from: &str, to: &str) -> Rules {
        let (from, to) = (format!("image: {from}\n"), format!("image: {to}\n"));
        rules.edit(DEV, &from, &to).edit(CI, &from, &to)
    }

    /// The lines that `check --write` changes in dev's file, as they are then.
    fn changed(rules: &Rules) -> Vec<String> {
        let writes = rules.writes();
        let Some((_, new)) = writes.iter().find(|(path, _)| path == DEV) else { return Vec::new() };
        let old = rules.read(DEV);
        assert_eq!(old.lines().count(), new.lines().count());
        let lines = old.lines().zip(new.lines()).filter(|(old, new)| old != new);
        lines.map(|(_, new)| new.trim().to_owned()).collect()
    }

    #[test]
    fn a_tag_that_a_bot_moved_is_carried_to_the_arguments() {
        let rules = moved(Rules::kept(), "debian:13", "debian:13.1");
        let what = "is debian:13, the service debian has debian:13.1: cargo xtask check --write";
        let found = rules.findings();
        assert!(found.iter().any(|found| found.ends_with(&format!(": python-base: BASE_IMAGE {what}"))), "{found:?}");
        assert!(found[0].starts_with("docker-compose.dev.yaml:"), "{found:?}");
        assert_eq!(changed(&rules), ["DEBIAN_IMAGE: debian:13.1", "BASE_IMAGE: debian:13.1"]);
        // What is generated is of the files as they will be, and once is enough.
        let written = rules.written();
        assert!(written.read("README.md").contains("| `debian:13.1` |"));
        assert_eq!((written.findings(), written.writes()), (vec![], vec![]));
    }

    #[test]
    fn only_a_whole_value_is_changed() {
        let other = "  slim:\n    profiles: [external]\n    image: debian:13-slim\n\n  build-tools:";
        let mut rules = moved(Rules::kept(), "debian:13", "debian:13.1");
        for file in [DEV, CI] {
            rules = rules
                .edit(file, "  build-tools:", other)
                .edit(file, "        BASE_IMAGE: debian:13\n", "        BASE_IMAGE: debian:13 # not debian:12\n")
                .edit(file, "        DEBIAN_IMAGE: debian:13\n", "        DEBIAN_IMAGE: debian:13-slim\n")
                .edit(file, "name: core-images", "name: core-images # debian:13");
        }
        assert_eq!(changed(&rules), ["BASE_IMAGE: debian:13.1 # not debian:12"]);
        let rules = moved(Rules::kept(), "debian:13", "debian:13.1.1")
            .edit(DEV, "DEBIAN_IMAGE: debian:13", "DEBIAN_IMAGE: debian:13.1")
            .edit(CI, "DEBIAN_IMAGE: debian:13", "DEBIAN_IMAGE: debian:13.1");
        assert_eq!(changed(&rules), ["DEBIAN_IMAGE: debian:13.1.1", "BASE_IMAGE: debian:13.1.1"]);
    }

    #[test]
    fn two_versions_are_not_mixed_up() {
        let mut rules = Rules::kept();
        for file in [DEV, CI] {
            let old = "  old:\n    profiles: [external]\n    image: debian:12\n\n  build-tools:";
            rules =
                rules.edit(file, "  build-tools:", old).edit(file, "BASE_IMAGE: debian:13", "BASE_IMAGE: debian:12");
        }
        let rules = rules.written();
        assert_eq!((rules.findings(), changed(&rules)), (vec![], vec![]));
    }

    #[test]
    fn anchors_and_comments_are_kept() {
        let rules = moved(Rules::kept(), "debian:13", "debian:13.1")
            .edit(DEV, "DEBIAN_IMAGE: debian:13", "DEBIAN_IMAGE: &debian debian:13 # a comment")
            .edit(DEV, "BASE_IMAGE: debian:13", "BASE_IMAGE: *debian");
        assert_eq!(changed(&rules), ["DEBIAN_IMAGE: &debian debian:13.1 # a comment"]);
        assert_eq!(rules.written().findings(), [""; 0]);
        // What is shared stands outside of the services.
        let rules = moved(Rules::kept(), "debian:13", "debian:13.1")
            .edit(DEV, "services:\n", "x-args: &args\n  BASE_IMAGE: debian:13\nservices:\n")
            .edit(DEV, "        BASE_IMAGE: debian:13\n", "        <<: *args\n");
        assert_eq!(changed(&rules), ["BASE_IMAGE: debian:13.1", "DEBIAN_IMAGE: debian:13.1"]);
        assert_eq!(rules.written().findings(), [""; 0]);
    }

    #[test]
    fn a_value_that_is_not_written_out_is_left_to_a_person() {
        let rules = moved(Rules::kept(), "debian:13", "debian:13.1").edit(
            DEV,
            "BASE_IMAGE: debian:13",
            "BASE_IMAGE: ${DEBIAN:-debian:13}",
        );
        assert_eq!(changed(&rules), ["DEBIAN_IMAGE: debian:13.1"]);
        let by_hand = "python-base: BASE_IMAGE is debian:13, which no service with the profile external has";
        let left = rules.written().findings();
        assert!(left.iter().any(|found| found.ends_with(by_hand)), "{left:?}");
    }

    #[test]
    fn an_image_that_no_service_names_is_a_fault() {
        let rules = Rules::kept().edit(CI, "BASE_IMAGE: debian:13", "BASE_IMAGE: alpine:3");
        let what = "python-base: BASE_IMAGE is alpine:3, which no service with the profile external has";
        assert!(rules.findings().iter().any(|found| found.starts_with(CI) && found.ends_with(what)));
        assert_eq!(changed(&rules), [""; 0]);
    }
}
