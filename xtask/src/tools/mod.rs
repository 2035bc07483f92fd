//! Thin wrappers: a typed request becomes the argv of docker compose, poetry or aws. Nothing here runs anything.

pub mod aws;
pub mod diagnose;
pub mod docker;
pub mod poetry;

use std::path::Path;

/// The folder below the root where `setup` puts the tools that the distribution doesn't have at the versions we need.
pub const FOLDER: &str = "target/tools";

/// The program to call: `setup`'s own where it is there, else whatever the PATH has.
pub fn program(root: &Path, shown_root: &Path, name: &str) -> String {
    let own = Path::new(FOLDER).join("bin").join(name);
    if root.join(&own).exists() { shown_root.join(own).display().to_string() } else { name.to_owned() }
}
