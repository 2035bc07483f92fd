"""The user an image runs as, and the init that stands before its command."""

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

# Where a production container may write; everything else is as it was built.
WRITABLE = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/run/lock", "/workspace", "/reports")


def test_user_is_1000_with_a_home():
    assert (os.getuid(), os.getgid()) == (1000, 1000)
    assert os.environ["HOME"] == pwd.getpwuid(1000).pw_dir
    assert os.access(os.environ["HOME"], os.W_OK)


def test_a_user_whom_nobody_knows_has_a_name_and_a_home():
    """A pod's or a developer's own uid, which isn't in /etc/passwd."""
    user = pwd.getpwuid(1000)
    assert (os.environ["HOME"], os.environ["USER"]) == (user.pw_dir, user.pw_name)
    script = "import getpass, os, pwd; pwd.getpwuid = None; print(getpass.getuser(), os.path.expanduser('~'))"
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert shown.split() == [user.pw_name, user.pw_dir]


@pytest.mark.parametrize("folder", [os.environ["HOME"], "/workspace"])
def test_any_user_may_write_where_people_work(folder):
    """Caches of Hugging Face, torch, Triton, matplotlib and numba lie in the home."""
    assert stat.S_IMODE(os.stat(folder).st_mode) & 0o777 == 0o777


@pytest.mark.development
def test_any_user_in_a_group_that_start_adds_may_add_packages():
    """As `start` runs the image: as the owner of the project that is mounted."""
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("scripts")):
        status = os.stat(folder)
        assert status.st_gid in (0, 1000)
        assert stat.S_IMODE(status.st_mode) & 0o070 == 0o070


@pytest.mark.development
def test_a_project_s_packages_come_after_the_image_s(tmp_path):
    """In the folder that compose lays a volume over: found by every command of the image, and hiding nothing of it."""
    volume, project = Path("/opt/packages"), Path("/opt/project")
    assert stat.S_IMODE(os.stat(volume).st_mode) == 0o777
    assert project.resolve().parent == volume
    project.resolve().mkdir()
    folder = project / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    folder.mkdir(parents=True)
    try:
        (folder / "of_the_project.py").write_text("")
        (folder / "yaml.py").write_text("raise SystemExit('the image has another')")
        subprocess.run([sys.executable, "-c", "import of_the_project, yaml"], cwd=tmp_path, check=True)
    finally:
        shutil.rmtree(project.resolve())
    assert "/opt/project/bin" in os.environ["PATH"].split(":")


@pytest.mark.development
def test_a_project_without_a_lock_has_nothing_of_the_one_before(tmp_path):
    left = Path("/opt/project").resolve()
    left.mkdir()
    said = subprocess.run(["project-packages"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert said.endswith("nothing to install\n") and not left.exists()


@pytest.mark.development
def test_git_works_on_files_of_another_owner(tmp_path):
    """On a mounted project: of whom it is isn't told here, or told wrong."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    environment = {**os.environ, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    done = subprocess.run(["git", "status"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_shared_memory_holds_what_worker_processes_hand_over():
    """As `start` gives it; the engine's own 64 MB don't hold a few batches."""
    shared = os.statvfs("/dev/shm")
    assert shared.f_frsize * shared.f_blocks >= 1 << 30


def test_user_is_a_number(config):
    """Kubernetes' runAsNonRoot refuses an image whose user is a name."""
    assert config["User"] == "1000"


def test_user_cannot_become_root():
    status = Path("/proc/self/status").read_text()
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), "effective capabilities are left"
    for name in ("sudo", "doas"):
        assert not [p for p in os.environ["PATH"].split(":") if Path(p, name).exists()]


@pytest.mark.production
def test_user_writes_to_its_own_places_only():
    """Nor may another user: of the whole file system, no folder and no file."""
    own = (*WRITABLE, os.environ["HOME"])
    found = []
    set_ids = []
    seen = 0
    for folder, names, files in os.walk("/"):
        names[:] = [n for n in names if os.path.join(folder, n) not in own]
        for path in [folder, *(os.path.join(folder, f) for f in files)]:
            mode = os.lstat(path).st_mode
            seen += 1
            if not stat.S_ISLNK(mode) and (mode & stat.S_IWOTH or os.access(path, os.W_OK)):
                found.append(path)
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                set_ids.append(path)
    assert seen > 1000
    assert not found
    assert not set_ids, "who runs it becomes another user"


def test_pid_1_is_an_init():
    assert Path("/proc/1/comm").read_text().strip() in ("tini", "dumb-init", "docker-init")


def test_pid_1_reaps_orphans():
    # The child ends at once and leaves the grandchild to PID 1.
    script = "import os, sys\nif (pid := os.fork()): print(pid)\nelse: os._exit(0)"
    orphan = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.strip()
    deadline = time.monotonic() + 5
    while Path("/proc", orphan).exists():
        assert time.monotonic() < deadline, f"process {orphan} is left as a zombie"
        time.sleep(0.05)


def test_init_reaps_orphans_where_it_is_not_pid_1(init):
    """As in a pod whose containers share their processes: a plain tini warns at each start, and leaves them."""
    script = (
        "import os, time\n"
        "reader, writer = os.pipe()\n"
        "if not (child := os.fork()):\n"
        "    if os.fork(): os._exit(0)\n"
        "    time.sleep(0.3)\n"
        "    os.write(writer, f'{os.getpid()} {os.getppid()}'.encode())\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "orphan, parent = os.read(reader, 99).decode().split()\n"
        "time.sleep(0.3)\n"
        "print(int(parent) == os.getppid(), os.path.exists(f'/proc/{orphan}'))\n"
    )
    done = subprocess.run([*init, sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_init_forwards_sigterm_and_the_exit_code(init):
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "time.sleep(30)\n"
    )
    process = subprocess.Popen(
        [*init, sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 7
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_output_is_not_held_back():
    assert os.environ["PYTHONUNBUFFERED"] == "1"
    assert sys.getfilesystemencoding() == "utf-8"
    assert os.environ["LANG"] == "C.UTF-8"
