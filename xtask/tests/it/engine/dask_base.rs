//! What `dask-base` promises that only shows across containers: a cluster that is started as the operator starts it,
//! and that gets over the loss of a worker. What shows from inside is the image's suite's.
//!
//! Needs the engine.

use super::docker::{LIMIT, REGISTRY, RESTRICTED, build, docker, wait_for, when_we_end};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    thread,
    time::Instant,
};

const IMAGE: &str = "dask-base";
/// Where the operator tells a worker that its scheduler is.
const ADDRESS: &str = "DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786";
/// The sum of squares, block by block, and slowly; it goes on to the end only after a worker has been lost that held
/// some of them.
const CLIENT: &str = "
import time
import dask.array
from distributed import Client

def square(block):
    time.sleep(0.2)
    return block * block

def workers():
    return client.scheduler_info(n_workers=-1)['workers']

client = Client(timeout=30)
client.wait_for_workers(2, timeout=30)
client.get_versions(check=True)
names = {address: worker['name'] for address, worker in workers().items()}
squares = dask.array.arange(1_000_000, chunks=25_000).map_blocks(square, dtype=int).persist()
while len({names[address] for holders in client.who_has(squares).values() for address in holders}) < 2:
    time.sleep(0.05)
print('under way on', *sorted(names.values()))
while len(workers()) == 2:
    time.sleep(0.05)
print(int(squares.sum().compute()), *[worker['name'] for worker in workers().values()])
";

/// The answer to GET on loopback, head and body, or nothing where nobody answers.
fn get(port: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The production image, a network, and containers on it, all of a name of our own; they go with it.
struct Cluster {
    name: String,
    remove: String,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            for role in ["scheduler", "one", "two", "client"] {
                let _ = Command::new("docker").args(["logs", "--tail=20", &self.container(role)]).status();
            }
        }
        let _ = Command::new("sh").args(["-c", &self.remove]).output();
    }
}

impl Cluster {
    fn new() -> Cluster {
        let name = format!("{IMAGE}-test-{}", std::process::id());
        let remove = format!(
            "docker rm --force --volumes {name}-scheduler {name}-one {name}-two {name}-client; \
             docker network rm {name}; docker image rm --force {REGISTRY}/{IMAGE}:{name}"
        );
        // A Ctrl-C drops nothing.
        when_we_end(&remove);
        let cluster = Cluster { name, remove };
        build(IMAGE, &cluster.name);
        docker(&["network", "create", &cluster.name]);
        cluster
    }

    fn container(&self, role: &str) -> String {
        format!("{}-{role}", self.name)
    }

    fn start(&self, role: &str, options: &[&str], command: &[&str]) {
        let name = format!("--name={}", self.container(role));
        let network = format!("--network={}", self.name);
        let alias = format!("--network-alias={role}");
        let image = format!("{REGISTRY}/{IMAGE}:{}", self.name);
        let run = ["run", "--detach", &name, &network, &alias, "--env", ADDRESS, "--health-start-interval=500ms"];
        docker(&[&run, &RESTRICTED[..], options, &[&image], command].concat());
    }

    /// With the operator's arguments (dask-kubernetes 2026.3).
    fn start_worker(&self, name: &str) {
        self.start(name, &[], &["dask-worker", "--name", name, "--dashboard", "--dashboard-address", "8788"]);
    }

    /// The line that the client prints next after `lines`.
    fn client_says(&self, lines: usize) -> String {
        wait_for("the client's word", || {
            docker(&["logs", &self.container("client")]).lines().nth(lines).map(str::to_owned)
        })
    }

    fn wait_until_healthy(&self, role: &str) {
        wait_for(&format!("the health of {role}"), || {
            let status = docker(&["inspect", "--format={{.State.Health.Status}}", &self.container(role)]);
            (status == "healthy").then_some(())
        });
    }

    /// Ends by SIGTERM, soon and in order.
    fn stop(&self, role: &str) {
        let start = Instant::now();
        docker(&["stop", "--time=20", &self.container(role)]);
        let seconds = start.elapsed().as_secs_f64();
        assert!(seconds < 5.0, "{role} took {seconds} s");
        let code = docker(&["inspect", "--format={{.State.ExitCode}}", &self.container(role)]);
        assert!(["0", "143"].contains(&code.as_str()), "{role} ended with {code}");
    }
}

#[test]
#[ignore = "needs the docker engine: cargo xtask setup --tests"]
fn a_result_is_right_although_a_worker_is_lost() {
    let cluster = Cluster::new();
    cluster.start("scheduler", &["--publish=127.0.0.1::8787"], &["dask-scheduler", "--host", "0.0.0.0"]);
    cluster.start_worker("one");
    cluster.start_worker("two");
    for role in ["scheduler", "one", "two"] {
        cluster.wait_until_healthy(role);
    }
    let published = docker(&["port", &cluster.container("scheduler"), "8787/tcp"]);
    let port = published.rsplit(':').next().unwrap();
    let health = get(port, "/health").unwrap();
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with("\r\n\r\nok"), "{health}");

    cluster.start("client", &[], &["python", "-c", CLIENT]);
    assert_eq!(cluster.client_says(0), "under way on one two");
    docker(&["kill", &cluster.container("two")]);
    let squares: u64 = (0..1_000_000).map(|i| i * i).sum();
    assert_eq!(cluster.client_says(1), format!("{squares} one"));

    assert!(get(port, "/metrics").unwrap().contains("dask_scheduler_workers"));
    cluster.stop("one");
    cluster.stop("scheduler");
}
