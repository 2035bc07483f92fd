//! The second layer of tests: the real binary in a generated repository, with fake docker, poetry and aws on a PATH that
//! holds nothing else. What is asserted: the invocations and their order, what is not run after a failure, exit codes,
//! and which words go where. Nothing here is timed; a process that hangs fails its test.

mod build;
mod changed_since;
mod check;
mod ci;
mod claims;
mod completions;
mod deploy;
mod deploy_guards;
mod doctor;
mod dry_run;
mod interrupts;
mod list;
mod lock;
mod lock_family;
mod login;
mod logs_shell;
mod outdated;
mod output;
mod preflight;
mod start_stop;
mod terminal;
mod usage;
mod validate;
mod variables;
