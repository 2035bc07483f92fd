//! Plans run with real, small processes.

mod board;
mod failures;
mod order;
mod streams;
mod terminal;
mod together;

use crate::{
    Executor, Settings,
    output::{Stream, Ui},
};
use plan::{Action, Invocation, Plan, Step};
use project::error::Fault;
use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// What was written to a stream.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// An executor whose streams are kept, and a folder for what steps write.
struct World {
    executor: Executor,
    folder: PathBuf,
    stdout: Written,
    stderr: Written,
}

impl World {
    fn new() -> World {
        World::on(false, false)
    }

    /// Somebody looks at standard error, a terminal.
    fn live() -> World {
        World::with_streams(true, false, true)
    }

    /// `terminal`: is standard error one? `groups`: are we in GitHub Actions?
    fn on(terminal: bool, groups: bool) -> World {
        World::with_streams(terminal, groups, false)
    }

    fn with_streams(terminal: bool, groups: bool, live: bool) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("exec-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let (stdout, stderr) = (Written::default(), Written::default());
        let ui = Ui::new(Stream::of(stdout.clone(), false), Stream::of(stderr.clone(), terminal), groups, live);
        let backoff = vec![Duration::ZERO; 4];
        let executor = Executor::new(Settings { backoff, ..Settings::new(ui, Vec::new(), 4) });
        World { executor, folder, stdout, stderr }
    }

    /// With other settings.
    fn with(mut self, change: impl FnOnce(&mut Settings)) -> World {
        change(&mut self.executor.settings);
        self
    }

    fn run(&self, plan: &Plan) -> Result<(), Fault> {
        self.executor.run(plan)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A script that runs in the folder.
    fn sh(&self, script: &str) -> Invocation {
        Invocation::new("sh", ["-c".to_owned(), format!("cd {}\n{script}", self.folder.display())])
    }

    fn step(&self, title: &str, script: &str) -> Step {
        Step::new(title, Action::Run(self.sh(script)))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn plan(steps: impl IntoIterator<Item = Step>) -> Plan {
    Plan { steps: steps.into_iter().collect(), ..Plan::default() }
}
