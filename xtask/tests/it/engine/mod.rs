//! The third layer: the real engine, compose, poetry, aws CLI and an authenticated registry. What is asserted is the
//! state of the engine and of the registry's disk, not what we print.
//!
//! `cargo xtask setup --tests` brings what this needs; `cargo xtask ci` runs it. The tests share one build, so they want
//! `--test-threads=1`.

mod browser;
mod copy;
mod dask_base;
mod docker;
mod family;
mod fingerprints;
mod images;
mod interrupts;
mod kubeflow_jupyter;
mod lock;
mod projects;
mod registry;
mod setup;
mod shared;
mod stubs;
mod together;
