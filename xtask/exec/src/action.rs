//! Does one action: runs a tool, changes a file, computes.

use crate::{
    Run,
    child::{self, Child, Drawing, Place, asked},
    compute, files, interrupt,
    output::Sink,
    printed::{self, View},
};
use plan::{
    Action, Invocation, Outcome, Output, Probe, Role, Step, Style,
    tools::diagnose::{self, Diagnosis, Ended, Verdict},
};
use project::error::{Cause, Fault};
use std::{
    io::{self, Read},
    process::Stdio,
    time::Duration,
};

/// How long the engine may take to say that it is there.
const SECOND_LOOK: Duration = Duration::from_secs(15);

/// The code of what a SIGINT has ended.
const BY_SIGINT: u8 = 130;

/// Why an action failed, and what may help.
pub struct Failure {
    fault: Fault,
    /// The fault says already which step failed.
    is_named: bool,
    /// It may go by itself.
    pub transient: bool,
    /// A new login may help.
    pub login_refused: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure { fault, is_named: false, transient: false, login_refused: false }
    }
}

impl Failure {
    /// Of whoever made the plan, or computed what it says.
    fn named(fault: Fault) -> Failure {
        Failure { is_named: true, ..fault.into() }
    }

    /// An error begins with what failed.
    pub fn fault(self, step: &Step) -> Fault {
        match self.is_named {
            true => self.fault,
            false => Fault { what: format!("{}: {}", step.title, self.fault.what), ..self.fault },
        }
    }
}

pub fn act(run: &Run, step: &Step, sink: &Sink, after: &[Outcome]) -> Result<Outcome, Failure> {
    take(&Tool { run, step, sink }, &step.action, after)
}

fn take(tool: &Tool, action: &Action, after: &[Outcome]) -> Result<Outcome, Failure> {
    match action {
        Action::Run(command) => tool.run(command),
        Action::All(actions) => {
            actions.iter().try_for_each(|action| take(tool, action, after).map(drop))?;
            Ok(Outcome::Done)
        }
        Action::Unless(probe, command) => {
            if probe.is_yes(&tool.ask(probe)?) {
                return Ok(Outcome::Present);
            }
            tool.run(command)
        }
        Action::Either(probe, command, otherwise) => {
            // A tool that isn't there is a no.
            let yes = tool.ask(probe).is_ok_and(|output| probe.is_yes(&output));
            tool.run(if yes { command } else { otherwise })
        }
        Action::OnlyIf(probe, command, fault) => {
            let output = tool.ask(probe)?;
            if !output.success() && !diagnose::image_missing(&output.stderr) {
                tool.judged(&probe.run, output.code, &output.stderr)?;
            }
            if !probe.is_yes(&output) {
                return Err(Failure::named(fault.clone()));
            }
            tool.run(command)
        }
        Action::Pipe(from, to) => tool.pipe(from, to),
        Action::Compute(compute) => compute::run(tool.run, compute, tool.sink, after).map_err(Failure::named),
        Action::Stage { .. }
        | Action::Replace { .. }
        | Action::Write { .. }
        | Action::Remove(_)
        | Action::OpenFolder(_) => {
            files::change(action)?;
            Ok(Outcome::Done)
        }
    }
}

/// Runs tools for one step.
pub struct Tool<'a> {
    pub run: &'a Run<'a>,
    pub step: &'a Step,
    pub sink: &'a Sink<'a>,
}

impl Tool<'_> {
    fn ask(&self, probe: &Probe) -> Result<Output, Fault> {
        child::capture(&probe.run, &self.run.exports, None)
    }

    fn run(&self, run: &Invocation) -> Result<Outcome, Failure> {
        let run = &asked(run, &self.run.exports)?;
        if interrupt::interrupted() {
            // A probe that was stopped has answered nothing.
            return Err(crate::interrupted().into());
        }
        self.sink.echo(run);
        if matches!(self.step.role, Role::HandOver) {
            // The tool must not come below a board that nobody draws any more.
            let _asks = self.sink.ui().asks();
            return Err(child::become_tool(run, &self.run.exports).into());
        }
        let mut command = child::command(run, &self.run.exports)?;
        let place = self.place(&mut command);
        let _asks = (place == Place::Ours).then(|| self.sink.ui().asks());
        let alone = !self.run.parallel && !self.run.live && !self.run.settings.quiet;
        let draws = matches!(self.step.role, Role::Build) && alone && self.sink.ui().can_draw();
        let drawing = if draws { Drawing::new().ok() } else { None };
        let (code, tail) = match drawing {
            Some((drawing, tool)) => {
                let failed = |error| failed("opening a terminal", &error);
                let pipe = drawing.pipe().map_err(failed)?;
                command.stdout(tool.try_clone().map_err(failed)?).stderr(tool);
                let mut child = Child::start(&mut command, run, place)?;
                drop(command); // and with it our copies of the tool's end, so that the pipe ends with the tool
                let view = View::AsItComes(self.sink.ui(), Some(&drawing));
                printed::follow(&mut child, run, Some(Box::new(pipe)), None, view)?
            }
            None => {
                let (mut child, pipe) = Child::piped(command, run, place)?;
                self.follow(&mut child, run, Some(pipe), place)?
            }
        };
        self.judged(run, code, &tail)
    }

    /// `from | to`: the bytes go from one tool to the other through the kernel.
    fn pipe(&self, from: &Invocation, to: &Invocation) -> Result<Outcome, Failure> {
        let (from, to) = (&asked(from, &self.run.exports)?, &asked(to, &self.run.exports)?);
        self.sink.echo_pipe(from, to);
        let (reader, writer) = io::pipe().map_err(|error| failed("making a pipe", &error))?;
        let mut source = child::command(from, &self.run.exports)?;
        let place = self.place(&mut source);
        let _asks = (place == Place::Ours).then(|| self.sink.ui().asks());
        source.stdout(writer).stderr(Stdio::piped());
        let mut source_child = Child::start(&mut source, from, place)?;
        drop(source);
        let mut target = child::command(to, &self.run.exports)?;
        target.stdin(reader).stdout(Stdio::null()).stderr(Stdio::piped());
        // The source, which would wait for a reader for ever, ends with its value.
        let mut target_child = Child::start(&mut target, to, place)?;
        drop(target);
        let errors = |child: &mut Child| child.stderr().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let (source_errors, target_errors) = (errors(&mut source_child), errors(&mut target_child));
        let (source_end, target_end) = std::thread::scope(|scope| {
            let source = scope.spawn(|| self.follow(&mut source_child, from, source_errors, place));
            let target = self.follow(&mut target_child, to, target_errors, Place::Group);
            (source.join().unwrap_or_else(|panic| Err(crate::internal(panic.as_ref()))), target)
        });
        // The first to fail is the cause: without a password the login fails as well.
        let ((source_code, source_tail), (target_code, target_tail)) = (source_end?, target_end?);
        self.judged(from, source_code, &source_tail)?;
        self.judged(to, target_code, &target_tail)
    }

    /// Lets what may ask a person have the terminal, where there is one.
    fn place(&self, command: &mut std::process::Command) -> Place {
        if matches!(self.step.role, Role::Login) && child::is_ours() {
            command.stdin(Stdio::inherit());
            return Place::Ours;
        }
        Place::Group
    }

    /// Shows what comes: what may ask a person as it comes, everything else line by line.
    fn follow(
        &self,
        child: &mut Child,
        run: &Invocation,
        pipe: Option<Box<dyn Read + Send>>,
        place: Place,
    ) -> Result<(u8, String), Fault> {
        let mut say = |line: &str| self.sink.say(Style::Plain, line);
        let view = match place {
            Place::Ours => View::AsItComes(self.sink.ui(), None),
            Place::Group | Place::Aside => View::Lines(&mut say),
        };
        printed::follow(child, run, pipe, None, view)
    }

    /// What the end of a tool means.
    pub fn judged(&self, run: &Invocation, code: u8, tail: &str) -> Result<Outcome, Failure> {
        if code == 0 {
            return Ok(Outcome::Done);
        }
        if code == BY_SIGINT && matches!(self.step.role, Role::Login) {
            interrupt::await_own();
        }
        let profile = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().find_map(|name| self.run.exports.get(name));
        let ended = Ended { role: &self.step.role, run, code, tail, profile: profile.as_deref() };
        match diagnose::verdict(&ended) {
            Verdict::Done(note) => {
                self.sink.say(Style::Plain, &note);
                Ok(Outcome::Done)
            }
            Verdict::Failed(diagnosis) => {
                let Diagnosis { fault, transient, login_refused, second_look } = *diagnosis;
                let truth = second_look.filter(|_| !interrupt::interrupted()).and_then(|(question, fault)| {
                    let answer = child::capture(&question, &self.run.exports, Some(SECOND_LOOK));
                    answer.map_or(true, |output| !output.success()).then_some(fault)
                });
                match truth {
                    Some(fault) => Err(fault.into()),
                    None => Err(Failure { transient, login_refused, ..fault.into() }),
                }
            }
        }
    }
}

fn failed(doing: &str, error: &io::Error) -> Fault {
    Fault::new(Cause::Io, format!("{doing}: {error}"))
}

/// Cleans up, also after an interrupt, which doesn't reach it; so it has a limit instead.
pub fn clean_up(run: &Run, action: &Action, sink: &Sink) -> Result<(), Fault> {
    let Action::Run(command) = action else { return files::change(action) };
    let asked = asked(command, &run.exports)?;
    sink.echo(&asked);
    let command = child::command(&asked, &run.exports)?;
    let (mut child, pipe) = Child::piped(command, &asked, Place::Aside)?;
    let (limit, mut unseen) = (Some(run.settings.cleanup_limit), |_: &str| {});
    let (code, said) = printed::follow(&mut child, &asked, Some(pipe), limit, View::Lines(&mut unseen))?;
    // What isn't there needs no cleaning up, and must not look like another error.
    if code != 0 && !diagnose::is_gone(&said) {
        said.lines().for_each(|line| sink.tell(line));
    }
    Ok(())
}
