//! What an image is made of, as a value that two machines compute alike.

pub mod context;
mod hash;
pub mod ignore;

pub use hash::{Hash, hash};
