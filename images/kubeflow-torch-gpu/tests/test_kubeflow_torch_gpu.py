"""kubeflow-torch-gpu: torch with its own CUDA, used from a notebook's kernel, on an image that has CUDA too."""

import os
import re
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
import torch

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.hardware("gpu"))]


def execute(folder, *cells):
    """What a notebook of these cells prints, by the image's own kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": folder}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    return "".join(output["text"] for output in outputs if output.get("name") == "stdout")


def test_torch_sees_a_gpu_where_there_is_one():
    assert torch.cuda.is_available() == os.path.exists("/dev/nvidiactl")


def test_torch_s_cuda_is_that_of_the_image():
    """By its major version: one driver is asked for, on behalf of both."""
    major = torch.version.cuda.split(".")[0]
    assert Path("/usr/local/cuda").resolve().name.startswith(f"cuda-{major}.")
    assert os.environ["NVIDIA_REQUIRE_CUDA"] == f"cuda>={major}.0"


def test_a_kernel_s_torch_loads_no_library_of_the_image_s_cuda(tmp_path):
    """A mixture of the two ends in undefined symbols."""
    maps = execute(tmp_path, "import torch\nprint(open('/proc/self/maps').read())")
    loaded = set(re.findall(r"/\S*/lib(?:cu|nv|nccl)\S*\.so\S*", maps))
    names = {Path(path).name.split(".")[0] for path in loaded}
    assert {"libcudart", "libcublas", "libcublasLt", "libcudnn", "libnccl"} <= names
    # The driver's, where there is one, are lent by the host.
    ours = {path for path in loaded if not re.search(r"/lib(cuda|nvidia-[a-z]+)\.so", path)}
    assert not [path for path in ours if not path.startswith("/opt/venv/")]


TRAINING = """
import sys
import torch
from torchvision.transforms import v2

torch.manual_seed(0)
wanted = torch.arange(64) % 2
pictures = torch.rand(64, 3, 16, 16)
pictures[wanted == 1, :, :8] += 1
data = torch.utils.data.TensorDataset(pictures, wanted)
normalize = v2.Normalize([0.5] * 3, [0.5] * 3)
nn = torch.nn
layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(128, 2)
model = nn.Sequential(*layers).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
losses = []
for epoch in range(5):
    for x, y in torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers=2):
        loss = torch.nn.functional.cross_entropy(model(normalize(x.to(device))), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
print(sys.executable, losses[0], losses[-1], next(model.parameters()).device.type)
"""


@pytest.mark.parametrize("device", DEVICES)
def test_a_notebook_trains_a_model(tmp_path, device):
    """Its data come through worker processes, hence through /dev/shm."""
    executable, first, last, used = execute(tmp_path, f"device = {device!r}", TRAINING).split()
    assert (executable, used) == (sys.executable, device)
    assert float(last) < 0.5 * float(first)


TRANSFORMERS = """
import torch
import transformers

transformers.set_seed(0)
config = transformers.LlamaConfig(
    vocab_size=16, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=2, max_position_embeddings=32, bos_token_id=0, eos_token_id=1, pad_token_id=2,
)
sentence = torch.tensor([3, 4, 5, 6] * 4)
arguments = transformers.TrainingArguments(
    output_dir="run", max_steps=20, learning_rate=0.02, save_strategy="no", report_to=[], disable_tqdm=True,
    use_cpu=device == "cpu",
)
trainer = transformers.Trainer(
    model=transformers.AutoModelForCausalLM.from_config(config),
    args=arguments,
    train_dataset=[{"input_ids": sentence, "labels": sentence}] * 8,
)
trainer.train()
used = trainer.model.device.type
trainer.save_model("saved")
loaded = transformers.AutoModelForCausalLM.from_pretrained("saved")
"""
WRITING = "print(used, *loaded.generate(torch.tensor([[3, 4, 5]]), max_new_tokens=5, do_sample=False)[0].tolist())"


@pytest.mark.parametrize("device", DEVICES)
def test_a_notebook_trains_saves_and_loads_a_transformer(tmp_path, device):
    """Made on the spot, for nothing is asked of the hub; the trainer stands on accelerate."""
    written = execute(tmp_path, f"device = {device!r}", TRANSFORMERS, WRITING).splitlines()[-1]
    assert written.split() == [device, *"34563456"]
    assert (tmp_path / "saved/model.safetensors").exists()
