//! A step: one thing to do, and how it is treated.

use crate::{
    compute::Compute,
    invocation::{Invocation, Probe, quote},
};
use project::{ImageName, error::Fault};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One thing to do. Paths are relative to the folder that the user stands in.
#[derive(Debug, Clone)]
pub enum Action {
    Run(Invocation),
    /// One after the other; the first that fails is the last.
    All(Vec<Action>),
    /// Runs unless the probe says yes.
    Unless(Probe, Invocation),
    /// Runs the first where the probe says yes, else the second.
    Either(Probe, Invocation, Invocation),
    /// Runs where the probe says yes; where it says no, fails by the fault.
    OnlyIf(Probe, Invocation, Fault),
    /// The first one's standard output is the second one's standard input; we never hold what passes.
    Pipe(Invocation, Invocation),
    /// Reads files and asks tools, computes, then says, prints and writes the result.
    Compute(Compute),
    /// Makes the folder `to` empty, and copies the files and folders `from` into it.
    Stage {
        from: Vec<PathBuf>,
        to: PathBuf,
    },
    /// Puts each file (the first of a pair) in the place of another (the second) in one go, and nothing in between.
    Replace(Vec<(PathBuf, PathBuf)>),
    /// Writes a file in one go, and makes the folder it is in.
    Write {
        to: PathBuf,
        text: String,
    },
    /// Removes a folder, where it exists.
    Remove(PathBuf),
    /// Makes an empty folder that any user may write into: a container's user is not ours.
    OpenFolder(PathBuf),
}

/// Who does a step's work. It decides how the words of a failure are read, whether a transient error is retried, and
/// what the step may do with the terminal.
#[derive(Debug, Clone, Default)]
pub enum Role {
    /// Ourselves, or a command whose own code and words count.
    #[default]
    Command,
    /// A build. Its failure is its own, whatever a RUN printed. Alone on a terminal it draws its own progress.
    Build,
    /// An image's suite: its exit code is the run's.
    Suite,
    /// A push or a pull: retried after a transient error, and once more after `login` where the registry no longer
    /// takes the login.
    Registry { login: Option<Box<Action>> },
    /// May ask a person, for a password or a code: gets the terminal, and fails at once where there is none.
    Login,
    /// apt, pip or poetry, which ask an index: retried after a transient error.
    Packages,
    /// The last one: our process becomes the tool. Keys, signals, what it prints and its exit code are between the tool and
    /// the person, as in a shell.
    HandOver,
}

/// What the end of the steps in `after` must have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Runs {
    /// All succeeded.
    #[default]
    AfterSuccess,
    /// Any end, also failed or not run: the step judges or reports it.
    AfterEnd,
}

/// What a failure of the step means for the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The run fails, and what needs the step is not run.
    #[default]
    Fail,
    /// Nothing: it was only the better way, and what needs it is run all the same.
    Continue,
    /// What needs the step is not run; a later step, with [`Runs::AfterEnd`], says what it means for the run.
    Judged,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The probe said that there is nothing to do.
    Present,
    Failed(Fault),
    /// It failed, and the run goes on: [`OnFailure::Continue`].
    Skipped,
    /// A step it needs wasn't done, or the run was interrupted.
    NotRun,
}

/// One thing to do, and how it is treated.
#[derive(Debug, Clone)]
pub struct Step {
    /// Verb and object, for people: `build python-base`.
    pub title: String,
    pub image: Option<ImageName>,
    pub action: Action,
    /// Steps, by their index, that must have ended before.
    pub after: Vec<usize>,
    pub runs: Runs,
    /// The command that builds this step's image, and those of other steps that have the same one, where their names are
    /// added to it. What is ready at the same time is built so; what that leaves undone is done by the action.
    pub together: Option<Invocation>,
    pub role: Role,
    pub on_failure: OnFailure,
    /// Asked when the step failed, before cleaning up: what it gives says why. Its one outcome is the failure.
    pub explanation: Option<Compute>,
    /// Run when the step failed or was interrupted, in this order; their own failures don't count. Of a step with
    /// [`Runs::AfterEnd`] also when an interrupt has kept it from running.
    pub cleanup: Vec<Action>,
}

impl Step {
    pub fn new(title: impl Into<String>, action: Action) -> Step {
        Step {
            title: title.into(),
            image: None,
            action,
            after: Vec::new(),
            runs: Runs::default(),
            together: None,
            role: Role::default(),
            on_failure: OnFailure::default(),
            explanation: None,
            cleanup: Vec::new(),
        }
    }

    pub fn image(self, image: &ImageName) -> Step {
        Step { image: Some(image.clone()), ..self }
    }

    pub fn role(self, role: Role) -> Step {
        Step { role, ..self }
    }

    pub fn after(self, steps: impl IntoIterator<Item = usize>) -> Step {
        Step { after: steps.into_iter().collect(), ..self }
    }

    /// Runs whatever the end of `steps` was, to judge or report it.
    pub fn after_end(self, steps: impl IntoIterator<Item = usize>) -> Step {
        Step { runs: Runs::AfterEnd, ..self.after(steps) }
    }

    pub fn together(self, command: Option<&Invocation>) -> Step {
        Step { together: command.cloned(), ..self }
    }

    pub fn on_failure(self, on_failure: OnFailure) -> Step {
        Step { on_failure, ..self }
    }

    pub fn explained_by(self, compute: Compute) -> Step {
        Step { explanation: Some(compute), ..self }
    }

    pub fn cleanup(self, cleanup: impl IntoIterator<Item = Action>) -> Step {
        Step { cleanup: cleanup.into_iter().collect(), ..self }
    }
}

/// As a line for a POSIX shell; what only we can do is a comment.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &Path| quote(&path.display().to_string()).into_owned();
        match self {
            Action::Run(run) => run.fmt(f),
            Action::All(actions) => {
                let actions: Vec<String> = actions.iter().map(Action::to_string).collect();
                f.write_str(&actions.join(" && "))
            }
            Action::Unless(probe, run) => write!(f, "{probe} || {run}"),
            Action::Either(probe, run, otherwise) => write!(f, "if {probe}; then {run}; else {otherwise}; fi"),
            Action::OnlyIf(probe, run, _) => write!(f, "{probe} && {run}"),
            Action::Pipe(from, to) => write!(f, "{from} | {to}"),
            Action::Compute(compute) => f.write_str(&compute.shown),
            Action::Stage { from, to } => {
                let from: Vec<String> = from.iter().map(|file| path(file)).collect();
                let to = path(to);
                write!(f, "rm -rf {to} && mkdir -p {to} && cp -r {} {to}", from.join(" "))
            }
            Action::Replace(files) => {
                let moves = files.iter().map(|(from, to)| format!("mv {} {}", path(from), path(to)));
                f.write_str(&moves.collect::<Vec<_>>().join(" && "))
            }
            Action::Remove(folder) => write!(f, "rm -rf {}", path(folder)),
            Action::Write { to, text } => {
                if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    write!(f, "mkdir -p {} && ", path(folder))?;
                }
                write!(f, "printf %s {} >{}", quote(text), path(to))
            }
            Action::OpenFolder(folder) => write!(f, "rm -rf {0} && mkdir -p {0} && chmod 777 {0}", path(folder)),
        }
    }
}
