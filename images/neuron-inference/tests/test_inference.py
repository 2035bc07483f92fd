"""neuron-inference: it answers with a model that was made elsewhere, and cannot make one."""

import importlib.util
import json
import shutil
import subprocess
import sys

import pytest
import torch

SERVER = """
import json, sys, torch, torch_neuron
from concurrent.futures import ThreadPoolExecutor

model = torch.jit.load(sys.argv[1])
with ThreadPoolExecutor(4) as pool:
    for answer in pool.map(lambda line: model(torch.tensor(json.loads(line))), sys.stdin):
        print(json.dumps(answer.tolist()))
"""


class Model(torch.nn.Module):
    """With weights and with control flow, which only a script keeps."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))

    def forward(self, x):
        if x.sum() > 0:
            return self.layers(x).softmax(-1)
        return torch.zeros(x.shape[0], 3)


def test_it_has_no_compiler():
    assert shutil.which("neuron-cc") is None
    for module in ("neuroncc", "tensorflow"):
        assert importlib.util.find_spec(module) is None


def test_it_answers_with_a_model_that_it_was_given(tmp_path):
    """In a process that knows nothing but the file, by several threads."""
    model = Model().eval()
    torch.jit.script(model).save(str(tmp_path / "model.pt"))
    questions = [torch.full((2, 4), float(i - 3)) for i in range(12)]
    lines = "\n".join(json.dumps(question.tolist()) for question in questions)
    command = [sys.executable, "-c", SERVER, tmp_path / "model.pt"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    with torch.no_grad():
        wanted = [model(question).tolist() for question in questions]
    assert answers[0] == [[0.0] * 3] * 2
    for answer, want in zip(answers, wanted):
        assert [value for row in answer for value in row] == pytest.approx([value for row in want for value in row], abs=1e-6)
    assert len(answers) == len(questions)
