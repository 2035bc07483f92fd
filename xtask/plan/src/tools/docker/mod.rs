//! docker and docker compose.

mod answers;
mod commands;
mod labels;

pub use answers::{Inspected, major_minor};
pub use commands::*;
pub use labels::*;
