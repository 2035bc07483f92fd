"""gpu-base: python-base's environment beside CUDA's runtime, and nothing that is built on it."""

import ctypes
import glob
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys

import pytest

CUDA = "/usr/local/cuda"

SCRIPT = """
import ctypes
library = ctypes.CDLL("libcudart.so.13")
version = ctypes.c_int()
assert library.cudaRuntimeGetVersion(ctypes.byref(version)) == 0
print(version.value, *{line.split()[-1] for line in open("/proc/self/maps") if "libcudart" in line})
"""


def test_python_is_the_environment_s():
    assert sys.version_info[:2] == (3, 13)
    assert sys.prefix == os.environ["VIRTUAL_ENV"] == "/opt/venv"
    assert shutil.which("python") == "/opt/venv/bin/python"
    # The distribution's, or else uv's.
    assert os.path.realpath(sys.executable).startswith(("/usr/bin/", "/opt/python/"))


def test_a_project_can_make_an_installer_of_its_own(tmp_path):
    """There is no pip in /opt/venv, so a Dockerfile that stands on this one brings it for a step."""
    subprocess.run(["python", "-m", "venv", tmp_path / "pip"], check=True)
    pip = [tmp_path / "pip/bin/pip", "--python", "/opt/venv/bin/python", "list"]
    assert "boto3" in subprocess.run(pip, check=True, capture_output=True, text=True).stdout


def test_user_1000_is_ours_alone():
    assert [user.pw_name for user in pwd.getpwall() if user.pw_uid == 1000] in (["app"], ["jovyan"])
    # Ubuntu's own user 1000, home and all.
    assert "ubuntu" not in {user.pw_name for user in pwd.getpwall()}
    assert not os.path.exists("/home/ubuntu")


def test_any_driver_of_cuda_13_will_do():
    """The base's value is longer: it stops the container on drivers that work."""
    assert os.environ["NVIDIA_REQUIRE_CUDA"] == "cuda>=13.0"


def test_gpus_are_asked_for():
    assert os.environ["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert set(os.environ["NVIDIA_DRIVER_CAPABILITIES"].split(",")) == {"compute", "utility"}


def test_cuda_is_found_by_its_name():
    """In CUDA's folder, where NVIDIA's image has it; no driver is needed to load it."""
    version, path = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    ).stdout.split()
    assert re.fullmatch(r"/usr/local/cuda-13\.\d+/targets/[^/]+/lib/libcudart\.so\.13[.\d]*", path)
    assert os.path.realpath(CUDA) == re.match(r"/usr/local/cuda-13\.\d+", path).group()
    # 13.0 is 13000.
    major, minor = re.search(r"cuda-(\d+)\.(\d+)", path).groups()
    assert int(version) == int(major) * 1000 + int(minor) * 10


def test_cuda_is_not_forced_upon_packages_that_bring_their_own():
    """The linker looks there before where a package says that its libraries are."""
    for folder in os.environ["LD_LIBRARY_PATH"].split(":"):
        assert not glob.glob(f"{folder}/libcudart*"), folder


def test_there_is_no_torch(image):
    """Nor a second CUDA: both are for those who stand on this image to choose."""
    if image.name != "gpu-base":
        pytest.skip("an image that stands on it may bring them")
    assert not importlib.util.find_spec("torch")
    assert not importlib.util.find_spec("nvidia")


@pytest.mark.hardware("gpu")
def test_gpu_remembers_what_it_is_given():
    library = ctypes.CDLL("libcudart.so.13")

    def call(name, *arguments):
        assert getattr(library, name)(*arguments) == 0, name

    there, back = ctypes.c_void_p(), ctypes.create_string_buffer(6)
    to_device, to_host = 1, 2
    call("cudaMalloc", ctypes.byref(there), ctypes.c_size_t(6))
    call("cudaMemcpy", there, b"abcde\0", ctypes.c_size_t(6), to_device)
    call("cudaMemcpy", back, there, ctypes.c_size_t(6), to_host)
    call("cudaFree", there)
    assert back.value == b"abcde"
