"""How the server starts and ends: whatever lies on the volume, whatever a kernel is at."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("prefix", ["", "/hub/jovyan/"])
def test_any_form_of_prefix(start, healthcheck, prefix):
    server = start(prefix=prefix)
    assert server.request("/lab")[0] == 200
    assert healthcheck() == 0


def test_another_command_is_not_judged(start, healthcheck):
    """A job that executes a notebook, a shell: it would be unhealthy for ever."""
    # `start` is asked for, and has ended what other tests kept.
    assert healthcheck() == 0


def test_the_health_check_tells_up_from_down(start, healthcheck):
    server = start(wait=False)
    assert healthcheck() != 0
    server.wait_until_up()
    assert healthcheck() == 0
    (jupyter,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(jupyter), signal.SIGSTOP)
    try:
        assert healthcheck() != 0
    finally:
        os.kill(int(jupyter), signal.SIGCONT)


ELSEWHERE = {
    "prefix": ["--ServerApp.base_url=/elsewhere/"],
    "port": ["--ServerApp.port=9000"],
    "IPv6": ["--ServerApp.ip=::"],
    "TLS": ["--ServerApp.certfile=/tmp/notebook.pem"],
}


@pytest.mark.parametrize("arguments", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_server_that_answers_is_healthy_wherever_it_listens(start, healthcheck, arguments):
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=example.com -keyout /tmp/notebook.pem"
    subprocess.run([*command.split(), "-out", "/tmp/cert.pem"], check=True, capture_output=True)
    with open("/tmp/notebook.pem", "a") as file:
        file.write(Path("/tmp/cert.pem").read_text())
    server = start(*arguments, wait=False)
    server.wait_for("is running at:")
    deadline = time.monotonic() + 5
    while healthcheck() != 0:
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.1)


def test_what_a_person_has_changed_stays(start, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".bashrc").write_text("# mine\n")
    start()
    assert (home / ".bashrc").read_text() == "# mine\n"
    assert (home / ".profile").exists()


def test_it_serves_even_from_a_home_that_cannot_be_written(start, tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    server = start()
    assert server.request("/lab")[0] == 200
    assert f"{home} can't be written" in server.log.read_text()
    kernel = server.kernel()
    assert server.execute(kernel, "print(6 * 7)").strip() == "42"


def test_a_configuration_on_the_volume_cannot_make_it_unreachable(start, tmp_path):
    folder = tmp_path / "home/.jupyter"
    folder.mkdir(parents=True)
    (folder / "jupyter_server_config.py").write_text("c.ServerApp.port = 9999\nc.IdentityProvider.token = 'x'\n")
    (folder / "jupyter_server_config.json").write_text('{"IdentityProvider": {"hashed_password": "x"}}')
    (folder / "jupyter_config.py").write_text("c.ServerApp.port = 9999\nc.ContentsManager.allow_hidden = True\n")
    server = start()
    assert server.request("/api/kernels")[0] == 200
    assert '"allow_hidden_files": true' in server.request("/lab")[2], "the person's own configuration is read"


def test_arguments_win_over_the_image(start):
    server = start("--ServerApp.allow_origin=", "--IdentityProvider.token=word")
    status, headers, _ = server.request("/api/kernels")
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers


def test_a_taken_port_is_an_error(start):
    start()
    second = start(wait=False, JUPYTER_RUNTIME_DIR="/tmp/second")
    assert second.process.wait(timeout=20) not in (0, 128 + signal.SIGTERM)


def test_packages_left_on_the_volume_do_not_shadow_the_image(tmp_path):
    folder = tmp_path / f".local/lib/python3.{sys.version_info.minor}/site-packages"
    folder.mkdir(parents=True)
    (folder / "tornado.py").write_text("raise SystemExit('the one on the volume')")
    command = ["python", "-c", "import tornado"]
    done = subprocess.run(command, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def descendants(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children] + [d for child in children for d in descendants(child)]


BUSY = {
    "idle": "print('ready')",
    "busy": "print('ready', flush=True)\nwhile True: pass",
    "deaf": "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "print('ready', flush=True)\nwhile True: time.sleep(1)",
}


@pytest.mark.parametrize("code", BUSY.values(), ids=BUSY)
def test_sigterm_ends_it_soon_whatever_a_kernel_is_at(start, code):
    server = start()
    kernel = server.kernel()
    assert server.execute(kernel, code, until_idle=False).strip() == "ready"
    there = descendants(server.process.pid)
    assert len(there) >= 2, "the server and a kernel"
    seconds, code = server.terminate()
    # A pod has 30: a kernel that nobody ends would take all of them.
    assert seconds < 15
    assert code in (0, 128 + signal.SIGTERM)
    assert not [pid for pid in there if Path(f"/proc/{pid}").exists()]
