//! Thin wrappers: a typed request becomes the argv of docker compose, poetry or aws, and their answer a typed value.
//! Nothing here runs anything.

pub mod aws;
pub mod diagnose;
pub mod docker;
pub mod git;
pub mod poetry;
pub mod registry;

/// The folder below the root where `setup` puts the tools that the distribution doesn't have at the versions we need.
pub const FOLDER: &str = "target/tools";
