//! `cargo xtask`: parse, dispatch, and turn an error into a message and an exit code.

use clap::Parser as _;
use project::error::Fault;
use std::process::ExitCode;
use xtask::{
    flags::Cli,
    ui::{Style, Ui},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::detect();
    match xtask::run(cli, ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let fault = error.downcast_ref::<Fault>();
            ui.line(&format!("{} {error:#}", ui.paint(Style::Bad, "error:")));
            if let Some(help) = fault.and_then(|fault| fault.help.as_ref()) {
                ui.line(&format!("{} {help}", ui.paint(Style::Good, " help:")));
            }
            ExitCode::from(fault.map_or(1, |fault| fault.cause.exit_code()))
        }
    }
}
