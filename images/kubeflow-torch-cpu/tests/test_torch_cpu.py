"""kubeflow-torch-cpu: torch without CUDA, used from a notebook's kernel, and Hugging Face's libraries on it."""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbclient
import nbformat
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

STAND_IN = "+cpu" not in torch.__version__
CUDA = ("cuda-", "nvidia-", "triton")


def installed():
    """From the image's own folder: the suite's packages are on sys.path too."""
    found = importlib.metadata.distributions(path=[sysconfig.get_path("purelib")])
    return {canonicalize_name(distribution.metadata["Name"]): distribution for distribution in found}


def test_there_is_no_cuda():
    assert not torch.cuda.is_available()
    assert not Path("/usr/local/cuda").exists()
    cuda = [name for name in installed() if name.startswith(CUDA)]
    # PyPI's torch stands in where PyTorch's index can't be reached, and can't be imported without.
    assert bool(cuda) == STAND_IN, f"torch {torch.__version__} with {cuda}"


@pytest.mark.parametrize("name", ["accelerate", "torch", "torchvision"])
def test_what_no_lock_knows_has_its_dependencies(name):
    """They stand in vendor-wheels/, so pyproject.toml has to name what they ask for."""
    unmet = []
    for requirement in map(Requirement, installed()[name].requires):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if STAND_IN and requirement.name.startswith(CUDA):
            continue
        found = installed().get(canonicalize_name(requirement.name))
        if not found or found.version not in requirement.specifier:
            unmet.append(f"{requirement}: {found and found.version}")
    assert not unmet


TRAINING = """
import torch

torch.manual_seed(0)
images, wanted = torch.rand(64, 1, 8, 8), torch.arange(64) % 2
images[wanted == 1, :, :4] += 1
data = torch.utils.data.TensorDataset(images, wanted)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 2)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
losses = []
batches = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers=2, persistent_workers=True)
for epoch in range(4):
    for x, y in batches:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
"""


def test_a_notebook_trains_a_model(tmp_path):
    """By the image's own kernel; the data comes through worker processes, hence through /dev/shm."""
    cells = [TRAINING, "import sys; print(sys.executable, losses[0], losses[-1], next(model.parameters()).device)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    executable, first, last, device = notebook.cells[-1].outputs[0].text.split()
    assert (executable, device) == (sys.executable, "cpu")
    assert float(last) < 0.5 * float(first)


def test_vision_has_its_compiled_operators():
    """They load only beside the very torch that they were linked to."""
    import torchvision

    boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]], dtype=torch.float)
    kept = torchvision.ops.nms(boxes, torch.tensor([0.8, 0.9, 0.7]), iou_threshold=0.5)
    assert kept.tolist() == [1, 2]
    assert torchvision.models.resnet18().eval()(torch.rand(1, 3, 32, 32)).shape == (1, 1000)


@pytest.mark.development
def test_a_model_can_be_compiled(tmp_path):
    """It takes a C++ compiler and Python's headers."""
    script = (
        "import torch; x = torch.rand(9); compiled = torch.compile(lambda x: 2 * x.sin())\n"
        "assert torch.allclose(compiled(x), 2 * x.sin())"
    )
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.so"))


def test_transformers_trains_saves_and_loads_a_model(tmp_path):
    """Trainer stands on accelerate; nothing is asked of the hub."""
    import transformers

    transformers.set_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=16, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=32, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    sentence = torch.tensor([3, 4, 5, 6] * 4)
    arguments = transformers.TrainingArguments(
        output_dir=tmp_path / "run", max_steps=20, learning_rate=0.02, logging_steps=1, save_strategy="no", report_to=[]
    )
    data = [{"input_ids": sentence, "labels": sentence}] * 8
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=data)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < 0.5 * losses[0]

    trainer.save_model(tmp_path / "saved")
    assert (tmp_path / "saved/model.safetensors").exists()
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    written = loaded.generate(torch.tensor([[3, 4, 5]]), max_new_tokens=5, do_sample=False)
    assert written[0].tolist() == [3, 4, 5, 6, 3, 4, 5, 6]
