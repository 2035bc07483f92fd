//! `cargo xtask`: parse, read the facts, plan, run; then turn an error into a message and an exit code.

mod claims;
mod facts;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory as _, FromArgMatches as _};
use exec::{
    Executor, Settings, caught, interrupt,
    output::{Ui, report_panics, secrets_of},
};
use facts::Place;
use plan::tools::aws;
use project::{
    Environment, Project,
    error::{Cause, Fault},
    vars::Vars,
};
use std::{env, fs, io, process::ExitCode, thread, time::Duration};
use verbs::{
    common::environment,
    completions,
    flags::{Cli, Command, Globals, Shell},
    setup::DEFAULT_INDEX,
};

/// In the place of each wait before a further try, in milliseconds; for tests.
const BACKOFF: &str = "XTASK_BACKOFF_MS";

fn main() -> ExitCode {
    let ui = Ui::detect();
    report_panics(&ui);
    let parsed = Cli::command().try_get_matches().and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, &ui),
    };
    let name = matches.subcommand_name().unwrap_or_default();
    let run = || caught(|| run(&cli, name, &ui)).map_err(Into::into).and_then(|result| result);
    let Err(error) = interrupt::listen().map_err(Into::into).and_then(|()| run()) else {
        return ExitCode::SUCCESS;
    };
    let fault = match fault_of(error) {
        // A tool that was stopped has failed, too, but not by itself.
        fault if fault.cause != Cause::Interrupted && interrupt::interrupted() => {
            Fault::new(Cause::Interrupted, "interrupted")
        }
        fault => fault,
    };
    ui.fault(&fault);
    ExitCode::from(fault.cause.exit_code())
}

/// Help, the version, or what is wrong with the arguments, in clap's own words and colours.
fn usage(error: &clap::Error, ui: &Ui) -> ExitCode {
    match error.print() {
        // Whoever read it has read enough.
        Err(failed) if !error.use_stderr() && failed.kind() != io::ErrorKind::BrokenPipe => {
            let fault = Fault::new(Cause::Io, format!("writing to standard output: {failed}"));
            ui.fault(&fault);
            ExitCode::from(fault.cause.exit_code())
        }
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
    }
}

/// An error that is not a fault yet is one of the file system's, or else our own.
fn fault_of(error: anyhow::Error) -> Fault {
    error.downcast::<Fault>().unwrap_or_else(|error| {
        let cause = if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some()) {
            Cause::Io
        } else {
            Cause::Internal
        };
        Fault::new(cause, format!("{error:#}"))
    })
}

fn run(cli: &Cli, name: &str, ui: &Ui) -> Result<()> {
    let globals = &cli.globals;
    let Some(verb) = verbs::verb(&cli.command) else {
        return complete(&cli.command, ui);
    };
    let place = Place::find()?;
    // First of all: from here on every error, too, passes without the credentials.
    let exec = executor(&place, globals, ui);
    // `check` reads the files as they are by themselves, whatever variables this shell has.
    let vars = if matches!(cli.command, Command::Check(_)) { Vars::default() } else { place.vars(globals)? };
    let environment = environment(&vars, globals)?;
    let mut project = Project::load(&place.root, environment, vars)?;
    if let Some(vars) = aws::vars_of_region(&project) {
        project = Project::load(&place.root, environment, vars)?;
    }
    if let Some(reference) = cli.command.since().and_then(|since| since.changed_since.as_ref()) {
        // Also in a dry run: without, there is nothing to show.
        let changed = facts::changed(&place, &project, &exec, reference)?;
        let none = changed.is_empty();
        project.changed = Some(changed);
        let none_of = cli.command.images().map(|images| images.of(&project)).transpose()?;
        // A script reads an empty answer as well.
        let answers = globals.json || matches!(cli.command, Command::Matrix(_));
        if !answers && (none || none_of.is_some_and(|images| images.is_empty())) {
            ui.note(format!("nothing that images are made of has changed since {reference}"));
            return Ok(());
        }
    }
    let needs = verb.needs(&project, globals)?;
    let (mut facts, _claims) = facts::read(&place, &project, &needs, name, &exec, globals.dry_run)?;
    if !globals.dry_run {
        facts::add(&project, &verb.more_needs(&project, &facts, globals)?, &exec, &mut facts)?;
    }
    let plan = verb.plan(&project, &facts, globals)?;
    if globals.dry_run {
        plan.notes.iter().filter(|_| !globals.quiet).for_each(|note| ui.note(note.clone()));
    }
    match (globals.dry_run, globals.json) {
        (false, _) => exec.run(&plan)?,
        (true, false) => ui.data(&plan.to_string())?,
        (true, true) => ui.data(&format!("{:#}\n", plan.json()))?,
    }
    Ok(())
}

/// Completions: no plan, and no clone needed.
fn complete(command: &Command, ui: &Ui) -> Result<()> {
    match command {
        Command::Completions { shell } => ui.data(&script(*shell)?)?,
        Command::Complete { words } => {
            let place = Place::find().ok();
            // A broken compose file completes nothing.
            let project = place.and_then(|place| Project::load(&place.root, Environment::Dev, Vars::default()).ok());
            ui.data(&completions::answer(project.as_ref(), words))?;
        }
        other => bail!("{other:?} has neither a plan nor an answer"),
    }
    Ok(())
}

fn script(shell: Shell) -> Result<String> {
    let program = env::current_exe().context("finding this program's own path")?;
    let program = program.to_str().with_context(|| format!("{} is not a UTF-8 path", program.display()))?;
    Ok(completions::script(shell, program))
}

fn executor(place: &Place, globals: &Globals, ui: &Ui) -> Executor {
    // Credentials in index URLs, which tools print when they can't reach them.
    let noted = fs::read_to_string(place.root.join(DEFAULT_INDEX)).ok();
    let secrets = secrets_of(place.values().chain(noted));
    let jobs = globals.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let mut settings =
        Settings { verbose: globals.verbose, quiet: globals.quiet, ..Settings::new(ui.clone(), secrets, jobs) };
    if let Some(wait) = env::var(BACKOFF).ok().and_then(|wait| wait.parse().ok()) {
        settings.backoff.fill(Duration::from_millis(wait));
    }
    Executor::new(settings)
}
