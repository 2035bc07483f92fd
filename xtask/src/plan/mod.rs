//! What will be done, as a value: printed by `--dry-run`, run by [`crate::exec`], compared by tests.

use project::{ImageName, error::Fault};
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

/// A program with its arguments and the variables it gets on top of the environment. It prints as a line that can be
/// pasted into a POSIX shell and does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub program: String,
    pub args: Vec<String>,
    pub env: Vec<(String, EnvValue)>,
}

/// The value of a variable given to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    Text(String),
    /// The value of another variable, which may hold a credential and so is never printed.
    FromVariable(String),
    /// What stands in a file, for the same reason.
    FromFile(PathBuf),
    /// What a command prints; nothing where it fails.
    Printed(Box<Invocation>),
}

/// What decides whether a step is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub run: Invocation,
    /// What it must print for the answer yes; without it, success is enough.
    pub prints: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Run(Invocation),
    /// Runs unless the probe says yes.
    Unless(Probe, Invocation),
    /// Runs the first where the probe says yes, else the second.
    Either(Probe, Invocation, Invocation),
    /// Runs where the probe says yes; where it says no, fails by the fault.
    OnlyIf(Probe, Invocation, Fault),
    /// The first one's standard output is the second one's standard input; we never hold what passes.
    Pipe(Invocation, Invocation),
    /// Makes the folder `to` afresh, with copies of the files `from` in it.
    Stage {
        from: Vec<PathBuf>,
        to: PathBuf,
    },
    /// Writes the pins of the lock `base`, as it is by then, into the file `pyproject`.
    Couple {
        base: PathBuf,
        pyproject: PathBuf,
    },
    /// Puts the file `from` in the place of `to` in one go, then removes the folder it was in.
    Replace {
        from: PathBuf,
        to: PathBuf,
    },
    /// Writes a file, and the folder it is in.
    Write {
        to: PathBuf,
        text: String,
    },
    /// Removes a folder, where it is there.
    Remove(PathBuf),
    /// Makes a folder afresh that any user may write into: a container's user is not ours.
    OpenDir(PathBuf),
}

/// One thing to do, and what to do when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Verb and object, for people: `build python-base`.
    pub title: String,
    pub image: Option<ImageName>,
    pub action: Action,
    /// Steps, by their index, that must have succeeded before.
    pub after: Vec<usize>,
    /// Run when the step failed or was interrupted, in this order; their own failures don't count.
    pub rescue: Vec<Action>,
    /// Tried again after a transient error of network or registry.
    pub retry: bool,
    /// Run once, then tried again, when the registry no longer takes the login.
    pub relogin: Option<Box<Action>>,
    /// May draw its own progress on a terminal.
    pub interactive: bool,
    /// Its exit code is the run's, whatever it printed.
    pub suite: bool,
    /// What follows is done even where this fails: it was only the better way.
    pub optional: bool,
}

/// Steps in an order in which they can be run one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Variables for every step.
    pub exports: Vec<(String, EnvValue)>,
    pub steps: Vec<Step>,
    /// Steps that can take long: how each ended, and in what time, is told at the end.
    pub summary: bool,
}

impl Invocation {
    pub fn new<S: Into<String>>(program: &str, args: impl IntoIterator<Item = S>) -> Invocation {
        Invocation { program: program.to_owned(), args: args.into_iter().map(Into::into).collect(), env: Vec::new() }
    }

    pub fn env(mut self, name: &str, value: EnvValue) -> Invocation {
        self.env.push((name.to_owned(), value));
        self
    }
}

impl Step {
    pub fn new(title: impl Into<String>, action: Action) -> Step {
        Step {
            title: title.into(),
            image: None,
            action,
            after: Vec::new(),
            rescue: Vec::new(),
            retry: false,
            relogin: None,
            interactive: false,
            suite: false,
            optional: false,
        }
    }

    pub fn image(self, image: &ImageName) -> Step {
        Step { image: Some(image.clone()), ..self }
    }
}

impl Plan {
    /// Adds a step; the answer is its index, for another's `after`.
    pub fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// Adds a step that needs the one before it, where there is one.
    pub fn then(&mut self, mut step: Step) -> usize {
        step.after.extend(self.steps.len().checked_sub(1));
        self.push(step)
    }

    pub fn extend(&mut self, other: Plan) {
        self.exports.extend(other.exports);
        let offset = self.steps.len();
        self.steps.extend(other.steps.into_iter().map(|mut step| {
            step.after.iter_mut().for_each(|index| *index += offset);
            step
        }));
    }

    /// As it is printed: each `command` is a line for a shell that has run the `exports`; `after` counts among the `steps`.
    pub fn json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "title": step.title,
                "image": step.image.as_ref().map(ImageName::as_str),
                "after": step.after,
                "command": step.action.to_string(),
            })
        };
        let exports: Vec<String> = self.exports.iter().map(export).collect();
        json!({"exports": exports, "steps": self.steps.iter().map(step).collect::<Vec<_>>()})
    }

    /// Does each step need the one before it, so that nothing can run side by side?
    pub fn is_chain(&self) -> bool {
        self.steps.iter().enumerate().skip(1).all(|(i, step)| step.after.contains(&(i - 1)))
    }
}

/// Quoted for a POSIX shell where it has to be.
pub fn quote(word: &str) -> Cow<'_, str> {
    let plain = |byte: &u8| {
        matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
            || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b'@' | b',' | b'+' | b'%')
    };
    if !word.is_empty() && word.as_bytes().iter().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

impl fmt::Display for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvValue::Text(text) => f.write_str(&quote(text)),
            EnvValue::FromFile(path) => write!(f, "\"$(cat {})\"", quote(&path.display().to_string())),
            EnvValue::FromVariable(variable) => write!(f, "\"${variable}\""),
            EnvValue::Printed(run) => write!(f, "\"$({run})\""),
        }
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={value} ")?;
        }
        f.write_str(&quote(&self.program))?;
        self.args.iter().try_for_each(|arg| {
            f.write_str(" ")?;
            f.write_str(&quote(arg))
        })
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.prints {
            Some(text) => write!(f, "[ \"$({} 2>&1)\" = {} ]", self.run, quote(text)),
            None => write!(f, "{} >/dev/null 2>&1", self.run),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &Path| quote(&path.display().to_string()).into_owned();
        match self {
            Action::Run(run) => run.fmt(f),
            Action::Unless(probe, run) => write!(f, "{probe} || {run}"),
            Action::Either(probe, run, otherwise) => write!(f, "if {probe}; then {run}; else {otherwise}; fi"),
            Action::OnlyIf(probe, run, _) => write!(f, "{probe} && {run}"),
            Action::Pipe(from, to) => write!(f, "{from} | {to}"),
            Action::Stage { from, to } => {
                let from: Vec<String> = from.iter().map(|file| path(file)).collect();
                let to = path(to);
                write!(f, "rm -rf {to} && mkdir -p {to} && cp {} {to}", from.join(" "))
            }
            Action::Couple { base, pyproject } => write!(f, "cargo xtask couple {} {}", path(base), path(pyproject)),
            Action::Replace { from, to } => {
                let folder = from.parent().map(path).unwrap_or_default();
                write!(f, "mv {} {} && rm -r {folder}", path(from), path(to))
            }
            Action::Remove(dir) => write!(f, "rm -rf {}", path(dir)),
            Action::Write { to, text } => {
                let folder = to.parent().map(path).unwrap_or_default();
                write!(f, "mkdir -p {folder} && printf %s {} >{}", quote(text), path(to))
            }
            Action::OpenDir(dir) => write!(f, "rm -rf {0} && mkdir -p {0} && chmod 777 {0}", path(dir)),
        }
    }
}

fn export((name, value): &(String, EnvValue)) -> String {
    format!("export {name}={value}")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exports.iter().try_for_each(|variable| writeln!(f, "{}", export(variable)))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{}", step.action))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test runs a real shell")]
mod tests {
    use super::*;

    #[test]
    fn prints_what_a_shell_takes() {
        let run = Invocation::new("docker", ["run", "a b", "it's", ""])
            .env("A", EnvValue::Text("x;y".to_owned()))
            .env("URL", EnvValue::FromVariable("PIP_INDEX_URL".to_owned()));
        assert_eq!(run.to_string(), r#"A='x;y' URL="$PIP_INDEX_URL" docker run 'a b' 'it'\''s' ''"#);
        let probe = Probe { run: Invocation::new("p", ["x"]), prints: Some(String::new()) };
        let action = Action::Unless(probe, Invocation::new("q", ["y"]));
        assert_eq!(action.to_string(), r#"[ "$(p x 2>&1)" = '' ] || q y"#);
        let Action::Unless(probe, run) = action else { unreachable!() };
        let action = Action::OnlyIf(probe, run, Fault::usage("no"));
        assert_eq!(action.to_string(), r#"[ "$(p x 2>&1)" = '' ] && q y"#);
    }

    /// What is printed is parsed back by the real shell into the very arguments.
    #[test]
    fn a_shell_reads_back_the_arguments() {
        let words = ["plain", "two words", "quo'te", "dol$lar", "back\\slash", "new\nline", "*", "", "ümlaut", "a\"b"];
        let line = Invocation::new("printf", ["%s\\0"]).to_string() + " ";
        let line = line + &words.map(quote).join(" ");
        let shell = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8(shell.stdout).unwrap(), words.map(|w| format!("{w}\0")).concat());
    }

    #[test]
    fn chains() {
        let step = |n: &str| Step::new(n, Action::OpenDir(n.into()));
        let mut plan = Plan::default();
        plan.then(step("a"));
        plan.then(step("b"));
        assert!(plan.is_chain());
        plan.push(step("c"));
        assert!(!plan.is_chain());
        let mut twice = plan.clone();
        twice.extend(plan);
        assert_eq!(twice.steps[4].after, [3]);
    }
}
