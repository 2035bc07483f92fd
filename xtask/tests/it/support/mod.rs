//! Shared by all tests: a repository in a temporary folder, fake tools, and the real binary run there.

mod assertions;
mod commands;
mod fake_tools;
mod family;
mod prepared;
mod repo;
mod running;

pub use {assertions::*, commands::*, fake_tools::*, family::*, prepared::*, repo::*, running::*};
