"""What must not be in an image: build tools, caches, credentials, the builder's CA."""

import importlib.metadata
import os
import re
import shutil
import sysconfig
from pathlib import Path

import pytest

BUILD_TOOLS = "cc c++ gcc g++ clang ld as make cmake git pip pip3 uv uvx poetry conda mamba".split()
# A notebook is worked in, though production is deployed: see images/common/notebook/test_own_packages.py.
WORKED_WITH = {"git", "pip", "pip3", "uv"} if os.path.exists("/opt/notebook") else set()


@pytest.mark.production
@pytest.mark.parametrize("tool", sorted({*BUILD_TOOLS} - WORKED_WITH))
def test_no_build_tool(tool):
    assert shutil.which(tool, path=f"{os.environ['PATH']}:/opt/tools/bin:/root/.local/bin:/sbin:/usr/sbin") is None


@pytest.mark.production
def test_no_installer_among_the_packages():
    folder = sysconfig.get_path("purelib")
    names = {d.metadata["Name"].lower() for d in importlib.metadata.distributions(path=[folder])}
    # Not setuptools, which installs nothing by itself: torch asks for it.
    assert not names & {"pip", "uv", "poetry", "wheel"}


def contents(path):
    return sorted(str(p) for p in Path(path).rglob("*") if p.is_file()) if Path(path).exists() else []


@pytest.mark.parametrize("folder", ["/var/lib/apt/lists", "/var/cache/apt", "/var/cache/uv"])
def test_no_package_cache(folder):
    assert not [p for p in contents(folder) if not p.endswith("/lock")]


def test_home_and_tmp_are_empty(tmp_at_start):
    # Debian's skeleton aside.
    left = set(os.listdir(os.environ["HOME"])) - {".bashrc", ".profile", ".bash_logout"}
    assert not left
    assert tmp_at_start == []


def test_no_leftover_of_the_build():
    for path in ("/run/secrets", "/run/tools", "/run/requirements.txt"):
        assert not os.path.exists(path)
    # It was only mounted over during apt steps; Debian's own is never empty.
    docker_clean = Path("/etc/apt/apt.conf.d/docker-clean")
    assert not docker_clean.exists() or "core-images" not in docker_clean.read_text()
    assert not docker_clean.exists() or docker_clean.stat().st_size > 0


def test_environment_holds_no_credentials():
    suspicious = re.compile(r"TOKEN|SECRET|PASSW|ACCESS_KEY|CREDENTIAL|INDEX_URL|_PROXY$", re.IGNORECASE)
    assert not [name for name in os.environ if suspicious.search(name)]


@pytest.mark.parametrize("name", [".netrc", ".aws", ".docker", ".git-credentials", ".pypirc", ".config", ".ssh"])
def test_no_credential_files(name):
    assert not os.path.lexists(os.path.join(os.environ["HOME"], name))


def test_no_file_names_an_index_or_a_password():
    password = re.compile(rb"https?://[^/\s:@]+:[^/\s@]+@")
    files = [Path("/etc/pip.conf"), Path("/etc/uv/uv.toml"), Path(os.environ.get("VIRTUAL_ENV", "/opt/venv"), "pip.conf")]
    assert not [str(path) for path in files if path.exists()]
    found = []
    for root in ("/etc", "/home", "/app", "/workspace"):
        for path in Path(root).rglob("*"):
            if path.is_file() and os.access(path, os.R_OK) and password.search(path.read_bytes()):
                found.append(str(path))
    assert not found


def test_trusted_authorities_are_the_distribution_s():
    """The builder's CA bundle is lent to build steps and must not stay."""

    def certificates(text):
        return set(re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL))

    bundle = certificates(Path("/etc/ssl/certs/ca-certificates.crt").read_text())
    shipped = set()
    for path in Path("/usr/share/ca-certificates").rglob("*.crt"):
        shipped |= certificates(path.read_text())
    assert bundle
    assert bundle - shipped == set()
    assert contents("/usr/local/share/ca-certificates") == []
