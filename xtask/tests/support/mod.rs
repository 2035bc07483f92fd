//! A repository in a temporary folder, fake tools beside it, and the real binary run there.
#![allow(dead_code, reason = "each file of tests uses its part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper fails the test")]

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use std::{
    cell::{Cell, RefCell},
    fmt::Write as _,
    fs::{self, File},
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use xshell::{Shell, TempDir};

/// No process of a test takes longer, unless it hangs.
const BOUND: Duration = Duration::from_secs(60);
/// What the executor asks before any work; in no particular order, so left out of `calls`.
pub const PREFLIGHT: [&str; 2] = ["docker compose version --short", "docker version --format {{.Server.Version}}"];
pub const COMPOSE_FILES: [&str; 2] = ["docker-compose.dev.yaml", "docker-compose.ci.yaml"];
pub const REGISTRY: &str = "690763002009.dkr.ecr.us-east-1.amazonaws.com";

/// An image of a generated family.
#[derive(Clone, Copy)]
pub struct Image {
    pub name: &'static str,
    /// Another image's name; none for one that stands on Debian.
    pub base: Option<&'static str>,
    pub port: Option<u16>,
    pub suite: bool,
    pub pyproject: bool,
}

pub const PYTHON_BASE: Image = Image { name: "python-base", base: None, port: None, suite: true, pyproject: true };
pub const FASTAPI_SERVE: Image =
    Image { name: "fastapi-serve", base: Some("python-base"), port: Some(8000), suite: true, pyproject: true };
pub const KUBEFLOW_A: Image =
    Image { name: "kubeflow-a", base: Some("python-base"), port: None, suite: true, pyproject: true };
/// Neither a suite nor a pyproject.toml, and no other image under it.
pub const KUBEFLOW_B: Image = Image { name: "kubeflow-b", base: None, port: None, suite: false, pyproject: false };
pub const FAMILY: [Image; 4] = [KUBEFLOW_A, PYTHON_BASE, FASTAPI_SERVE, KUBEFLOW_B];

const NO_IMAGE: &str = "Error response from daemon: No such image";
/// What the engine has of the images that are named, which `engine_has` writes down.
const INSPECT: &str = r#"shift 2
found=
code=0
for reference; do
    if [ -e "$home/images/$reference" ]; then
        IFS= read -r image <"$home/images/$reference"
        found="$found${found:+,}$image"
    else
        echo 'Error response from daemon: No such image' >&2
        code=1
    fi
done
printf '[%s]\n' "$found"
exit $code"#;
/// A lock that nobody can tell from one of poetry's.
pub const OLD_LOCK: &str = "[[package]]\nname = \"requests\"\nversion = \"1\"\ngroups = [\"main\"]\n\n\
     [metadata]\nlock-version = \"2.1\"\npython-versions = \"*\"\ncontent-hash = \"old\"\n";
/// What the fake poetry makes, from the file `target/new.lock`.
pub fn new_lock() -> String {
    OLD_LOCK.replace("version = \"1\"", "version = \"2\"")
}

/// The compose file of a family; `stage` is what it builds unless told otherwise.
pub fn compose(images: &[Image], stage: &str) -> String {
    let registry = "${REGISTRY:-${AWS_ACCOUNT_ID:-690763002009}.dkr.ecr.${AWS_REGION:-us-east-1}.amazonaws.com}";
    let mut text = "name: core-images\nx-image: &image\n  platform: ${PLATFORM:-linux/amd64}\n\
         services:\n  debian:\n    profiles: [external]\n    image: debian:trixie-slim\n\n  build-tools:\n    profiles: [tools]\n    image: core-images/build-tools:latest\n    \
         build:\n      context: ./images/build-tools\n      args:\n        DEBIAN_IMAGE: debian:trixie-slim\n"
        .to_owned();
    for Image { name, base, port, suite, .. } in images {
        let base = match base {
            Some(base) => format!("BASE_IMAGE: {registry}/{base}:${{BASE_IMAGE_TAG:-${{IMAGE_TAG:-latest}}}}"),
            None => "BASE_IMAGE: debian:trixie-slim".to_owned(),
        };
        let _ = write!(
            text,
            "\n  {name}:\n    <<: *image\n    x-core-images: {{description: The {name} image, hardware: cpu}}\n    \
             image: {registry}/{name}:${{IMAGE_TAG:-latest}}\n    build:\n      context: ./images/{name}\n      \
             target: ${{TARGET_BUILD_STAGE:-{stage}}}\n      args:\n        {base}\n        \
             TOOLS_IMAGE: core-images/build-tools:latest\n"
        );
        if let Some(port) = port {
            let _ = writeln!(text, "    ports: [\"127.0.0.1:${{PORT:-{port}}}:{port}\"]");
        }
        if *suite {
            let _ = write!(text, "\n  {name}-tests:\n    profiles: [tests]\n    image: {registry}/{name}:latest\n");
        }
    }
    text
}

/// A repository, fake tools, and what became of them.
pub struct Repo {
    pub root: PathBuf,
    /// The folder of the fakes: the whole PATH.
    pub bin: PathBuf,
    fakes: PathBuf,
    rules: RefCell<Vec<String>>,
    runs: Cell<usize>,
    _folder: TempDir,
}

impl Repo {
    /// The family above, with fakes of every tool that answer as on a machine where all is well and nothing built yet.
    pub fn new() -> Repo {
        Repo::with(&FAMILY)
    }

    pub fn with(images: &[Image]) -> Repo {
        let folder = Shell::new().unwrap().create_temp_dir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let (root, fakes) = (top.join("repo"), top.join("fakes"));
        let bin = fakes.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let repo = Repo { root, bin, fakes, rules: RefCell::default(), runs: Cell::new(0), _folder: folder };
        for (file, stage) in COMPOSE_FILES.into_iter().zip(["development", "production"]) {
            repo.write(file, &compose(images, stage));
        }
        repo.write("images/build-tools/Dockerfile", "ARG DEBIAN_IMAGE\nFROM ${DEBIAN_IMAGE}\n");
        for image in images {
            let stages = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS production\nFROM production AS development\n\
                          LABEL core-images.stage=development\n";
            repo.write(&format!("images/{}/Dockerfile", image.name), stages);
            if image.pyproject {
                let text = format!("[project]\nname = \"{}\"\nrequires-python = \">=3.13,<3.14\"\n", image.name);
                repo.write(&format!("images/{}/pyproject.toml", image.name), &text);
                repo.write(&format!("images/{}/poetry.lock", image.name), OLD_LOCK);
            }
        }
        repo.write("target/new.lock", &new_lock());
        for tool in ["docker", "poetry", "aws", "python3.13"] {
            repo.install(tool);
        }
        repo.on("docker version *", Reply::prints("26.1.5"));
        repo.on("docker compose version --short", Reply::prints("2.26.1"));
        repo.on("docker image inspect *", Reply::does(INSPECT));
        repo.on("docker image inspect --format *", Reply::fails(1, NO_IMAGE));
        repo
    }

    /// Puts a fake tool on the PATH.
    pub fn install(&self, tool: &str) {
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/fake");
        symlink(fake, self.bin.join(tool)).unwrap();
    }

    pub fn uninstall(&self, tools: &[&str]) {
        for tool in tools {
            fs::remove_file(self.bin.join(tool)).unwrap();
        }
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }

    /// Replaces text that must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
    }

    /// Every file below `path` with what is in it, to see whether anything changed.
    pub fn snapshot(&self, path: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.join(path)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push((path.clone(), fs::read(path).unwrap_or_default())),
                }
            }
        }
        files.sort();
        files
    }

    /// What the fakes do when they are called in a way that `pattern` fits (`*` is anything); the latest rule wins.
    pub fn on(&self, pattern: &str, reply: Reply) -> &Repo {
        let mut rules = self.rules.borrow_mut();
        let pattern = pattern.split('*').map(quoted).collect::<Vec<_>>().join("*");
        let Reply { script, times } = reply;
        let times = times.map_or("true".to_owned(), |times| format!("take {} {times}", rules.len()));
        rules.push(format!("case $call in {pattern}) if {times}; then\n{script}fi ;; esac\n"));
        let text: Vec<&str> = rules.iter().rev().map(String::as_str).collect();
        fs::write(self.fakes.join("rules"), text.concat() + "exit 0\n").unwrap();
        self
    }

    /// The engine has this image: its id, and the labels that matter.
    pub fn engine_has(&self, image: &str, id: &str, labels: &[(&str, &str)]) -> &Repo {
        self.engine_has_at(&format!("{REGISTRY}/{image}:latest"), id, labels)
    }

    pub fn engine_has_at(&self, reference: &str, id: &str, labels: &[(&str, &str)]) -> &Repo {
        let map: serde_json::Map<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let image = serde_json::json!({
            "Id": id,
            "RepoTags": [reference],
            "Created": "2026-11-22T17:25:04.5Z",
            "Size": 75_000_000,
            "Config": {"Labels": map},
        });
        let json = self.fakes.join(format!("images/{reference}"));
        fs::create_dir_all(json.parent().unwrap()).unwrap();
        fs::write(json, format!("{image}\n")).unwrap();
        let stage = labels.iter().find(|(label, _)| *label == "core-images.stage").map_or("", |(_, stage)| stage);
        self.on(&format!("docker image inspect --format {{{{.Id}}}} {reference}"), Reply::prints(id));
        self.on(&format!("docker image inspect --format {{{{index *stage* {reference}"), Reply::prints(stage))
    }

    pub fn xtask(&self, args: &[&str]) -> Xtask<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(args).current_dir(&self.root).env_clear();
        command.env("PATH", &self.bin).env("HOME", &self.fakes).env("TERM", "xterm");
        // What stands in for the machine's bundle, so that no machine's own shows in what is echoed.
        command.env("SSL_CERT_FILE", "/dev/null");
        Xtask { repo: self, command }
    }

    /// A shell that runs `script` as a person would who pasted it.
    pub fn shell(&self, script: &str) -> Xtask<'_> {
        let Xtask { mut command, .. } = self.xtask(&[]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-e", "-c", script]).current_dir(&self.root).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // Some lines are `cargo xtask …` again.
        let cargo = self.bin.join("cargo");
        fs::write(&cargo, format!("#!/bin/sh\nshift\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_xtask"))).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        command = shell;
        Xtask { repo: self, command }
    }

    /// Runs it, and gives how it ended.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.xtask(args).run()
    }

    /// Every call of a fake since the last `forget`, oldest first.
    pub fn all_calls(&self) -> Vec<Call> {
        let bytes = fs::read(self.fakes.join("calls")).unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap();
        let mut fields = text.split_terminator('\0').map(str::to_owned);
        let mut calls = Vec::new();
        while let Some(program) = fields.next() {
            let count: usize = fields.next().unwrap().parse().unwrap();
            let args = fields.by_ref().take(count).collect();
            calls.push(Call { program, args, env: fields.next().unwrap(), stdin: fields.next().unwrap() });
        }
        calls
    }

    /// The calls as lines, less the preflight's.
    pub fn calls(&self) -> Vec<String> {
        let lines = self.all_calls().into_iter().map(|call| call.line());
        lines.filter(|line| !PREFLIGHT.contains(&line.as_str())).collect()
    }

    /// Forgets calls, and how often rules were used.
    pub fn forget(&self) {
        for entry in fs::read_dir(&self.fakes).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.file_name().unwrap() != "rules" {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// Waits until a fake works on what a rule has it block on, and traps signals.
    pub fn wait_until_blocked(&self) {
        self.wait_until_all_blocked(1);
    }

    pub fn wait_until_all_blocked(&self, count: usize) {
        self.wait_for("blocked", count);
    }

    /// Waits until the blocking fakes have seen this many signals.
    pub fn wait_for_signals(&self, count: usize) {
        self.wait_for("signals", count);
    }

    fn wait_for(&self, file: &str, lines: usize) {
        let end = Instant::now() + BOUND;
        let path = self.fakes.join(file);
        while !fs::read_to_string(&path).is_ok_and(|text| text.lines().count() >= lines) {
            assert!(Instant::now() < end, "no fake is {file}; calls: {:#?}", self.calls());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The calls that got a signal, once for each.
    pub fn signals(&self) -> Vec<String> {
        self.noted("signals")
    }

    /// The calls that ended by themselves after a signal.
    pub fn wound_down(&self) -> Vec<String> {
        self.noted("wound-down")
    }

    fn noted(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.fakes.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Lets what blocks go on.
    pub fn release(&self) {
        File::create(self.fakes.join("release")).unwrap();
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// What a fake does.
pub struct Reply {
    script: String,
    times: Option<usize>,
}

impl Reply {
    /// Lines of a shell script; without an `exit`, older rules that fit come after.
    pub fn does(script: &str) -> Reply {
        Reply { script: format!("{script}\n"), times: None }
    }

    pub fn prints(text: &str) -> Reply {
        Reply::does(&format!("printf '%s\\n' {}\nexit 0", quoted(text)))
    }

    /// Ends with this code, after these words on standard error.
    pub fn fails(code: u8, text: &str) -> Reply {
        Reply::does(&format!("printf '%s\\n' {} >&2\nexit {code}", quoted(text)))
    }

    /// Runs until it is released or signalled.
    pub fn blocks() -> Reply {
        Reply::does("block")
    }

    /// Only the first calls.
    pub fn times(self, times: usize) -> Reply {
        Reply { times: Some(times), ..self }
    }
}

/// How a fake was called.
#[derive(Debug, Clone)]
pub struct Call {
    pub program: String,
    pub args: Vec<String>,
    /// What `export -p` printed.
    pub env: String,
    pub stdin: String,
}

impl Call {
    /// Program and arguments; one with a space in it, or nothing, in quotes.
    pub fn line(&self) -> String {
        let quote = |arg: &String| match arg.is_empty() || arg.contains(char::is_whitespace) {
            true => format!("<{arg}>"),
            false => arg.clone(),
        };
        std::iter::once(self.program.clone()).chain(self.args.iter().map(quote)).collect::<Vec<_>>().join(" ")
    }

    /// A variable that the fake was given.
    pub fn var(&self, name: &str) -> Option<&str> {
        let value = self.env.lines().find_map(|line| {
            line.split_once(' ').and_then(|(_, rest)| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix('='))
        })?;
        Some(value.trim_matches(['\'', '"']))
    }
}

/// A run that hasn't begun.
pub struct Xtask<'a> {
    repo: &'a Repo,
    command: Command,
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

    /// Begins; output goes to files, so that nobody waits for a pipe to be read.
    pub fn start(mut self) -> Running {
        let run = self.repo.runs.replace(self.repo.runs.get() + 1);
        let outputs = ["stdout", "stderr"].map(|name| self.repo.root.with_file_name(format!("{name}-{run}")));
        self.command.stdin(Stdio::null()).process_group(0);
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

    pub fn wait_until_it_says(&self, words: &str) {
        let end = Instant::now() + BOUND;
        while !fs::read_to_string(&self.outputs[1]).unwrap().contains(words) {
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

    /// Ended with this code and a short message, which holds all these words, and says what helps where it can.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, code, "{}", self.stderr);
        let message = self.message();
        assert!(message.lines().count() <= 3, "more than three lines:\n{message}");
        assert!(!self.stderr.contains('\x1b'), "escapes for no terminal: {}", self.stderr);
        for word in words {
            assert!(message.contains(word), "no {word:?} in:\n{message}");
        }
        self
    }

    /// What was said from `error:` on, which is the end.
    #[track_caller]
    pub fn message(&self) -> &str {
        let at =
            if self.stderr.starts_with("error: ") { Some(0) } else { self.stderr.find("\nerror: ").map(|at| at + 1) };
        &self.stderr[at.unwrap_or_else(|| panic!("no line begins with error: in\n{}", self.stderr))..]
    }

    /// The line that says what helps.
    #[track_caller]
    pub fn help(&self) -> &str {
        let line = self.message().lines().find_map(|line| line.strip_prefix(" help: "));
        line.unwrap_or_else(|| panic!("no help in\n{}", self.stderr))
    }

    /// The commands that were echoed.
    pub fn echoed(&self) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.strip_prefix("$ ")).collect()
    }
}
