"""A person's own packages: the recipe of README.md, offline."""

import re
import subprocess
import zipfile
from pathlib import Path

import jupyter_client.kernelspec
import jupyter_client.manager
import pytest


def wheel(folder):
    path = folder / "mine-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine.py", "VALUE = 6 * 7\n")
        archive.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        archive.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("mine-1.dist-info/RECORD", "mine.py,,\nmine-1.dist-info/METADATA,,\nmine-1.dist-info/WHEEL,,\nmine-1.dist-info/RECORD,,\n")
    return path


def test_the_image_has_one_kernel(image):
    if image.name != "kubeflow-jupyter":
        pytest.skip("an image that stands on it may add kernels")
    assert list(jupyter_client.kernelspec.find_kernel_specs()) == ["python3"]


def test_a_kernel_with_packages_of_one_s_own_stays_on_the_volume(tmp_path, monkeypatch):
    readme = Path("/images/kubeflow-jupyter/README.md").read_text()
    recipe = re.search(r"```sh\n(python -m venv ~/mine\n.+?)```", readme, re.DOTALL).group(1)
    assert "pip install PACKAGE" in recipe
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = recipe.replace("PACKAGE", f"--no-index {wheel(tmp_path)}")
    done = subprocess.run(["bash", "-euc", recipe], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    assert set(jupyter_client.kernelspec.find_kernel_specs()) >= {"python3", "mine"}
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name="mine")
    try:
        printed = []
        code = "import mine, boto3, sys; print(mine.VALUE, boto3.__file__, sys.prefix)"
        client.execute_interactive(code, timeout=20, output_hook=lambda message: printed.append(message["content"]))
        text = "".join(content.get("text", "") for content in printed)
        assert text.split() == ["42", "/opt/venv/lib/python3.13/site-packages/boto3/__init__.py", str(tmp_path / "mine")]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
