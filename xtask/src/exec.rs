//! The only place where processes are spawned and a plan's files are touched.
#![expect(clippy::disallowed_methods, reason = "the one module that starts processes")]

use crate::{
    interrupt::{self, Group},
    plan::{Action, EnvValue, Invocation, Plan, Probe, Step},
    tools::diagnose,
    ui::{Style, Ui, duration},
};
use anyhow::{Context as _, Result};
use project::{
    coupling::pins_of,
    error::{Cause, Fault},
    lockfile::Lockfile,
    pyproject::Pyproject,
};
use std::{
    collections::VecDeque,
    fs,
    io::{BufRead as _, BufReader, Read},
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError, RwLock, mpsc},
    thread,
    time::{Duration, Instant},
};
use xshell::Shell;

/// Waits before each further try of a step that may be retried; BuildKit's own, and two longer ones.
const BACKOFF: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// How long a command that cleans up may take.
const RESCUE: Duration = Duration::from_secs(30);
/// How many of a step's last lines are kept to tell why it failed.
const TAIL: usize = 200;

pub struct Executor {
    pub ui: Ui,
    /// Credentials in index URLs, which tools print when they can't reach them: never shown.
    pub secrets: Vec<String>,
    /// How many steps may run at a time.
    pub jobs: usize,
    /// What the plan exports to its steps.
    pub exports: RwLock<Vec<(String, String)>>,
}

/// What a capture gave.
#[derive(Debug, Clone)]
pub struct Output {
    pub success: bool,
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The probe said that there is nothing to do.
    Present,
    Failed(Fault),
    /// It failed, and that doesn't matter.
    PassedOver,
    /// A step it needs wasn't done.
    NotRun,
}

/// Where a step's output goes.
enum Sink<'a> {
    /// Straight to our own standard error: the tool draws on the terminal.
    Terminal,
    /// Line by line, each behind this prefix.
    Lines(String),
    /// Kept, to be shown as a block at the end.
    Block(&'a Mutex<Vec<String>>),
}

impl Executor {
    /// Runs a plan: what doesn't wait for each other side by side, and nothing after a step that failed but what doesn't
    /// need it.
    ///
    /// # Errors
    /// The first failure, after all has ended; the others were shown.
    pub fn run(&self, plan: &Plan) -> Result<()> {
        first_failure(self.run_all(plan)?).map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Like `run`, with how each step ended; only an interrupt is an error.
    pub fn run_all(&self, plan: &Plan) -> Result<Vec<Outcome>> {
        for (name, value) in &plan.exports {
            let value = self.value(value)?;
            self.exports.write().unwrap_or_else(PoisonError::into_inner).push((name.clone(), value));
        }
        let parallel = self.jobs > 1 && !plan.is_chain();
        let mut outcomes: Vec<Option<Outcome>> = vec![None; plan.steps.len()];
        let mut started = vec![false; plan.steps.len()];
        let mut times = vec![Duration::ZERO; plan.steps.len()];
        let jobs = if parallel { self.jobs } else { 1 };
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let mut running = 0;
            loop {
                for (i, step) in plan.steps.iter().enumerate() {
                    if started[i] || running >= jobs {
                        continue;
                    }
                    let bases: Vec<Option<&Outcome>> = step.after.iter().map(|&i| outcomes[i].as_ref()).collect();
                    let failed = |o: Option<&Outcome>| matches!(o, Some(Outcome::Failed(_) | Outcome::NotRun));
                    if interrupt::interrupted() || bases.iter().copied().any(failed) {
                        (started[i], outcomes[i]) = (true, Some(Outcome::NotRun));
                    } else if bases.iter().all(Option::is_some) {
                        started[i] = true;
                        running += 1;
                        let sender = sender.clone();
                        scope.spawn(move || {
                            let start = Instant::now();
                            let outcome = self.step(step, i, parallel);
                            // The receiver lives until every step has answered.
                            let _ = sender.send((i, outcome, start.elapsed()));
                        });
                    }
                }
                if running == 0 {
                    // A step that was just given up may have been another's only base.
                    if started.iter().all(|started| *started) {
                        break;
                    }
                    continue;
                }
                let Ok((i, outcome, time)) = receiver.recv() else { break };
                running -= 1;
                (outcomes[i], times[i]) = (Some(outcome), time);
            }
        });
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(|o| o.unwrap_or(Outcome::NotRun)).collect();
        self.summary(plan, &outcomes, &times);
        if interrupt::interrupted() {
            return Err(Fault::new(Cause::Interrupted, "interrupted; what was begun is stopped and cleaned up").into());
        }
        Ok(outcomes)
    }

    /// Runs a tool quietly and gives what it printed; only a tool that can't be started is an error.
    pub fn capture(&self, run: &Invocation) -> Result<Output> {
        let mut command = self.command(run)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command, run)?;
        let group = Group::of(&child);
        let stderr = child.stderr.take();
        let drain = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.map(|mut pipe| pipe.read_to_end(&mut bytes));
            bytes
        });
        let mut stdout = Vec::new();
        if let Some(mut pipe) = child.stdout.take() {
            pipe.read_to_end(&mut stdout).with_context(|| format!("reading what `{run}` prints"))?;
        }
        let status = child.wait().with_context(|| format!("waiting for `{run}`"))?;
        drop(group);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Ok(Output {
            success: status.success(),
            code: code_of(status),
            stdout: text(&stdout),
            stderr: text(&drain.join().unwrap_or_default()),
        })
    }

    /// Like `capture`, with the command shown first, and a failure as an error.
    pub fn read(&self, run: &Invocation) -> Result<String> {
        self.ui.line(&self.ui.paint(Style::Dim, &format!("$ {run}")));
        let output = self.capture(run)?;
        if output.success { Ok(output.stdout) } else { Err(failure(run, output.code, &output.stderr, false).into()) }
    }

    fn command(&self, run: &Invocation) -> Result<Command> {
        let shell = Shell::new().context("finding the current folder")?;
        let mut command: Command = shell.cmd(&run.program).args(&run.args).into();
        command.envs(self.exports.read().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        for (name, value) in &run.env {
            command.env(name, self.value(value)?);
        }
        Ok(command)
    }

    fn value(&self, value: &EnvValue) -> Result<String> {
        Ok(match value {
            EnvValue::Text(text) => text.clone(),
            EnvValue::FromFile(path) => {
                let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                text.trim_end().to_owned()
            }
            EnvValue::FromVariable(variable) => std::env::var(variable).unwrap_or_default(),
            // What can't be started is as good as what fails: a shell goes on, too.
            EnvValue::Printed(run) => {
                self.capture(run).ok().filter(|o| o.success).map(|o| o.stdout).unwrap_or_default()
            }
        })
    }

    fn step(&self, step: &Step, index: usize, parallel: bool) -> Outcome {
        let block = Mutex::new(Vec::new());
        let sink = match parallel {
            true if self.ui.groups => Sink::Block(&block),
            true => {
                let name = step.image.as_ref().map_or(step.title.as_str(), |image| image.as_str());
                Sink::Lines(format!("{} │ ", self.ui.paint(Style::Nth(index), name)))
            }
            false if step.interactive && self.ui.terminal && !self.ui.groups => Sink::Terminal,
            false => Sink::Lines(String::new()),
        };
        if self.ui.groups && !parallel {
            self.ui.line(&format!("::group::{}", step.title));
        }
        let outcome = match self.attempts(step, &sink) {
            Ok(outcome) => outcome,
            Err(error) => {
                for action in &step.rescue {
                    // The failure that is reported is the step's.
                    let _ = self.rescue(action, &sink);
                }
                let fault = error.downcast_ref::<Fault>().cloned();
                Outcome::Failed(fault.unwrap_or_else(|| {
                    Fault::new(Cause::Tool { code: 1, said: String::new() }, format!("{}: {error:#}", step.title))
                }))
            }
        };
        let outcome = match outcome {
            Outcome::Failed(fault) if step.optional && !interrupt::interrupted() => {
                self.show(&sink, &format!("{}: {fault}; going on without", step.title));
                Outcome::PassedOver
            }
            outcome => outcome,
        };
        if let Sink::Block(lines) = sink {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
            self.ui.line(&format!("::group::{}\n{lines}\n::endgroup::", step.title));
        } else if self.ui.groups {
            self.ui.line("::endgroup::");
        }
        // A suite's failure says more once its report is read.
        if let Outcome::Failed(fault) = &outcome
            && !step.suite
        {
            self.ui.annotate(&step.title, &fault.what);
        }
        outcome
    }

    fn attempts(&self, step: &Step, sink: &Sink) -> Result<Outcome> {
        let mut waits = BACKOFF.iter();
        let mut relogin = step.relogin.as_ref();
        loop {
            let (fault, tail) = match self.act(&step.action, sink, step.suite)? {
                Ok(outcome) => return Ok(outcome),
                Err(failed) => failed,
            };
            if interrupt::interrupted() {
                return Err(fault.into());
            }
            if diagnose::login_refused(&tail)
                && let Some(login) = relogin.take()
                && matches!(self.act(login, sink, false), Ok(Ok(_)))
            {
                continue;
            }
            match waits.next() {
                Some(wait) if step.retry && diagnose::transient(&tail) => {
                    self.show(sink, &format!("{}: a transient error; again in {} s", step.title, wait.as_secs()));
                    pause(*wait);
                    if interrupt::interrupted() {
                        return Err(fault.into());
                    }
                }
                _ => return Err(fault.into()),
            }
        }
    }

    /// Runs a tool that may ask something on the terminal, which only the process group in front may: ours.
    pub fn ask(&self, run: &Invocation) -> Result<()> {
        self.ui.line(&self.ui.paint(Style::Dim, &format!("$ {run}")));
        let status =
            self.command(run)?.stdout(std::io::stderr()).status().with_context(|| format!("running `{run}`"))?;
        if status.success() { Ok(()) } else { Err(failure(run, code_of(status), "", false).into()) }
    }

    /// Does one action. The outer error is one of ours, the inner one a tool's, with its last lines.
    fn act(&self, action: &Action, sink: &Sink, suite: bool) -> Result<Result<Outcome, (Fault, String)>> {
        let is_yes = |probe: &Probe, output: &Output| {
            output.success && probe.prints.as_ref().is_none_or(|text| *text == output.stdout)
        };
        let holds = |probe: &Probe| -> Result<bool> { Ok(is_yes(probe, &self.capture(&probe.run)?)) };
        let run = match action {
            Action::Run(run) => run,
            Action::Unless(probe, run) => {
                if holds(probe)? {
                    return Ok(Ok(Outcome::Present));
                }
                run
            }
            Action::Either(probe, run, otherwise) => {
                // A tool that isn't there is a no.
                if holds(probe).unwrap_or(false) { run } else { otherwise }
            }
            Action::OnlyIf(probe, run, fault) => {
                let output = self.capture(&probe.run)?;
                if !output.success && !diagnose::image_missing(&output.stderr) {
                    let fault = failure(&probe.run, output.code, &output.stderr, false);
                    return Ok(Err((fault, output.stderr)));
                }
                if !is_yes(probe, &output) {
                    return Err(fault.clone().into());
                }
                run
            }
            Action::Pipe(from, to) => return self.pipe(from, to, sink),
            Action::Stage { .. }
            | Action::Couple { .. }
            | Action::Replace { .. }
            | Action::Write { .. }
            | Action::Remove(_)
            | Action::OpenDir(_) => {
                return touch(action).map(|()| Ok(Outcome::Done));
            }
        };
        self.show(sink, &self.ui.paint(Style::Dim, &format!("$ {run}")));
        let mut command = self.command(run)?;
        command.stdin(Stdio::null());
        let (status, tail) = match sink {
            Sink::Terminal => {
                // Its data would be in the way of ours: standard output is for what scripts read.
                command.stdout(std::io::stderr());
                let mut child = spawn(&mut command, run)?;
                let _group = Group::of(&child);
                (child.wait(), String::new())
            }
            Sink::Lines(_) | Sink::Block(_) => {
                let (reader, writer) = std::io::pipe().context("making a pipe")?;
                command.stdout(writer.try_clone().context("making a pipe")?).stderr(writer);
                let mut child = spawn(&mut command, run)?;
                let _group = Group::of(&child);
                drop(command); // and with it our ends of the pipe, so that it ends with the child
                let tail = self.follow(reader, sink);
                (child.wait(), tail)
            }
        };
        let status = status.with_context(|| format!("waiting for `{run}`"))?;
        if status.success() {
            Ok(Ok(Outcome::Done))
        } else {
            Ok(Err((failure(run, code_of(status), &tail, suite), tail)))
        }
    }

    /// `from | to`: the bytes go from one tool to the other through the kernel.
    fn pipe(&self, from: &Invocation, to: &Invocation, sink: &Sink) -> Result<Result<Outcome, (Fault, String)>> {
        self.show(sink, &self.ui.paint(Style::Dim, &format!("$ {from} | {to}")));
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        let mut source = self.command(from)?;
        source.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let mut source_child = spawn(&mut source, from)?;
        let _source_group = Group::of(&source_child);
        drop(source);
        let mut target = self.command(to)?;
        target.stdin(reader).stdout(Stdio::null()).stderr(Stdio::piped());
        let spawned = spawn(&mut target, to);
        drop(target);
        let mut target_child = match spawned {
            Ok(child) => child,
            Err(error) => {
                // The source would wait for a reader for ever.
                let _ = source_child.kill().and_then(|()| source_child.wait());
                return Err(error);
            }
        };
        let _target_group = Group::of(&target_child);
        let errors = |child: &mut Child| child.stderr.take();
        let (source_err, target_err) = (errors(&mut source_child), errors(&mut target_child));
        let (source_tail, target_tail) = thread::scope(|scope| {
            let source = scope.spawn(|| source_err.map(|pipe| self.follow(pipe, sink)).unwrap_or_default());
            let target = target_err.map(|pipe| self.follow(pipe, sink)).unwrap_or_default();
            (source.join().unwrap_or_default(), target)
        });
        // The first to fail is the cause: without a password the login fails as well.
        for (child, run, tail) in [(&mut source_child, from, source_tail), (&mut target_child, to, target_tail)] {
            let status = child.wait().with_context(|| format!("waiting for `{run}`"))?;
            if !status.success() {
                return Ok(Err((failure(run, code_of(status), &tail, false), tail)));
            }
        }
        Ok(Ok(Outcome::Done))
    }

    /// Passes lines on as they come, and gives the last ones.
    fn follow(&self, pipe: impl Read, sink: &Sink) -> String {
        let mut tail = VecDeque::with_capacity(TAIL);
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = self.masked(String::from_utf8_lossy(&line).trim_end());
            self.show(sink, &text);
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(text);
            line.clear();
        }
        Vec::from(tail).join("\n")
    }

    /// The text without the credentials that are never shown.
    pub fn masked(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    fn show(&self, sink: &Sink, text: &str) {
        match sink {
            Sink::Terminal => self.ui.line(text),
            Sink::Lines(prefix) => self.ui.line(&format!("{prefix}{text}")),
            Sink::Block(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned()),
        }
    }

    /// Cleans up, also after an interrupt.
    fn rescue(&self, action: &Action, sink: &Sink) -> Result<()> {
        let Action::Run(run) = action else { return touch(action) };
        self.show(sink, &self.ui.paint(Style::Dim, &format!("$ {run}")));
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        let mut command = self.command(run)?;
        command.stdin(Stdio::null()).stdout(writer.try_clone().context("making a pipe")?).stderr(writer);
        let mut child = spawn(&mut command, run)?;
        drop(command);
        // Not in a group that an interrupt reaches: it is what an interrupt leads to. So it has a limit instead.
        thread::scope(|scope| {
            scope.spawn(|| self.follow(reader, sink));
            let end = Instant::now() + RESCUE;
            while child.try_wait().is_ok_and(|status| status.is_none()) {
                if Instant::now() > end {
                    self.show(sink, &format!("`{run}` takes too long, given up"));
                    let _ = child.kill().and_then(|()| child.wait());
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Ok(())
    }

    /// How each step ended.
    fn summary(&self, plan: &Plan, outcomes: &[Outcome], times: &[Duration]) {
        let trouble = outcomes.iter().any(|outcome| matches!(outcome, Outcome::NotRun));
        if !plan.summary && !trouble {
            return;
        }
        for ((step, outcome), time) in plan.steps.iter().zip(outcomes).zip(times) {
            let line = match outcome {
                Outcome::Done => self.ui.paint(Style::Good, &format!("✓ {} ({})", step.title, duration(*time))),
                Outcome::Present => self.ui.paint(Style::Dim, &format!("✓ {}: there already", step.title)),
                Outcome::PassedOver => self.ui.paint(Style::Dim, &format!("· {} failed, went on without", step.title)),
                Outcome::Failed(fault) => {
                    let what = format!("✗ {} failed ({}): {}", step.title, duration(*time), fault.what);
                    self.ui.paint(Style::Bad, &what)
                }
                Outcome::NotRun => self.ui.paint(Style::Dim, &format!("· {} not run", step.title)),
            };
            self.ui.line(&line);
        }
    }
}

/// What a run failed by.
pub fn first_failure(outcomes: Vec<Outcome>) -> Option<Fault> {
    outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Failed(fault) => Some(fault),
        _ => None,
    })
}

/// Sleeps, but wakes for an interrupt.
fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !interrupt::interrupted() {
        thread::sleep(Duration::from_millis(50));
    }
}

/// Turns a value into a command, in the folder we were called in.
fn spawn(command: &mut Command, run: &Invocation) -> Result<Child> {
    command.process_group(0).spawn().map_err(|e| {
        Fault::new(Cause::Unavailable, format!("starting {}: {e}", run.program))
            .help("`cargo xtask doctor` shows what is missing, `cargo xtask setup` installs it")
            .into()
    })
}

fn code_of(status: ExitStatus) -> u8 {
    // A shell's rule for a child that a signal ended.
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}

fn failure(run: &Invocation, code: u8, tail: &str, suite: bool) -> Fault {
    let what = format!("`{run}` ended with exit code {code}");
    if suite && !diagnose::engine_failed(tail) {
        return Fault::new(Cause::Tool { code, said: tail.to_owned() }, what);
    }
    match diagnose::explain(run, tail) {
        Some((kind, why, help)) => Fault::new(kind, format!("{what}: {why}")).help(help),
        None => {
            let (why, help) = diagnose::last_words(tail);
            let what = why.map_or(what.clone(), |why| format!("{what}: {why}"));
            Fault { help: help.map(str::to_owned), ..Fault::new(Cause::Tool { code, said: tail.to_owned() }, what) }
        }
    }
}

/// The actions that change files.
fn touch(action: &Action) -> Result<()> {
    match action {
        Action::Stage { from, to } => {
            if to.exists() {
                fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
            }
            fs::create_dir_all(to).with_context(|| format!("making the folder {}", to.display()))?;
            for file in from {
                let copy = to.join(file.file_name().unwrap_or_default());
                fs::copy(file, &copy).with_context(|| format!("copying {} to {}", file.display(), copy.display()))?;
            }
        }
        Action::Couple { base, pyproject } => couple(base, pyproject)?,
        Action::Replace { from, to } => {
            fs::rename(from, to)
                .with_context(|| format!("putting {} in the place of {}", from.display(), to.display()))?;
            if let Some(folder) = from.parent() {
                fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
            }
        }
        Action::Remove(dir) if !dir.exists() => {}
        Action::Remove(dir) => fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?,
        Action::Write { to, text } => {
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
            }
            fs::write(to, text).with_context(|| format!("writing {}", to.display()))?;
        }
        Action::OpenDir(dir) => {
            touch(&Action::Remove(dir.clone()))?;
            fs::create_dir_all(dir).with_context(|| format!("making the folder {}", dir.display()))?;
            let mode = fs::Permissions::from_mode(0o777);
            fs::set_permissions(dir, mode).with_context(|| format!("opening {} to every user", dir.display()))?;
        }
        Action::Run(_) | Action::Unless(..) | Action::Either(..) | Action::OnlyIf(..) | Action::Pipe(..) => {}
    }
    Ok(())
}

/// Writes the pins of the lock `base` into the file `pyproject`, where they aren't there yet.
pub fn couple(base: &Path, pyproject: &Path) -> Result<()> {
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let lock = fs::read_to_string(base).map_err(|e| {
        let image = base.parent().and_then(Path::file_name).unwrap_or_default().display();
        Fault::new(Cause::Project, format!("reading {}, whose versions are to be kept to: {e}", base.display()))
            .help(format!("lock the base first: `cargo xtask lock {image}`"))
    })?;
    let lock = Lockfile::parse(base, &lock)?;
    let before = read(pyproject)?;
    let parsed = Pyproject::parse(pyproject, &before)?;
    let after = parsed.with_pins(&pins_of(&lock, &parsed.exceptions()?))?;
    if after == before {
        return Ok(());
    }
    // Beside it first, so that a full disk leaves the old one whole.
    let beside = pyproject.with_extension("toml.new");
    let written = fs::write(&beside, after).and_then(|()| fs::rename(&beside, pyproject));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("writing {}", pyproject.display()))
}
