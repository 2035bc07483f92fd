"""fastapi-serve: its very CMD and HEALTHCHECK, over loopback."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

TESTS = str(Path(__file__).parent)
URL = "http://127.0.0.1:8000"


def get(path, timeout=10):
    with urllib.request.urlopen(URL + path, timeout=timeout) as response:
        return response.read().decode()


class Server:
    def __init__(self, argv, log, environment):
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                argv, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )

    def wait_for(self, text):
        deadline = time.monotonic() + 20
        while text not in self.log.read_text():
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log.read_text()}"
            time.sleep(0.05)

    def terminate(self, timeout):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=timeout)


@pytest.fixture
def start(init, instruction, tmp_path):
    """Starts the image's command the way the engine does: by its init."""
    with contextlib.ExitStack() as stack:

        def start(wait=True, **environment):
            argv = [*init, *json.loads(instruction("CMD"))]
            server = Server(argv, tmp_path / "log", environment)
            stack.callback(server.process.wait)
            # The init dies with its child only when the signal is forwarded.
            stack.callback(lambda: server.process.poll() is None and server.process.terminate())
            if wait:
                server.wait_for("Application startup complete")
                server.wait_for("Uvicorn running on")
            return server

        yield start


@pytest.fixture
def probe(start):
    return lambda wait=True, **more: start(wait, UVICORN_APP="probe_app:app", UVICORN_APP_DIR=TESTS, **more)


@pytest.fixture
def healthcheck(instruction):
    command = re.search(r"CMD\s+(\[.+\])", instruction("HEALTHCHECK"))
    return lambda: subprocess.run(json.loads(command.group(1)), capture_output=True, timeout=10).returncode


def test_the_demo_answers(start):
    server = start()
    assert "http://0.0.0.0:8000" in server.log.read_text()
    assert json.loads(get("/health")) == {"status": "ok"}
    assert "python_info" in get("/metrics")


def test_the_health_check_tells_up_from_down(start, healthcheck):
    assert healthcheck() != 0
    start()
    assert healthcheck() == 0


def test_the_health_check_sees_an_app_without_its_route(start, healthcheck):
    start(HEALTH_PATH="/elsewhere")
    os.environ["HEALTH_PATH"] = "/elsewhere"
    try:
        assert healthcheck() != 0
    finally:
        os.environ["HEALTH_PATH"] = "/health"


def test_it_is_one_process_on_the_fast_loop(probe):
    server = probe()
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert len(children) == 1, "the init runs one Uvicorn"
    assert Path(f"/proc/{children[0]}/task/{children[0]}/children").read_text().split() == []
    assert json.loads(get("/health"))["loop"].startswith("uvloop")


def test_a_request_in_flight_is_answered_before_the_end(probe):
    server = probe()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(get, "/slow?seconds=2")
        server.wait_for("slow request in flight")
        code = server.terminate(timeout=10)
        assert json.loads(answer.result()) == {"slept": 2}
    log = server.log.read_text()
    assert code in (0, 128 + signal.SIGTERM), log
    assert "probe: cleaned up" in log
    assert "Application shutdown complete" in log
    with pytest.raises(urllib.error.URLError):
        get("/health")


def test_a_request_that_hangs_does_not_hold_up_the_end(probe):
    server = probe(UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN="1")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(get, "/slow?seconds=60", 70)
        server.wait_for("slow request in flight")
        server.terminate(timeout=5)
        with pytest.raises(Exception):
            answer.result(timeout=5)


def test_the_grace_ends_before_kubernetes_kills():
    assert 0 < int(os.environ["UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"]) < 30


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"UVICORN_APP": "missing:app"}, "missing"),
        ({"UVICORN_APP": "demo.main:missing"}, "missing"),
        ({"PROBE_FAIL": "1", "UVICORN_APP": "probe_app:app", "UVICORN_APP_DIR": TESTS}, "as it was told to"),
    ],
    ids=["no module", "no app", "startup raises"],
)
def test_a_failure_to_start_is_loud(start, environment, message):
    server = start(wait=False, **environment)
    assert server.process.wait(timeout=20) not in (0, 128 + signal.SIGTERM)
    assert message in server.log.read_text()


@pytest.mark.production
def test_the_app_is_not_the_user_s_to_change():
    assert os.getcwd() == "/app"
    assert not os.access("/app", os.W_OK)
