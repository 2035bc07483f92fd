"""kubeflow-torch-inf: torch-neuron in a notebook's kernel, and a person's own packages beside it."""

import re
import subprocess
import zipfile
from pathlib import Path

import jupyter_client.kernelspec
import jupyter_client.manager
import pytest

# Trains nothing: a chip for inference. A network is made, traced, saved, and answers.
CELL = """
import torch, torch_neuron
from importlib.metadata import metadata
network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
example = torch.ones(1, 4)
torch.jit.trace(network, example).save("network.pt")
same = torch.allclose(torch.jit.load("network.pt")(example), network(example))
print(same, torch.neuron is torch_neuron, metadata("torch-neuron")["Version"], metadata("neuron-cc")["Version"])
"""


def execute(code, folder, name="python3"):
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name=name, cwd=str(folder))
    try:
        printed = []
        reply = client.execute_interactive(code, timeout=60, output_hook=lambda message: printed.append(message["content"]))
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(content.get("text", "") for content in printed).split()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_the_image_has_one_kernel():
    assert list(jupyter_client.kernelspec.find_kernel_specs()) == ["python3"]


def test_a_cell_makes_a_network_and_saves_it(tmp_path, image):
    wheels = image.vendor_wheels
    assert execute(CELL, tmp_path) == ["True", "True", wheels["torch-neuron"], wheels["neuron-cc"]]


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "mine-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mine.py", "VALUE = 6 * 7\n")
        archive.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        archive.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("mine-1.dist-info/RECORD", "mine.py,,\nmine-1.dist-info/METADATA,,\nmine-1.dist-info/WHEEL,,\nmine-1.dist-info/RECORD,,\n")
    return path


def test_a_kernel_with_packages_of_one_s_own_stays_on_the_volume(tmp_path, monkeypatch, wheel, image):
    """The recipe of README.md, offline."""
    readme = (image.folder / "README.md").read_text(encoding="utf-8")
    recipe = re.search(r"```sh\n(python -m venv .+?~/mine\n.+?)```", readme, re.DOTALL).group(1)
    assert "install pip PACKAGE" in recipe
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = recipe.replace("pip PACKAGE", f"--no-index {wheel}")
    done = subprocess.run(["bash", "-euc", recipe], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    assert set(jupyter_client.kernelspec.find_kernel_specs()) == {"python3", "mine"}
    value, module, prefix = execute("import mine, torch, sys; print(mine.VALUE, torch.__file__, sys.prefix)", tmp_path, "mine")
    assert value == "42"
    assert Path(module).is_relative_to("/opt/neuron/lib")
    assert prefix == str(tmp_path / "mine")
