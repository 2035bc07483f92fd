//! A command as a value, which prints as a line for a POSIX shell.

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
    /// The folder that it runs in, where it isn't the current one.
    pub folder: Option<PathBuf>,
}

/// The value of a variable given to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    Text(String),
    /// The value of another variable, which may hold a credential and so is never printed.
    FromVariable(String),
    /// The content of a file, for the same reason.
    FromFile(PathBuf),
    /// What a command prints; nothing where it fails. Echoed as the value that it had.
    Printed(Box<Invocation>),
    /// The same, where it may be a credential: echoed as the command.
    Secret(Box<Invocation>),
}

/// What decides whether a step is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub run: Invocation,
    /// What it must print for the answer yes; without it, success is enough.
    pub prints: Option<String>,
}

/// What a command that has ended printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    pub code: u8,
    /// Without the line end.
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.code == 0
    }
}

impl Invocation {
    pub fn new<S: Into<String>>(program: &str, args: impl IntoIterator<Item = S>) -> Invocation {
        Invocation {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            folder: None,
        }
    }

    /// In another folder than the current one.
    pub fn within(self, folder: &Path) -> Invocation {
        let is_here = folder == Path::new(".");
        Invocation { folder: (!is_here).then(|| folder.to_owned()), ..self }
    }

    /// With one more word.
    pub fn arg(mut self, word: &str) -> Invocation {
        self.args.push(word.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: EnvValue) -> Invocation {
        self.env.push((name.to_owned(), value));
        self
    }

    /// The program and its words that are not options, such as `docker compose build python-base`: short enough for an
    /// error, where the whole line was echoed before.
    pub fn brief(&self) -> String {
        let program = self.program.rsplit('/').next().unwrap_or_default();
        let mut words = vec![program];
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                // Options that take a value as the next word.
                "--file"
                | "--project-directory"
                | "--env-file"
                | "--name"
                | "--user"
                | "--format"
                | "--directory"
                | "--region"
                | "--username" => {
                    args.next();
                }
                option if option.starts_with('-') => {}
                word if words.len() == 5 || word.len() > 60 || word.contains(char::is_whitespace) => {
                    words.push("…");
                    break;
                }
                word => words.push(word),
            }
        }
        words.join(" ")
    }
}

impl Probe {
    /// Does this answer say yes?
    pub fn is_yes(&self, output: &Output) -> bool {
        output.success() && self.prints.as_ref().is_none_or(|text| *text == output.stdout)
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
            EnvValue::Printed(run) | EnvValue::Secret(run) => write!(f, "\"$({run})\""),
        }
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(folder) = &self.folder {
            write!(f, "(cd {} && ", quote(&folder.display().to_string()))?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={value} ")?;
        }
        f.write_str(&quote(&self.program))?;
        self.args.iter().try_for_each(|arg| {
            f.write_str(" ")?;
            f.write_str(&quote(arg))
        })?;
        f.write_str(if self.folder.is_some() { ")" } else { "" })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_a_shell_takes() {
        let run = Invocation::new("docker", ["run", "a b", "it's", ""])
            .env("A", EnvValue::Text("x;y".to_owned()))
            .env("URL", EnvValue::FromVariable("PIP_INDEX_URL".to_owned()));
        assert_eq!(run.to_string(), r#"A='x;y' URL="$PIP_INDEX_URL" docker run 'a b' 'it'\''s' ''"#);
        let elsewhere = Invocation::new("a", ["b"]).env("C", EnvValue::Text("d".to_owned()));
        assert_eq!(elsewhere.clone().within(Path::new("..")).to_string(), "(cd .. && C=d a b)");
        assert_eq!(elsewhere.within(Path::new(".")).to_string(), "C=d a b");
        let probe = Probe { run: Invocation::new("p", ["x"]), prints: Some(String::new()) };
        assert_eq!(probe.to_string(), r#"[ "$(p x 2>&1)" = '' ]"#);
    }

    #[test]
    fn a_brief_form_leaves_options_out() {
        for (args, expected) in [
            (
                &["compose", "--file", "f.yaml", "--project-directory", ".", "build", "--no-cache", "a"][..],
                "docker compose build a",
            ),
            (&["push", "a", "b", "c", "d", "e"], "docker push a b c …"),
            (&["-c", "a script", "b"], "docker …"),
        ] {
            let run = Invocation::new("/usr/bin/docker", args.iter().copied()).env("A", EnvValue::Text("1".to_owned()));
            assert_eq!(run.brief(), expected);
        }
    }
}
