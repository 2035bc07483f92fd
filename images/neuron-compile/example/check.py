"""Run in the image that the Dockerfile beside it builds: the model is compiled, or traced where there is a stub."""

import subprocess
import sys
import tempfile
from importlib.metadata import metadata

import torch

is_stub = "is a stub" in metadata("neuron-cc")["Summary"]
with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, "compile.py", *(["--cpu"] if is_stub else []), f"{folder}/model.pt"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines()[-1].endswith("(1, 3, 32, 32) -> (1, 10)"), printed
    model = torch.jit.load(f"{folder}/model.pt")
    if is_stub:
        assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
        refused = subprocess.run([sys.executable, "compile.py", f"{folder}/none.pt"], capture_output=True, text=True)
        assert refused.returncode != 0 and "is a stub" in refused.stderr, refused
    else:
        assert "neuron" in str(model.inlined_graph)
