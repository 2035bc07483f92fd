"""What is installed is what is locked: no more, no less, and unharmed."""

import base64
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import sysconfig

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

SITE = sysconfig.get_path("purelib")

# What imports only beside a package that it doesn't ask for: module, and what it misses.
OPTIONAL = {"matplotlib_inline": "matplotlib", "adbc_driver_duckdb": "adbc_driver_manager"}


def installed():
    """From the image's own folders: the suite's packages are on sys.path too."""
    folders = list(dict.fromkeys([SITE, sysconfig.get_path("platlib")]))
    return {canonicalize_name(d.metadata["Name"]): d for d in importlib.metadata.distributions(path=folders)}


def is_version(found, wanted):
    """A stand-in for a vendor's wheel has no local part: 2.14.1 for 2.14.1+cpu. A vendor may also add one."""
    return found is not None and (found in (wanted, wanted.split("+")[0]) or found.split("+")[0] == wanted)


def test_python_is_the_one_locked_for(each_image):
    required = SpecifierSet(each_image.project["requires-python"])
    assert platform.python_version() in required


def test_installed_versions_are_the_locked_ones(each_image):
    assert each_image.wanted, "an empty lock would pass everything below"
    versions = {name: d.version for name, d in installed().items()}
    differing = {
        name: f"locked {version}, installed {versions.get(name)}"
        for name, version in each_image.wanted.items()
        if not is_version(versions.get(name), version)
    }
    assert not differing


def test_vendors_wheels_are_the_vendors_or_say_that_they_stand_in(each_image, indexes):
    for path in (each_image.folder / "vendor-wheels").glob("*.txt"):
        index = indexes.get(path.stem.upper().replace("-", "_") + "_INDEX")
        if index is None:
            continue  # what goes with them, from the usual index; or a stand-in's own file
        for name, version in each_image.pins(path):
            found = installed()[canonicalize_name(name)]
            stands_in = "stub" in found.metadata["Summary"] or ("+" in version and "+" not in found.version)
            assert stands_in == (index == "stand-in"), f"{name} {found.version} from {index}"


def test_nothing_else_is_installed(images):
    known = set().union(*(image.wanted for image in images))
    for image in images:
        known |= {canonicalize_name(name) for name in image.stand_in_wheels}
    assert not set(installed()) - known


def test_no_package_was_altered_after_its_installation():
    """A child that overwrites files of its base would break the base's packages."""
    altered = []
    for name, distribution in installed().items():
        for file in distribution.files or ():
            if file.hash is None or file.suffix not in (".py", ".so"):
                continue
            path = distribution.locate_file(file)
            if not path.is_file():
                altered.append(f"{name}: {file} is missing")
                continue
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != file.hash.value:
                altered.append(f"{name}: {file}")
    assert not altered


def top_level_modules(distribution):
    for file in distribution.files or ():
        if len(file.parts) == 2 and file.name == "__init__.py" and file.parts[0].isidentifier():
            yield file.parts[0]
        if len(file.parts) == 1 and file.suffix == ".py" and file.stem.isidentifier():
            yield file.stem


def test_every_locked_package_imports(each_image):
    modules = {}
    for name in each_image.wanted:
        if name in installed():
            modules.update(dict.fromkeys(top_level_modules(installed()[name]), name))
    assert modules
    # In a process of its own, without the suite's packages on the path.
    script = (
        "import importlib, json, sys, traceback\n"
        "failed = {}\n"
        f"optional = {OPTIONAL}\n"
        "for module in json.load(sys.stdin):\n"
        "    try:\n"
        "        importlib.import_module(module)\n"
        "    except BaseException as error:\n"
        "        if module in optional and getattr(error, 'name', None) == optional[module]:\n"
        "            continue\n"
        "        failed[module] = traceback.format_exc(limit=-1)\n"
        "print(json.dumps(failed))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(sorted(modules)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}


@pytest.mark.production
def test_packages_are_compiled():
    """The user cannot write beside the packages, so each start would compile them again."""
    folder = os.path.join(SITE, "certifi", "__pycache__")
    assert os.path.isdir(folder) and os.listdir(folder)
