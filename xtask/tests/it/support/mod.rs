//! What the tests share: a repository in a temporary folder, fake tools beside it, and the real binary run there.

mod assertions;
mod commands;
mod fake_tools;
mod family;
mod prepared;
mod repo;
mod running;

pub use {assertions::*, commands::*, fake_tools::*, family::*, prepared::*, repo::*, running::*};
