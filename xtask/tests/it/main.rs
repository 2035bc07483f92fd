//! The tests of the binary: a folder a layer, a file a verb or a topic.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helper fails the test")]
#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests start processes, signal and print")]

mod cli;
mod engine;
mod repository;
mod support;
