"""dask-base: an environment apart from conda's, on conda's Python."""

import importlib.metadata
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pyarrow.fs
import pytest

CONDA_SITE = "/opt/conda/lib/python3.13/site-packages"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def test_python_is_the_environment_s():
    assert sys.version_info[:2] == (3, 13)
    assert sys.prefix == os.environ["VIRTUAL_ENV"] == "/opt/venv"
    assert shutil.which("python") == "/opt/venv/bin/python"
    # Not sys.base_prefix, for a stand-in's conda is itself an environment.
    assert "command = /opt/conda/bin/python -m venv" in Path(sys.prefix, "pyvenv.cfg").read_text()


def test_conda_s_packages_are_out_of_reach():
    assert not [folder for folder in os.environ["PATH"].split(":") if folder.startswith("/opt/conda")]
    assert os.path.isdir(CONDA_SITE)
    assert CONDA_SITE not in sys.path
    # A shell must not bring them back: the base's skeleton of a home does.
    path = subprocess.run(["bash", "-ic", "echo $PATH"], check=True, capture_output=True, text=True).stdout.strip()
    assert path == os.environ["PATH"]


@pytest.mark.parametrize("package", ["dask", "distributed"])
def test_dask_is_the_release_of_the_base(package):
    """The base's tag and the lock are moved by different hands."""
    (base,) = importlib.metadata.distributions(name=package, path=[CONDA_SITE])
    assert importlib.metadata.version(package) == base.version


def test_nothing_is_installed_at_the_start(init):
    assert init == ["/usr/bin/tini", "-s", "-g", "--"]


def started(config, **environment):
    """What the image's entry point and a command print, with these variables."""
    command = [*config["Entrypoint"], "sh", "-c", "echo ran"]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)


def test_packages_that_are_asked_for_at_the_start_are_said_to_be_ignored(config):
    done = started(config, EXTRA_PIP_PACKAGES="s3fs==2020.1", EXTRA_CONDA_PACKAGES="numba", EXTRA_APT_PACKAGES="")
    assert done.stdout == "ran\n"
    (line,) = (line for line in done.stderr.splitlines() if "tini" not in line)
    assert "ignored" in line
    assert "EXTRA_CONDA_PACKAGES EXTRA_PIP_PACKAGES;" in line
    assert "dask-base" not in started(config).stderr


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_every_client_reads_the_system_bundle(variable):
    assert os.environ[variable] == BUNDLE


def test_conda_s_openssl_trusts_the_system_bundle():
    count = Path(BUNDLE).read_text(encoding="ascii").count("BEGIN CERTIFICATE")
    assert len(ssl.create_default_context().get_ca_certs()) == count > 0


def test_pyarrow_reads_from_s3():
    """By itself, as pandas does where it reads Parquet."""
    assert pyarrow.fs.S3FileSystem(anonymous=True, region="eu-west-1").type_name == "s3"


def test_the_working_directory_is_the_user_s():
    assert os.getcwd() == "/workspace"
    assert os.access("/workspace", os.W_OK)


@pytest.mark.development
@pytest.mark.parametrize("command", ["poetry", "uv", "gcc", "git", "make"])
def test_development_tools_run(command):
    subprocess.run([command, "--version"], check=True, capture_output=True)
