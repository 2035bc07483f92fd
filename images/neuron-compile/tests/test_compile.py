"""neuron-compile: a project's compile step leaves a model where its next step finds it."""

import json
import subprocess
import sys

import torch
import torch_neuron

# On a machine without the compiler's wheels the same step with torch alone.
STEP = """
import json, sys, torch, torch_neuron
from importlib.metadata import metadata

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3)).eval()
example = torch.ones(1, 1, 8, 8)
if "is a stub" in metadata("torch-neuron")["Summary"]:
    traced = torch.jit.trace(model, example)
else:
    traced = torch.neuron.trace(model, example_inputs=[example])
torch.jit.save(traced, "model.pt", _extra_files={"answer.json": json.dumps(model(example).flatten().tolist())})
"""


def test_a_compile_step_leaves_a_model(tmp_path, image):
    subprocess.run([sys.executable, "-c", STEP], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert [path.name for path in tmp_path.glob("*.pt")] == ["model.pt"]
    extra = {"answer.json": ""}
    model = torch.jit.load(str(tmp_path / "model.pt"), _extra_files=extra)
    assert len(json.loads(extra["answer.json"])) == 2 * 4 * 4
    if "is a stub" in torch_neuron.__doc__:
        assert torch.allclose(model(torch.ones(1, 1, 8, 8)).flatten(), torch.tensor(json.loads(extra["answer.json"])))
