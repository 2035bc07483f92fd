//! Fake tools: what they answer, and how they were called.

use super::{BOUND, PREFLIGHT, REGISTRY, Repo};
use std::{
    fs,
    fs::File,
    os::unix::fs::symlink,
    path::Path,
    thread,
    time::{Duration, Instant},
};

impl Repo {
    /// Puts a fake tool on the PATH.
    pub fn install(&self, tool: &str) {
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/fake");
        symlink(fake, self.bin.join(tool)).unwrap();
    }

    pub fn uninstall(&self, tools: &[&str]) {
        for tool in tools {
            fs::remove_file(self.bin.join(tool)).unwrap();
        }
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
            "Config": {"Labels": map, "Env": [format!("BUILT={id}")]},
        });
        let json = self.fakes.join(format!("images/{reference}"));
        fs::create_dir_all(json.parent().unwrap()).unwrap();
        fs::write(json, format!("{image}\n")).unwrap();
        let stage = labels.iter().find(|(label, _)| *label == "core-images.stage").map_or("", |(_, stage)| stage);
        self.on(&format!("docker image inspect --format {{{{.Id}}}} {reference}"), Reply::prints(id));
        self.on(&format!("docker image inspect --format {{{{index *stage* {reference}"), Reply::prints(stage))
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
