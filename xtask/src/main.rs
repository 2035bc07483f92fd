//! `cargo xtask`: parse, find the root, dispatch, and turn an error into a message and an exit code.

#[macro_use]
mod ui;

mod cmd;
mod error;
mod exec;
mod flags;
mod interrupt;
mod parallel;
mod plan;
mod project;
mod tools;

use clap::Parser as _;
use cmd::Context;
use error::{Fault, Kind};
use flags::{Cli, Command};
use std::process::ExitCode;
use ui::{Style, Ui};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::detect();
    match run(cli, ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let fault = error.downcast_ref::<Fault>();
            ui.line(&format!("{} {error:#}", ui.paint(Style::Bad, "error:")));
            if let Some(help) = fault.and_then(|fault| fault.help.as_ref()) {
                ui.line(&format!("{} {help}", ui.paint(Style::Good, " help:")));
            }
            ExitCode::from(fault.map_or(1, |fault| fault.kind.code()))
        }
    }
}

fn run(cli: Cli, ui: Ui) -> anyhow::Result<()> {
    interrupt::listen()?;
    let context = Context::new(cli.globals, ui)?;
    let done = match cli.command {
        Command::Lock(flags) => cmd::lock::run(&context, &flags),
        Command::Build(flags) => cmd::build::run(&context, &flags),
        Command::Login => cmd::login::run(&context),
        Command::Deploy(flags) => cmd::deploy::run(&context, &flags),
        Command::Start(flags) => cmd::start::run(&context, &flags),
        Command::Stop(flags) => cmd::stop::run(&context, &flags),
        Command::Validate(flags) => cmd::validate::run(&context, &flags),
        Command::Setup(flags) => cmd::setup::run(&context, &flags),
        Command::Doctor => cmd::doctor::run(&context),
        Command::List => cmd::list::run(&context),
        Command::Graph(flags) => cmd::graph::run(&context, &flags),
        Command::Report(flags) => cmd::report::run(&context, &flags),
        Command::Check(flags) => cmd::check::run(&context, &flags),
        Command::Ci(flags) => cmd::ci::run(&context, &flags),
        Command::Couple(flags) => exec::couple(&flags.base, &flags.pyproject),
        Command::Completions { shell } => cmd::completions::run(shell),
        Command::Complete { words } => cmd::completions::answer(&context, &words),
    };
    match interrupt::interrupted() {
        true => done.and(Err(Fault::new(Kind::Interrupted, "interrupted").into())),
        false => done,
    }
}
