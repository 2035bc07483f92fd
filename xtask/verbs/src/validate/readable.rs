//! What the suites' containers mount must be readable for the image's user, whom a strict umask keeps out of a clone.

use plan::{Action, Facts, Invocation, Step};
use project::files::{Entry, Wanted};
use std::path::Path;

/// The suites, below the root.
const SUITES: &str = "images";
/// pytest, as `setup` installs it.
const PYTEST: &str = "target/tools/pytest";

pub fn wanted() -> Wanted {
    Wanted { files: vec![one_of_pytest().into()], trees: vec![SUITES.into()] }
}

/// Installed with the same umask as all of it.
fn one_of_pytest() -> &'static str {
    "target/tools/pytest/pytest/__init__.py"
}

/// Lets every user read what isn't open to all, for git keeps no such mode. None where all is.
pub fn step(facts: &Facts) -> Option<Step> {
    let is_private = |entry: &Entry| matches!(entry, Entry::File(file) if file.private);
    let suites = facts.files.below(Path::new(SUITES)).any(|(_, entry)| is_private(entry)).then_some(SUITES);
    let pytest = facts.files.entry(Path::new(one_of_pytest())).is_ok_and(is_private).then_some(PYTEST);
    let folders: Vec<String> = [suites, pytest].into_iter().flatten().map(|folder| facts.argument(folder)).collect();
    if folders.is_empty() {
        return None;
    }
    let open = ["--recursive", "go+rX"].map(str::to_owned).into_iter().chain(folders);
    Some(Step::new("let the images' users read the suites", Action::Run(Invocation::new("chmod", open))))
}

#[cfg(test)]
mod tests {
    use crate::testing::{self, expect_plan};
    use project::files::{Entry, File};
    use std::time::SystemTime;

    #[test]
    fn a_strict_umask_is_no_obstacle() {
        let private = File { text: String::new(), read_only: false, private: true, modified: SystemTime::UNIX_EPOCH };
        let family = testing::family().with(|facts| {
            facts.files.set("images/conftest.py", Entry::File(private.clone()));
            facts.files.set(super::one_of_pytest(), Entry::File(private));
        });
        expect_plan!("validate_strict_umask", family.outline(&["validate", "fastapi-serve", "python-base"]));
    }
}
