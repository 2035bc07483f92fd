"""A login shell has the image's environment: `bash -l`, editors that attach, `su -`, ssh."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

# The image's own: the suite may run in another environment of it.
IMAGE = dict(line.split("=", 1) for line in Path("/proc/1/environ").read_text().rstrip("\0").split("\0"))
IMAGE.pop("PYTHONPATH", None)  # the suite's
PYTHON = shutil.which("python", path=IMAGE["PATH"])
KEPT = ["PATH", "VIRTUAL_ENV", "LANG", "PYTHONUNBUFFERED", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"]

SHELLS = ["bash", "sh"]
SCRIPT = "import sys, yaml; print(sys.prefix)"


def login(shell, script, **environment):
    done = subprocess.run([shell, "-lc", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_login_shell_has_python_and_its_packages(shell):
    assert login(shell, f"command -v python; python -c {shlex.quote(SCRIPT)}", **IMAGE).split() == [
        PYTHON,
        IMAGE["VIRTUAL_ENV"],
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_login_shell_keeps_what_a_project_puts_on_the_path(shell):
    path = f"/app/bin:{IMAGE['PATH']}"
    assert login(shell, "echo $PATH", **{**IMAGE, "PATH": path}) == path


@pytest.mark.parametrize("shell", SHELLS)
def test_a_login_that_inherits_nothing_has_the_image_s_environment(shell):
    shown = login(shell, "printenv " + " ".join(KEPT), HOME=IMAGE["HOME"])
    assert shown.split("\n") == [IMAGE[name] for name in KEPT]


def test_pam_gives_a_login_the_image_s_environment():
    """Read by `su -`, sshd and cron."""
    lines = Path("/etc/environment").read_text().splitlines()
    assert sorted(lines) == sorted(f'{name}="{IMAGE[name]}"' for name in KEPT)
