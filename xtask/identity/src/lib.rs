//! What an image is made of, as a value that two machines compute alike.

pub mod context;
mod fingerprint;
mod hash;
pub mod ignore;
mod suite;

pub use fingerprint::{Fingerprint, Part, Sources, Value, additional_folders, fingerprints, used};
pub use hash::{Hash, hash};
pub use suite::suite;
