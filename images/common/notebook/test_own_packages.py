"""Packages of a person's own, from a cell or a terminal: they stay on the volume, and what the image has stays as it is."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

INSTALLERS = ["%pip", "!pip", "!uv pip"]
TOOLS = ["curl", "editor", "git", "less", "nano", "ps", "scp", "ssh", "top", "unzip"]


def wheel(folder, name, version="1", requires=None):
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "def main():\n    print('a command')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-command = {name}:main\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))


@pytest.fixture
def index(tmp_path):
    """The options that make this folder pip's and uv's index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "mine", requires="requests>=2")
    wheel(folder, "mine", "2", requires="requests>=2")
    wheel(folder, "older", requires="requests<2")
    wheel(folder, "requests")
    return f"--no-index --find-links {folder}"


@pytest.mark.production
@pytest.mark.parametrize("installer", INSTALLERS)
def test_they_are_found_and_survive_a_restart(start, index, installer):
    server = start()
    code = "import json, mine, requests; print(json.dumps([mine.__file__, requests.__file__]))"
    kernel = server.kernel()
    said = server.execute(kernel, f"{installer} install {index} mine==1")
    # In the very kernel that installed it.
    found = json.loads(server.execute(kernel, code).splitlines()[-1])
    server.terminate()

    server = start()
    kernel = server.kernel()
    assert json.loads(server.execute(kernel, code)) == found, said
    site = sysconfig.get_path("purelib")
    home = site.replace(os.environ["VIRTUAL_ENV"], f"{server.home}/.local")
    assert found == [f"{home}/mine.py", f"{site}/requests/__init__.py"]
    assert server.execute(kernel, "!mine-command").strip() == "a command"

    said = server.execute(kernel, f"{installer} install --upgrade {index} mine")
    assert [name for name in sorted(os.listdir(home)) if name.startswith("mine-")] == ["mine-2.dist-info"], said
    flag = "" if "uv" in installer else " --yes"
    said = server.execute(kernel, f"{installer} uninstall{flag} mine")
    assert not os.path.exists(f"{home}/mine.py"), said


@pytest.mark.production
@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("wanted", ["requests==1", "older"])
def test_what_would_replace_the_image_s_is_refused(start, index, installer, wanted):
    server = start()
    kernel = server.kernel()
    said = server.execute(kernel, f"{installer} install {index} {wanted}")
    version = importlib.metadata.version("requests")
    assert f"requests=={version}" in said, f"it doesn't say why:\n{said}"
    code = "import requests, importlib.util; print(requests.__version__, importlib.util.find_spec('older'))"
    assert server.execute(kernel, code).split() == [version, "None"]


@pytest.mark.parametrize("command", ["pip", "uv pip"])
def test_an_environment_of_one_s_own_has_no_bounds(tmp_path, index, command):
    """The image's versions are asked for in the image's environment alone."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "mine"], check=True)
    environment = {**os.environ, "HOME": str(tmp_path), "VIRTUAL_ENV": str(tmp_path / "mine")}
    done = subprocess.run([*command.split(), "install", *index.split(), "older"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = subprocess.run([tmp_path / "mine/bin/python", "-c", "import older, requests"], capture_output=True, text=True)
    assert imported.returncode == 0, imported.stderr


def test_the_server_loads_nothing_of_the_volume_s(start, tmp_path):
    folder = sysconfig.get_path("purelib").replace(os.environ["VIRTUAL_ENV"], str(tmp_path / "home/.local"))
    os.makedirs(folder)
    with open(f"{folder}/broken.pth", "w") as file:
        file.write(f"import os; open({str(tmp_path)!r} + '/' + str(os.getpid()), 'w')\n")
    server = start()
    processes = [server.process.pid, *map(int, open(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read().split())]
    assert not [pid for pid in processes if (tmp_path / str(pid)).exists()]
    kernel = server.kernel()
    assert server.execute(kernel, f"import os; print(os.path.exists({str(tmp_path)!r} + '/' + str(os.getpid())))").strip() == "True"


@pytest.mark.parametrize("tool", TOOLS)
def test_a_terminal_has_what_one_works_with(tool):
    assert shutil.which(tool)


def test_git_keeps_a_project_in_a_home_of_somebody_else_s(tmp_path):
    """As on a volume that was another user's."""
    assert "*" in subprocess.run(["git", "config", "--system", "safe.directory"], capture_output=True, text=True).stdout
    script = (
        "git init --quiet . && echo 1 >a && git add a"
        " && git -c user.name=me -c user.email=me@example.com commit --quiet --message one && git --no-pager log --oneline"
    )
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith(" one\n"), done.stderr
