"""What all suites share. It runs in the image, on whichever Python that has."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib

IMAGES = Path("/images")

# For the suite alone: what the tests start must see the image as it is.
os.environ.pop("PYTHONPATH", None)
STAGE = os.environ.pop("STAGE", None)
REQUIRE_HARDWARE = os.environ.pop("REQUIRE_HARDWARE", "").replace(",", " ").split()
# What `docker image inspect` says of the image; plain compose doesn't give it.
INSPECTED = os.environ.pop("IMAGE_INSPECT", None)
# Of each file in vendor-wheels/, where its wheels must have come from.
INDEXES = {name: os.environ.pop(name, None) for name in ("NEURON_INDEX", "PYTORCH_CPU_INDEX")}

# The device file that shows that the hardware has been lent to the container.
HARDWARE = {"gpu": "/dev/nvidiactl", "inf1": "/dev/neuron0"}

# Before any test leaves something there.
TMP_AT_START = sorted(os.listdir("/tmp"))


class Image:
    """One image of the line from the outermost base to the image under test."""

    def __init__(self, name):
        self.name = name
        self.folder = IMAGES / name

    @property
    def project(self):
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    @property
    def locked(self):
        lock = tomllib.loads((self.folder / "poetry.lock").read_text(encoding="utf-8"))
        return [package for package in lock["package"] if "main" in package["groups"]]

    @property
    def vendor_wheels(self):
        """Name and version of what comes from vendors' own indexes: vendor-wheels/INDEX.txt."""
        files = [path for path in (self.folder / "vendor-wheels").glob("*.txt") if ".stand-in." not in path.name]
        return dict(pin for path in files for pin in self.pins(path))

    @property
    def wanted(self):
        """Name and version of all that the image itself installs."""
        locked = {canonicalize_name(p["name"]): p["version"] for p in self.locked if self.applies(p)}
        return {**locked, **{canonicalize_name(name): version for name, version in self.vendor_wheels.items()}}

    @staticmethod
    def applies(package):
        markers = package.get("markers", {})
        marker = markers.get("main") if isinstance(markers, dict) else markers
        return marker is None or Marker(marker).evaluate()

    @property
    def stand_in_wheels(self):
        """Names that vendor-wheels/INDEX.stand-in.txt may bring where the vendor can't be reached."""
        return {name for path in (self.folder / "vendor-wheels").glob("*.stand-in.txt") for name, _ in self.pins(path)}

    @staticmethod
    def pins(path):
        """The `name==version` of a requirements file."""
        return re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE)


def pytest_configure(config):
    if STAGE not in ("development", "production"):
        raise pytest.UsageError(f"STAGE must be development or production, not {STAGE!r}")
    if set(REQUIRE_HARDWARE) - set(HARDWARE):
        raise pytest.UsageError(f"REQUIRE_HARDWARE must name {' or '.join(HARDWARE)}, not {REQUIRE_HARDWARE}")


def pytest_collection_modifyitems(items):
    for item in items:
        for stage in ("development", "production"):
            if stage != STAGE and item.get_closest_marker(stage):
                item.add_marker(pytest.mark.skip(reason=f"promised by the {stage} stage only"))
        for marker in item.iter_markers("hardware"):
            device = HARDWARE[marker.args[0]]
            if not os.path.exists(device) and marker.args[0] not in REQUIRE_HARDWARE:
                item.add_marker(pytest.mark.skip(reason=f"no {marker.args[0]} here: no {device}"))


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
def indexes():
    return INDEXES


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
def config():
    """The image's own configuration, with what it inherits: a Dockerfile may have changed since it was built."""
    if INSPECTED is None:
        pytest.skip("the image's configuration isn't known: set IMAGE_INSPECT=\"$(docker image inspect IMAGE)\"")
    (inspected,) = json.loads(INSPECTED)
    return inspected["Config"]


@pytest.fixture
def command(config):
    """The command that the image runs, as a list."""
    assert config["Cmd"], "the image has no CMD"
    return config["Cmd"]


@pytest.fixture
def health_command(config):
    """The command that tells whether a container is healthy, as a list."""
    form, *argv = (config.get("Healthcheck") or {}).get("Test") or [None]
    assert form == "CMD", "the image has no HEALTHCHECK CMD [\"…\"]"
    return argv
