"""What all suites share. It runs in the image, on whichever Python that has."""

import os
import re
import shlex
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

IMAGES = Path("/images")

# For the suite alone: what the tests start must see the image as it is.
os.environ.pop("PYTHONPATH", None)
STAGE = os.environ.pop("STAGE", None)

# Before any test leaves something there.
TMP_AT_START = sorted(os.listdir("/tmp"))


class Image:
    """One image of the line from the outermost base to the image under test."""

    def __init__(self, name):
        self.name = name
        self.folder = IMAGES / name

    @property
    def dockerfile(self):
        return (self.folder / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")

    @property
    def project(self):
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    @property
    def locked(self):
        lock = tomllib.loads((self.folder / "poetry.lock").read_text(encoding="utf-8"))
        return [package for package in lock["package"] if "main" in package["groups"]]


def pytest_configure(config):
    if STAGE not in ("development", "production"):
        raise pytest.UsageError(f"STAGE must be development or production, not {STAGE!r}")


def pytest_collection_modifyitems(items):
    for item in items:
        for stage in ("development", "production"):
            if stage != STAGE and item.get_closest_marker(stage):
                item.add_marker(pytest.mark.skip(reason=f"promised by the {stage} stage only"))


def suite_images(config):
    """The suite names its test folders, the bases' first: that is the line of images."""
    names = [Path(argument).parent.name for argument in config.args]
    return [Image(name) for name in names if name != "common"]


def pytest_generate_tests(metafunc):
    if "each_image" in metafunc.fixturenames:
        images = suite_images(metafunc.config)
        metafunc.parametrize("each_image", images, ids=[image.name for image in images])


@pytest.fixture
def images(request):
    found = suite_images(request.config)
    assert found, "the suite must name the image's test folder"
    return found


@pytest.fixture
def image(images):
    return images[-1]


@pytest.fixture
def init():
    """The command line of the image's init, up to the command that it runs."""
    argv = Path("/proc/1/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    assert "--" in argv, f"PID 1 is no init with a `--` before its command: {shlex.join(argv)}"
    return argv[: argv.index("--") + 1]


@pytest.fixture
def tmp_at_start():
    return TMP_AT_START


@pytest.fixture
def instruction(image):
    """The last occurrence of a Dockerfile instruction, without its name."""

    def find(name):
        found = re.findall(rf"^{name}\s+(.+)$", image.dockerfile, re.MULTILINE)
        assert found, f"{image.name}'s Dockerfile has no {name}"
        return found[-1].strip()

    return find
