"""fastapi-serve: its very CMD and HEALTHCHECK, over loopback."""

import concurrent.futures
import contextlib
import datetime
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests

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
def start(init, command, tmp_path):
    """Starts the image's command the way the engine does: by its init."""
    with contextlib.ExitStack() as stack:

        def start(wait=True, **environment):
            server = Server([*init, *command], tmp_path / "log", environment)
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
def healthcheck(health_command):
    def run(**environment):
        return subprocess.run(health_command, capture_output=True, timeout=10, env={**os.environ, **environment}).returncode

    return run


def test_the_demo_answers(start):
    server = start()
    assert "http://0.0.0.0:8000" in server.log.read_text()
    assert json.loads(get("/health")) == {"status": "ok"}
    assert "python_info" in get("/metrics")


def test_the_health_check_tells_up_from_down(probe, healthcheck):
    server = probe(wait=False, PROBE_START="2")
    assert healthcheck() != 0
    server.wait_for("Uvicorn running on")
    assert healthcheck() == 0


def test_the_health_check_sees_a_server_that_hangs(probe, healthcheck):
    server = probe()
    (uvicorn,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(uvicorn), signal.SIGSTOP)
    try:
        assert healthcheck() != 0
    finally:
        os.kill(int(uvicorn), signal.SIGCONT)


@pytest.mark.parametrize("path", ["/elsewhere", "/broken"])
def test_the_health_check_sees_an_app_that_fails_it(probe, healthcheck, path):
    probe()
    assert healthcheck(HEALTH_PATH=path) != 0


def test_another_command_is_not_judged(healthcheck):
    """A migration, a shell: it would be unhealthy for ever."""
    assert healthcheck() == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=api.example.com -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return {"UVICORN_SSL_KEYFILE": f"{folder}/key.pem", "UVICORN_SSL_CERTFILE": f"{folder}/cert.pem"}


SETTINGS = {
    "IPv6": {"UVICORN_HOST": "::"},
    "one address": {"UVICORN_HOST": "127.0.0.2"},
    "another port": {"UVICORN_PORT": "9000"},
    "a socket": {"UVICORN_UDS": "/tmp/probe.sock"},
    "https redirect": {"PROBE_HTTPS": "1"},
    "trusted hosts": {"PROBE_HOST": "api.example.com"},
    "a prefix": {"UVICORN_ROOT_PATH": "/api/v1"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_server_that_answers_is_healthy_whatever_its_settings(probe, healthcheck, settings):
    probe(**settings)
    assert healthcheck(**settings) == 0


def test_a_server_with_tls_is_healthy(probe, healthcheck, certificate):
    server = probe(**certificate)
    assert healthcheck(**certificate) == 0
    assert "Invalid HTTP request" not in server.log.read_text()
    # 2: ssl.CERT_REQUIRED.
    server.terminate(timeout=10)
    mutual = {**certificate, "UVICORN_SSL_CERT_REQS": "2", "UVICORN_SSL_CA_CERTS": certificate["UVICORN_SSL_CERTFILE"]}
    probe(**mutual)
    assert healthcheck(**mutual) == 0


def test_a_server_is_found_by_its_command_line(init, probe, healthcheck, tmp_path):
    command = [*init, "uvicorn", "--port=9001", "--host=::1", f"--app-dir={TESTS}", "probe_app:app"]
    log = tmp_path / "log"
    server = Server(command, log, {})
    try:
        server.wait_for("Uvicorn running on")
        assert healthcheck() == 0
        assert healthcheck(HEALTH_PATH="/elsewhere") != 0
    finally:
        server.terminate(timeout=10)


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


def test_forms_and_files_are_taken(probe):
    probe()
    answer = requests.post(f"{URL}/upload", data={"title": "notes"}, files={"file": ("a.bin", b"x" * 3_000_000)})
    assert answer.json() == {"title": "notes", "name": "a.bin", "size": 3_000_000}


def ended_under_load(server, end):
    """What became of the requests of another process's clients, and when `end` came upon the server."""
    command = [sys.executable, f"{TESTS}/load.py", "8", "8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        server.wait_for("probe: began 200.")
        ended = time.monotonic()
        end()
        requests = json.loads(load.communicate(timeout=30)[0])
    assert load.returncode == 0
    return requests, ended


def unanswered(requests, ended, log):
    """Numbers of those that the server had accepted.

    They are those that the app began, those of which any byte of an answer came, and those that were sent a second
    before the end was asked for. Not accepted is what crosses the end on its way: on a connection that waits to be
    accepted, or that was kept and is idle, a request may find the connection closed, without a byte of an answer and
    unknown to the app. HTTP has clients send such a request again (RFC 9112, 9.3.1).
    """
    began = {int(number) for number in re.findall(r"probe: began (\d+)\.", log)}
    accepted = [r for r in requests if r["number"] in began or r["received"] or r["sent"] < ended - 1]
    return [r["number"] for r in accepted if not r["answered"]]


def test_under_load_every_accepted_request_is_answered(probe):
    server = probe()
    requests, ended = ended_under_load(server, lambda: server.process.send_signal(signal.SIGTERM))
    code = server.process.wait(timeout=10)
    log = server.log.read_text()
    in_flight = [r for r in requests if r["answered"] and r["sent"] < ended < r["ended"]]
    assert len(in_flight) > 3, "the signal found too little to do"
    assert unanswered(requests, ended, log) == []
    assert code in (0, 128 + signal.SIGTERM), log
    assert "Application shutdown complete" in log


def test_the_load_shows_what_is_cut(probe):
    """The test above would see it: here the server is killed."""
    server = probe()
    (uvicorn,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    requests, ended = ended_under_load(server, lambda: os.kill(int(uvicorn), signal.SIGKILL))
    assert unanswered(requests, ended, server.log.read_text())


def test_a_request_that_hangs_does_not_hold_up_the_end(probe):
    server = probe(UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN="1")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(get, "/slow?seconds=60", 70)
        server.wait_for("slow request in flight")
        server.terminate(timeout=5)
        with pytest.raises(Exception):
            answer.result(timeout=5)


def test_an_idle_connection_outlives_the_load_balancer_s(start):
    """AWS's keeps one for 60 s: whoever is first to close it, a request of the other is lost (a 502)."""
    assert int(os.environ["UVICORN_TIMEOUT_KEEP_ALIVE"]) > 60
    start()
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/health")
        connection.getresponse().read()
        kept = connection.sock
        time.sleep(6)  # Uvicorn's own 5 are over
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        assert connection.sock is kept


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


def test_logs_can_be_lines_of_json(probe):
    """Requests, tracebacks and the app's own, each whole in one record."""
    server = probe(UVICORN_LOG_CONFIG="/opt/json-logs.json", PYTHONUNBUFFERED="1")
    assert get("/log?word=caf%C3%A9") == "null"
    with pytest.raises(urllib.error.HTTPError):
        get("/broken")
    server.wait_for("as it was told to")
    assert server.terminate(timeout=10) in (0, 128 + signal.SIGTERM)
    records = [json.loads(line) for line in server.log.read_text().splitlines() if not line.startswith("probe:")]
    assert all(datetime.datetime.fromisoformat(record["time"]).tzinfo for record in records)
    (said,) = (record for record in records if record["logger"] == "shop")
    assert (said["level"], said["message"], said["order"]) == ("warning", "sold\n“café”", 5)
    access = [record for record in records if record["logger"] == "uvicorn.access"]
    assert [(r["method"], r["path"], r["status"]) for r in access] == [("GET", "/log?word=caf%C3%A9", 200), ("GET", "/broken", 500)]
    (error,) = (record for record in records if "exception" in record)
    assert (error["logger"], error["level"]) == ("uvicorn.error", "error")
    assert "RuntimeError: the probe fails" in error["exception"]


@pytest.mark.parametrize("trusted", ["127.0.0.0/8", "10.0.0.0/8"])
def test_a_proxy_is_believed_that_is_named(probe, trusted):
    probe(FORWARDED_ALLOW_IPS=trusted)
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    seen = requests.get(URL + "/client", headers=headers, timeout=10).json()
    assert seen == (["203.0.113.9", "https"] if trusted.startswith("127") else ["127.0.0.1", "http"])
