"""python-base: the environment projects install into, and the tools of its development stage."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest


def test_python_is_the_environment_s():
    assert sys.version_info[:2] == (3, 13)
    assert sys.prefix == os.environ["VIRTUAL_ENV"] == "/opt/venv"
    assert shutil.which("python") == "/opt/venv/bin/python"
    # Debian's, hence patched by Debian's security updates.
    assert os.path.realpath(sys.executable) == "/usr/bin/python3.13"


def test_a_project_can_make_an_installer_of_its_own(tmp_path):
    """There is no pip in /opt/venv, so a Dockerfile that stands on this one brings it for a step."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", tmp_path / "pip"], check=True)
    listing = subprocess.run(
        [tmp_path / "pip/bin/pip", "--python", "/opt/venv/bin/python", "list"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "boto3" in listing


@pytest.mark.development
@pytest.mark.parametrize("command", ["poetry --version", "uv --version", "gcc --version", "git --version", "make --version"])
def test_development_tools_run(command):
    subprocess.run(command.split(), check=True, capture_output=True)


@pytest.mark.development
def test_extensions_in_c_can_be_compiled():
    assert Path(sysconfig.get_path("include"), "Python.h").is_file()


@pytest.mark.development
def test_development_tools_are_the_pinned_ones():
    pinned = Path("/images/build-tools/requirements.in").read_text().splitlines()
    freeze = subprocess.run(
        ["uv", "pip", "freeze", "--no-cache", "--python", "/opt/tools/bin/python"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert {line for line in pinned if "==" in line} <= set(freeze)


@pytest.mark.development
def test_poetry_works_on_the_environment(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')
    shown = subprocess.run(["poetry", "env", "info", "--path"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "/opt/venv"


@pytest.mark.development
def test_user_can_add_packages(tmp_path):
    wheel = tmp_path / "added-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("added.py", "VALUE = 1\n")
        archive.writestr("added-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: added\nVersion: 1\n")
        archive.writestr("added-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("added-1.dist-info/RECORD", "added.py,,\nadded-1.dist-info/METADATA,,\nadded-1.dist-info/WHEEL,,\nadded-1.dist-info/RECORD,,\n")
    uv = ["uv", "pip", "--offline", "--no-cache"]
    subprocess.run([*uv, "install", wheel], check=True)
    try:
        subprocess.run(["python", "-c", "import added"], check=True)
    finally:
        subprocess.run([*uv, "uninstall", "added"], check=True)
