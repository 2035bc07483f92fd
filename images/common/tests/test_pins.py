"""What an image holds is published for the projects on it, and a lock that moves it is refused."""

import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

# The image's own: the suite may run in another environment of it.
IMAGE = dict(line.split("=", 1) for line in Path("/proc/1/environ").read_text().rstrip("\0").split("\0"))
IMAGE.pop("PYTHONPATH", None)
HERE = pytest.mark.skipif(sys.prefix != IMAGE["VIRTUAL_ENV"], reason="the image's packages are in another environment")
PINS = dict(line.split("==") for line in Path("/opt/constraints.txt").read_text().splitlines() if line[0] != "#")


def public(version):
    return version.split("+")[0]


def check(folder, *files):
    """The exit code, what is printed, and what is said on standard error."""
    done = subprocess.run(["check-pins", *files], cwd=folder, env=IMAGE, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@HERE
def test_the_constraints_are_what_is_installed():
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = importlib.metadata.distributions(path=[*folders])
    assert PINS == {canonicalize_name(package.metadata["Name"]): public(package.version) for package in found}


def poetry(packages):
    """A poetry.lock: name, version, and further lines of each package."""
    blocks = [f'[[package]]\nname = "{name}"\nversion = "{version}"\n{more}' for name, version, more in packages]
    return "\n".join([*blocks, '[metadata]\nlock-version = "2.1"\n'])


@pytest.fixture
def base():
    """A package of the image, and its version."""
    return "requests", PINS["requests"]


def test_a_lock_that_keeps_to_the_image_passes(tmp_path, base):
    name, version = base
    lock = poetry([(name, version, ""), ("of-the-project", "1.0", 'groups = ["main"]\n\n[package.extras]\nx = ["y"]\n')])
    (tmp_path / "poetry.lock").write_text(lock)
    said = "poetry.lock: 2 packages, 1 of them the image's, at its versions\n"
    assert check(tmp_path, "poetry.lock") == (0, said, "")


def test_a_lock_that_moves_a_package_is_refused_with_both_versions_and_the_repair(tmp_path, base):
    name, version = base
    (tmp_path / "poetry.lock").write_text(poetry([(name, "1.2", ""), ("urllib3", "1.3", "")]))
    said = (
        "poetry.lock moves 2 of the image's packages:\n"
        f"  {name}  1.2, in the image {version}\n"
        f"  urllib3   1.3, in the image {PINS['urllib3']}\n"
        f"put them back:  poetry add --lock --group=coupled {name}=={version} urllib3=={PINS['urllib3']}\n"
    )
    assert check(tmp_path, "poetry.lock") == (1, "", said)


def test_uv_s_lock_is_held_to_it_too(tmp_path, base):
    name, version = base
    project = '[[package]]\nname = "shop"\nsource = { virtual = "." }\n'
    forks = 'resolution-markers = [\n    "sys_platform == \'win32\'",\n]\n'
    moved = poetry([(name, "1.2", 'source = { registry = "https://pypi.org/simple" }\n')])
    (tmp_path / "uv.lock").write_text(project + moved)
    code, _, said = check(tmp_path, "uv.lock")
    assert code == 1 and said.endswith(f"uv add --no-sync --group=coupled {name}=={version}\n"), said
    (tmp_path / "uv.lock").write_text(project + poetry([(name, "1.2", forks), (name, version, "")]))
    assert check(tmp_path, "uv.lock")[::2] == (0, "")


def test_requirements_are_held_to_it_too(tmp_path, base):
    name, version = base
    (tmp_path / "kept.txt").write_text(
        f"# of the project\n-i https://example.org/simple\n{name}[socks]=={version} ; python_version >= \"3.9\" \\\n"
        f"    --hash=sha256:aa \\\n    --hash=sha256:bb  # via shop\n{name}==1.2 ; sys_platform == \"win32\"\nof_the.project==1\n"
    )
    assert check(tmp_path, "kept.txt")[::2] == (0, "")
    (tmp_path / "moved.txt").write_text(f"{name.title()}==1.2 \\\n    --hash=sha256:aa\n")
    code, _, said = check(tmp_path, "kept.txt", "moved.txt")
    assert code == 1 and f"{name}  1.2, in the image {version}" in said
    assert f"--constraint=/opt/constraints.txt --upgrade-package={name}=={version} " in said


MARKERS = {
    'python_version >= "3.9"': True,
    'python_full_version < "3.9.1"': False,
    'sys_platform == "win32" and python_version >= "3.9"': False,
    'sys_platform == "win32" or (os_name == "posix" and "linux" in sys_platform)': True,
    '"3.9" > python_version': False,
    'python_version not in "2.7, 3.5"': True,
    # What can't be judged counts.
    'extra == "x"': True,
    'python_version ~= "2.7"': True,
}


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("form", ['markers = "{}"\n', 'markers = {{main = "{}"}}\n'])
def test_what_is_not_installed_here_moves_nothing(tmp_path, base, marker, form):
    more = form.format(marker.replace('"', '\\"'))
    (tmp_path / "poetry.lock").write_text(poetry([(base[0], "1.2", more)]))
    assert check(tmp_path, "poetry.lock")[0] == int(MARKERS[marker])


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("requirements.txt", "requests >= 2\n", "`requests >= 2` isn't pinned to a version"),
        ("requirements.txt", "-r other.txt\n", "`-r other.txt` isn't pinned to a version"),
        ("poetry.lock", "<<<<<<< HEAD\n", "names no package"),
        ("absent.lock", None, "can't be read: No such file or directory"),
    ],
)
def test_what_it_cannot_tell_is_an_error(tmp_path, name, text, why):
    if text is not None:
        (tmp_path / name).write_text(text)
    code, _, said = check(tmp_path, name)
    assert code == 2 and said.startswith(f"check-pins: {name}") and why in said, said


def test_without_a_file_it_says_what_it_takes(tmp_path):
    assert check(tmp_path)[0] == check(tmp_path, "--help")[0] == 2
