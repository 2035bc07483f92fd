"""For every image with torch-neuron: its Python beside the base's, and torch in it."""

import importlib.metadata
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch
import torch_neuron
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SITE = Path(sysconfig.get_path("purelib"))
INSTALLED = {canonicalize_name(d.metadata["Name"]): d for d in importlib.metadata.distributions(path=[str(SITE)])}

PT_GNU_STACK = 0x6474E551

IS_STUB = "is a stub" in INSTALLED["torch-neuron"].metadata["Summary"]
stub = pytest.mark.skipif(not IS_STUB, reason="AWS's own torch-neuron is installed")
real = pytest.mark.skipif(IS_STUB, reason="torch-neuron is a stub here")


def run(code, python=sys.executable, **options):
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_python_is_the_environment_s():
    assert sys.version_info[:2] in ((3, 9), (3, 10))
    assert sys.prefix == os.environ["VIRTUAL_ENV"] == "/opt/neuron"
    assert sys.base_prefix == "/opt/inf1"
    for name in ("python", "python3"):
        assert shutil.which(name) == f"/opt/neuron/bin/{name}"


def test_the_base_s_environment_is_still_there():
    """Beneath, for what is installed there and has no need of torch."""
    assert "/opt/venv/bin" in os.environ["PATH"].split(":")
    assert run("import sys, boto3; print(sys.version_info[:2])", "/opt/venv/bin/python") == "(3, 13)"


@pytest.mark.parametrize(
    "module",
    "bz2 ctypes curses dbm decimal hashlib lzma readline sqlite3 ssl uuid zlib zoneinfo".split(),
)
def test_the_standard_library_is_whole(module):
    """Carried from another distribution, with the libraries that it needs."""
    run(f"import {module}")


def test_its_libraries_are_its_own():
    """Old ones, found by this Python alone and not by way of the environment."""
    assert "LD_LIBRARY_PATH" not in os.environ
    maps = run("import ssl, sqlite3; print(open('/proc/self/maps').read())", "/opt/venv/bin/python")
    assert "/opt/inf1" not in maps


def test_it_starts_itself(tmp_path):
    """Workers, subprocesses and environments of a project's own get this very Python."""
    script = tmp_path / "spawn.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.apply(eval, ('__import__(\"sys\").prefix',)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "/opt/neuron", done.stderr
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True)
    code = "import ssl, sys; print(sys.prefix, sys.base_prefix)"
    assert run(code, tmp_path / "own/bin/python") == f"{tmp_path}/own /opt/inf1"


@pytest.mark.production
def test_it_is_not_the_user_s_to_change():
    assert not os.access("/opt/inf1/bin/python3", os.W_OK)
    # So its modules must have been compiled.
    assert list(Path("/opt/inf1/lib").glob("python3.*/__pycache__/os.*.pyc"))


@pytest.mark.development
def test_packages_can_be_compiled_for_it():
    header = Path(sysconfig.get_path("include"), "Python.h")
    assert header.is_file()
    subprocess.run(["gcc", "-fsyntax-only", f"-I{header.parent}", header], check=True)


@pytest.mark.development
def test_development_tools_work_on_the_environment(tmp_path):
    assert os.access(SITE, os.W_OK)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')
    code = "import sys; print(sys.prefix)"
    for command in (["poetry", "env", "info", "--path"], ["uv", "run", "--no-project", "--active", "python", "-c", code]):
        shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        assert shown.stdout.strip() == "/opt/neuron"


def test_a_project_can_install_into_it(tmp_path):
    """By the recipe of the READMEs: the base's Python brings pip for the step."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", tmp_path / "pip"], check=True)
    command = [tmp_path / "pip/bin/pip", "--python", "/opt/neuron/bin/python", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "torch-neuron" in listing


def test_every_requirement_is_met(image):
    """Vendors' wheels are installed without a resolver."""
    unmet = []
    # A stand-in brings less than its metadata ask for.
    for name in set(INSTALLED) - {canonicalize_name(name) for name in image.stand_in_wheels}:
        for requirement in map(Requirement, INSTALLED[name].requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                found = INSTALLED.get(canonicalize_name(requirement.name))
                if found is None or not requirement.specifier.contains(found.version, prereleases=True):
                    unmet.append(f"{name} requires {requirement}: {found.version if found else 'missing'}")
    assert not unmet


def stack_flags(path):
    """The flags of an ELF file's PT_GNU_STACK; no ELF file: 0."""
    with path.open("rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            return 0
        start, size, count = struct.unpack_from("<Q", header, 32) + struct.unpack_from("<HH", header, 54)
        file.seek(start)
        segments = file.read(size * count)
    for offset in range(0, size * count, size):
        kind, flags = struct.unpack_from("<II", segments, offset)
        if kind == PT_GNU_STACK:
            return flags
    return 0


def test_no_library_asks_for_an_executable_stack():
    """The image's glibc refuses to load such a one."""
    libraries = [path for path in SITE.rglob("*.so*") if path.is_file()]
    assert len(libraries) > 10
    assert not [str(path) for path in libraries if stack_flags(path) & 1]


def test_torch_is_the_one_that_torch_neuron_stands_on(image):
    assert torch.__version__.split("+")[0] == image.vendor_wheels["torch"].split("+")[0] == "1.13.1"


def test_torch_is_built_for_cpus():
    if "+cpu" not in INSTALLED["torch"].version:
        pytest.skip("a stand-in: PyPI's torch, which is built for CUDA")
    assert torch.version.cuda is None
    assert not [name for name in INSTALLED if name.startswith("nvidia-")]


def test_torch_and_numpy_share_memory():
    tensor = torch.arange(6).reshape(2, 3)
    array = tensor.numpy()
    array[0, 0] = 7
    assert (tensor @ tensor.T).tolist() == [[54, 35], [35, 50]]


@stub
def test_the_stub_says_that_it_is_one():
    assert torch.neuron is torch_neuron
    with pytest.raises(RuntimeError, match="torch-neuron .* is a stub"):
        torch.neuron.trace(torch.nn.ReLU(), torch.ones(1))


@real
def test_torch_neuron_has_its_api():
    for name in ("trace", "DataParallel"):
        assert callable(getattr(torch.neuron, name))


@pytest.mark.hardware("inf1")
def test_the_chip_is_the_user_s():
    assert os.access("/dev/neuron0", os.R_OK | os.W_OK)
