"""dask-base: a cluster in one container, started as the operator starts it, by the image's init and over loopback."""

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import dask.array
import dask.dataframe
import distributed
import pandas
import pytest

# The arguments that dask-kubernetes 2026.3 gives; the address comes by the environment.
SCHEDULER = ["dask-scheduler", "--host", "0.0.0.0"]
WORKER = ["dask-worker", "--name", "one", "--dashboard", "--dashboard-address", "8788"]
ADDRESS = "tcp://127.0.0.1:8786"


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


class Process:
    """What one container would run: init and command."""

    def __init__(self, argv, log):
        self.log = log
        environment = {**os.environ, "DASK_SCHEDULER_ADDRESS": ADDRESS}
        with log.open("w") as output:
            # A session of its own, for -g signals the whole group: in a container that is the container's.
            self.process = subprocess.Popen(
                argv, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def wait_for(self, text):
        deadline = time.monotonic() + 40
        while text not in self.log.read_text():
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log.read_text()}"
            time.sleep(0.05)

    def terminate(self):
        """The exit code, and the seconds that it took."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20), time.monotonic() - start

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    # As the fixture `init` of all suites, which is a test's, not a module's.
    argv = Path("/proc/1/cmdline").read_text().rstrip("\0").split("\0")
    init = argv[: argv.index("--") + 1]
    with contextlib.ExitStack() as stack:

        def start(*command, until):
            process = Process([*init, *command], tmp_path_factory.mktemp("process") / "log")
            stack.callback(process.end)
            process.wait_for(until)
            return process

        yield start


@pytest.fixture(scope="module")
def cluster(start):
    scheduler = start(*SCHEDULER, until="Scheduler at")
    one = start(*WORKER, until="Registered to")
    # Without a word on the dashboard it takes the operator's port too, and another one where that is taken.
    two = start("dask-worker", "--name", "two", "--nthreads", "1", until="Registered to")
    return scheduler, one, two


@pytest.fixture(scope="module")
def client(cluster):
    with distributed.Client(ADDRESS, timeout=20) as client:
        yield client


@pytest.fixture
def healthcheck(health_command):
    return lambda: subprocess.run(health_command, capture_output=True, timeout=10).returncode


# First, while nothing runs that the module's cluster would leave answering.
def test_another_command_is_not_judged(healthcheck):
    """A client, a shell: it would be unhealthy for ever."""
    assert healthcheck() == 0


def test_a_scheduler_is_healthy_wherever_its_dashboard_is(start, healthcheck):
    scheduler = start(*SCHEDULER, "--dashboard-address", ":0", until="Scheduler at")
    assert [healthcheck(), healthcheck()] == [0, 0]
    assert "Traceback" not in scheduler.log.read_text()
    scheduler.end()


@pytest.mark.parametrize("command", [["dask", "worker", ADDRESS], ["dask-worker"]], ids=" ".join)
def test_a_worker_is_healthy_wherever_its_dashboard_is(start, healthcheck, command):
    scheduler = start(*SCHEDULER, "--no-dashboard", until="Scheduler at")
    worker = start(*command, until="Registered to")
    assert [healthcheck(), healthcheck(), healthcheck()] == [0, 0, 0]
    log = worker.log.read_text()
    assert "Traceback" not in log
    assert log.count("closed before handshake") <= 2, "its other ports are asked once"
    worker.end()
    scheduler.end()


def test_the_command_is_a_scheduler(start, command, healthcheck):
    assert command == ["dask", "scheduler"]
    scheduler = start(*command, until="Scheduler at")
    assert get(8787, "/health") == "ok"
    assert healthcheck() == 0
    code, seconds = scheduler.terminate()
    assert seconds < 5 and code in (0, 128 + signal.SIGTERM), scheduler.log.read_text()
    with pytest.raises(urllib.error.URLError):
        get(8787, "/health")


def test_all_have_the_same_versions(client):
    versions = client.get_versions(check=True)
    assert len(versions["workers"]) == 2


def test_workers_have_the_names_they_were_given(client):
    assert sorted(worker["name"] for worker in client.scheduler_info()["workers"].values()) == ["one", "two"]


def test_an_array_is_computed_on_the_workers(client):
    x = dask.array.arange(1_000_000, chunks=50_000)
    assert (x * x).sum().compute() == sum(i * i for i in range(1_000_000))


def test_both_workers_work(client):
    def whose(_):
        time.sleep(0.02)
        return distributed.get_worker().name

    assert set(client.gather(client.map(whose, range(100), pure=False))) == {"one", "two"}


def test_a_data_frame_goes_through_parquet(client, tmp_path):
    frame = pandas.DataFrame({"key": ["a", "b", "c", "a"] * 250, "value": range(1000)})
    dask.dataframe.from_pandas(frame, npartitions=4).to_parquet(tmp_path)
    read = dask.dataframe.read_parquet(tmp_path)
    assert read.npartitions == 4
    computed = read.groupby("key").value.sum().compute().to_dict()
    assert computed == frame.groupby("key").value.sum().to_dict()


def test_what_is_lost_is_computed_again(client, cluster):
    """The nanny starts a worker that died anew, and the scheduler gives its work away."""

    def step(i):
        time.sleep(0.02)
        return i

    futures = client.map(step, range(200), pure=False)
    victim = next(address for address, worker in client.scheduler_info()["workers"].items() if worker["name"] == "two")
    while not any(future.done() for future in futures):
        time.sleep(0.01)
    (pid,) = client.run(os.getpid, workers=[victim]).values()
    os.kill(pid, signal.SIGKILL)
    assert client.submit(sum, futures).result(timeout=60) == sum(range(200))


def test_messages_are_compressed_by_lz4(client):
    assert client.run(lambda: distributed.protocol.compression.compressions["lz4"].name)


def test_workers_spill_to_tmp(client):
    folders = client.run(lambda dask_worker: dask_worker.local_directory).values()
    assert all(folder.startswith("/tmp/") for folder in folders)


@pytest.mark.parametrize(
    ("port", "path", "text"),
    [
        (8787, "/health", "ok"),
        (8787, "/metrics", "dask_scheduler_workers"),
        (8787, "/status", "Bokeh"),
        (8788, "/health", "ok"),
        (8788, "/metrics", "dask_worker_tasks"),
        (8788, "/status", "Bokeh"),
    ],
)
def test_scheduler_and_worker_tell_of_themselves(cluster, port, path, text):
    assert text in get(port, path)


# Last, for it ends the cluster.
def test_sigterm_ends_each_within_seconds_whatever_it_is_at(client, cluster):
    scheduler, one, two = cluster
    busy = client.map(lambda _: time.sleep(60) or os.getpid(), range(2), workers=["one", "two"], pure=False)
    while sum(map(len, client.processing().values())) < len(busy):
        time.sleep(0.05)
    for process in (two, one, scheduler):
        code, seconds = process.terminate()
        assert seconds < 5, process.log.read_text()
        assert code in (0, 128 + signal.SIGTERM), process.log.read_text()
