//! What `cargo xtask` does. A library beside the program, and the repository's reading a crate of its own, since cargo
//! compiles libraries side by side where a program waits for all that it is made of.

#[macro_use]
pub mod ui;

mod cmd;
mod exec;
pub use verbs::flags;
mod interrupt;
mod junit;
mod plan;
mod tools;

use cmd::Context;
use flags::{Cli, Command};
use project::error::{Cause, Fault};
use ui::Ui;

/// Finds the root and does what was asked.
///
/// # Errors
/// What failed; a [`Fault`] where there is an exit code for it.
pub fn run(cli: Cli, ui: Ui) -> anyhow::Result<()> {
    interrupt::listen()?;
    let context = Context::new(cli.globals, ui)?;
    let done = match cli.command {
        Command::Lock(flags) => cmd::lock::run(&context, &flags),
        Command::Build(flags) => cmd::build::run(&context, &flags),
        Command::Login(_) => cmd::login::run(&context),
        Command::Deploy(flags) => cmd::deploy::run(&context, &flags),
        Command::Start(flags) => cmd::start::run(&context, &flags),
        Command::Stop(flags) => cmd::stop::run(&context, &flags),
        Command::Validate(flags) => cmd::validate::run(&context, &flags),
        Command::Setup(flags) => cmd::setup::run(&context, &flags),
        Command::Doctor(_) => cmd::doctor::run(&context),
        Command::List(_) => cmd::list::run(&context),
        Command::Graph(flags) => cmd::graph::run(&context, &flags),
        Command::Report(flags) => cmd::report::run(&context, &flags),
        Command::Check(flags) => cmd::check::run(&context, &flags),
        Command::Ci(flags) => cmd::ci::run(&context, &flags),
        Command::Couple(flags) => exec::couple(&flags.base, &flags.pyproject),
        Command::Completions { shell } => cmd::completions::run(shell),
        Command::Complete { words } => cmd::completions::answer(&context, &words),
        Command::Fingerprint(_) => Ok(()), // main plans it
    };
    let told =
        |error: &anyhow::Error| error.downcast_ref::<Fault>().is_some_and(|fault| fault.cause == Cause::Interrupted);
    // A tool that was stopped has failed, too, but not by itself.
    match interrupt::interrupted() && !done.as_ref().is_err_and(told) {
        true => Err(Fault::new(Cause::Interrupted, "interrupted").into()),
        false => done,
    }
}
