//! The real binary, run in the repository, and how it ended.

use super::Repo;
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use std::{
    fs,
    fs::File,
    io::Write as _,
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// No process of a test takes longer, unless it hangs.
pub const BOUND: Duration = Duration::from_secs(60);

/// A run that hasn't begun.
pub struct Xtask<'a> {
    repo: &'a Repo,
    command: Command,
}

impl Repo {
    pub fn xtask(&self, args: &[&str]) -> Xtask<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).current_dir(&self.root).env_clear().stdin(Stdio::null());
        command.env("PATH", &self.bin).env("HOME", &self.fakes).env("TERM", "xterm");
        // What stands in for the machine's bundle, so that no machine's own shows in what is echoed.
        command.env("SSL_CERT_FILE", "/dev/null");
        // Nobody waits between the tries.
        command.env("XTASK_BACKOFF_MS", "0");
        Xtask { repo: self, command }
    }

    /// A shell that runs `script` as a person would who pasted it.
    pub fn shell(&self, script: &str) -> Xtask<'_> {
        self.by_hand("/bin/sh", &["-e", "-c", script])
    }

    /// A terminal where a person types `line`; all that it shows is the run's standard output.
    ///
    /// It is util-linux's `script`, which every Debian and Ubuntu has (package bsdutils, essential). Unlike a pseudo-terminal
    /// that we open ourselves, it is the controlling terminal of what it runs, so that Ctrl-C is a real one; and unlike a
    /// crate, it is not compiled.
    pub fn terminal(&self, line: &str) -> Xtask<'_> {
        // Without the carriage returns that a terminal adds.
        let line = format!("stty -onlcr; {line}");
        let mut xtask = self.by_hand("/usr/bin/script", &["--quiet", "--return", "--command", &line, "/dev/null"]);
        xtask.command.env("SHELL", "/bin/sh").stdin(Stdio::piped());
        xtask
    }

    /// `program` with the usual tools on its PATH, behind the fakes, and `cargo xtask`.
    fn by_hand(&self, program: &str, args: &[&str]) -> Xtask<'_> {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root).env_clear().stdin(Stdio::null());
        command.envs(self.xtask(&[]).command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let cargo = self.bin.join("cargo");
        fs::write(&cargo, format!("#!/bin/sh\nshift\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_xtask"))).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        Xtask { repo: self, command }
    }

    /// Runs it, and gives how it ended.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.xtask(args).run()
    }
}

impl Xtask<'_> {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in this folder below the root.
    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(self.repo.root.join(folder));
        self
    }

    /// Starts; output goes to files, so that no full pipe can block the run.
    pub fn start(mut self) -> Running {
        let run = self.repo.runs.replace(self.repo.runs.get() + 1);
        let outputs = ["stdout", "stderr"].map(|name| self.repo.root.with_file_name(format!("{name}-{run}")));
        self.command.process_group(0);
        self.command.stdout(File::create(&outputs[0]).unwrap()).stderr(File::create(&outputs[1]).unwrap());
        Running { child: self.command.spawn().unwrap(), outputs, args: format!("{:?}", self.command) }
    }

    pub fn run(self) -> Ran {
        self.start().finish()
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    outputs: [PathBuf; 2],
    args: String,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ctrl-C at a terminal: the signal goes to the whole foreground process group.
    pub fn interrupt(&self) {
        killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).unwrap();
    }

    /// A CI runner's signal, to the process alone.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Keys that a person presses at the run's terminal.
    pub fn types(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    pub fn wait_until_it_says(&self, words: &str) {
        self.wait_for(words, &self.outputs[1]);
    }

    /// As `wait_until_it_says`, at a terminal.
    pub fn wait_until_it_shows(&self, words: &str) {
        self.wait_for(words, &self.outputs[0]);
    }

    fn wait_for(&self, words: &str, output: &Path) {
        let end = Instant::now() + BOUND;
        while !fs::read_to_string(output).unwrap().contains(words) {
            assert!(Instant::now() < end, "{} never said {words}", self.args);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end; a run that doesn't come to one fails the test.
    pub fn finish(mut self) -> Ran {
        let end = Instant::now() + BOUND;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                panic!("{} hangs; it said:\n{}", self.args, fs::read_to_string(&self.outputs[1]).unwrap());
            }
            thread::sleep(Duration::from_millis(2));
        };
        let [stdout, stderr] = self.outputs.map(|path| String::from_utf8(fs::read(path).unwrap()).unwrap());
        Ran { code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()), stdout, stderr }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn succeeds(self) -> Ran {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    /// Ended with this code and a short message, which contains all these words. Where there are several faults, each has an
    /// indented line.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, code, "{}", self.stderr);
        let message = self.message();
        let lines = message.lines().filter(|line| !line.starts_with("  "));
        assert!(lines.count() <= 3, "more than three lines:\n{message}");
        assert!(!self.stderr.contains('\x1b'), "escapes for no terminal: {}", self.stderr);
        for word in words {
            assert!(message.contains(word), "no {word:?} in:\n{message}");
        }
        self
    }

    /// What was said from `error:` on, which is the end; or of an interrupt, which is no error.
    #[track_caller]
    pub fn message(&self) -> &str {
        let begin = if self.code == 130 { "interrupted" } else { "error: " };
        let at = if self.stderr.starts_with(begin) {
            Some(0)
        } else {
            self.stderr.find(&format!("\n{begin}")).map(|at| at + 1)
        };
        &self.stderr[at.unwrap_or_else(|| panic!("no line begins with {begin} in\n{}", self.stderr))..]
    }

    /// What helps: the command, at the end.
    #[track_caller]
    pub fn help(&self) -> &str {
        let help = self.message().split_once("\n help: ").map(|(_, help)| help);
        help.unwrap_or_else(|| panic!("no help in\n{}", self.stderr)).trim_end()
    }

    /// The commands that were echoed.
    pub fn echoed(&self) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.strip_prefix("$ ")).collect()
    }

    /// The same, with `F` in the place of each fingerprint.
    pub fn echoed_builds(&self) -> Vec<String> {
        let short = |line: &str| match line.split_once("IMAGE_FINGERPRINT=") {
            Some((head, rest)) => {
                format!("{head}IMAGE_FINGERPRINT=F{}", rest.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
            }
            None => line.to_owned(),
        };
        self.echoed().into_iter().map(short).collect()
    }
}
