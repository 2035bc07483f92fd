"""gpu-train: torch with its own CUDA, and Hugging Face's libraries on it, from data to a saved model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import tokenizers
import torch
import torchvision
import transformers
from accelerate import Accelerator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torchvision.transforms import v2

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.hardware("gpu"))]


def test_gpus_are_asked_for():
    assert os.environ["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert set(os.environ["NVIDIA_DRIVER_CAPABILITIES"].split(",")) == {"compute", "utility"}


def test_driver_must_be_one_for_torch_s_cuda():
    assert os.environ["NVIDIA_REQUIRE_CUDA"] == f"cuda>={torch.version.cuda.split('.')[0]}.0"


def test_torch_sees_a_gpu_where_there_is_one():
    assert torch.cuda.is_available() == os.path.exists("/dev/nvidiactl")


def test_cuda_is_torch_s_own():
    """All of it, and no other: a mixture of two ends in undefined symbols."""
    assert "LD_LIBRARY_PATH" not in os.environ
    assert not os.path.exists("/usr/local/cuda")
    script = "import torch; print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    loaded = set(re.findall(r"/\S*/lib(?:cu|nv|nccl)\S*\.so\S*", maps))
    names = {Path(path).name.split(".")[0] for path in loaded}
    assert {"libcudart", "libcublas", "libcublasLt", "libcudnn", "libnccl"} <= names
    # The driver's, where there is one, are lent by the host.
    ours = {path for path in loaded if not re.search(r"/lib(cuda|nvidia-[a-z]+)\.so", path)}
    assert not [path for path in ours if not path.startswith("/opt/venv/")]


@pytest.mark.parametrize("device", DEVICES)
def test_a_small_model_learns(device):
    """Pictures through torchvision, by worker processes: those hand them over in /dev/shm."""
    torch.manual_seed(0)
    wanted = torch.arange(64) % 2
    pictures = torch.rand(64, 3, 16, 16)
    pictures[wanted == 1, :, :8] += 1
    data = torch.utils.data.TensorDataset(pictures, wanted)
    normalize = v2.Normalize([0.5] * 3, [0.5] * 3)
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(128, 2)
    model = nn.Sequential(*layers).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        for x, y in torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers=2):
            loss = nn.functional.cross_entropy(model(normalize(x.to(device))), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert next(model.parameters()).device.type == device
    assert losses[-1] < 0.5 * losses[0], losses


def test_worker_processes_hand_over_large_batches():
    """50 MB each, by /dev/shm: as `start` gives it, and as README.md tells others to."""
    data = torch.utils.data.TensorDataset(torch.rand(64, 3, 512, 512))
    batches = torch.utils.data.DataLoader(data, batch_size=16, num_workers=2)
    assert sum(len(batch) for (batch,) in batches) == 64


def test_vision_has_its_compiled_operators():
    boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]], dtype=torch.float)
    assert torchvision.ops.nms(boxes, torch.tensor([0.8, 0.9, 0.7]), iou_threshold=0.5).tolist() == [1, 2]


WORDS = ["[PAD]", "bad", "dull", "fine", "good", "film", "the", "was"]


@pytest.fixture(scope="module")
def tokenizer():
    """Made on the spot, for nothing is asked of the hub."""
    words = tokenizers.models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[PAD]")
    made = tokenizers.Tokenizer(words)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]")


@pytest.fixture
def reviews(tmp_path, tokenizer):
    """A file of a project's, read and mapped in Arrow's files."""
    path = tmp_path / "reviews.csv"
    lines = [f"the film was {word},{label}" for word, label in zip(WORDS[1:5] * 8, [0, 0, 1, 1] * 8, strict=True)]
    path.write_text("\n".join(["text,label", *lines]))
    data = datasets.load_dataset("csv", data_files=str(path), cache_dir=str(tmp_path / "cache"), split="train")
    data = data.map(lambda batch: tokenizer(batch["text"]), batched=True, remove_columns="text")
    return data.select_columns(["input_ids", "attention_mask", "label"]).with_format("torch")


def classifier():
    transformers.set_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, pad_token_id=0, initializer_range=0.2, hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
    )  # fmt: skip
    return transformers.AutoModelForSequenceClassification.from_config(config)


@pytest.mark.parametrize("device", DEVICES)
def test_accelerate_trains_on_a_dataset(device, reviews):
    accelerator = Accelerator(cpu=device == "cpu")
    try:
        model = classifier()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        batches = torch.utils.data.DataLoader(reviews.rename_column("label", "labels"), batch_size=8, shuffle=True)
        model, optimizer, batches = accelerator.prepare(model, optimizer, batches)
        losses = []
        for _ in range(8):
            for batch in batches:
                loss = model(**batch).loss
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
        assert model.device.type == device
        assert losses[-1] < 0.5 * losses[0], losses
    finally:
        # It is one a process, and so is the device it chose.
        accelerator.state._reset_state(reset_partial_state=True)


def test_the_trainer_saves_what_pipelines_load(tmp_path, monkeypatch, reviews, tokenizer):
    """And tensorboard reads what it wrote meanwhile."""
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "log"))
    arguments = transformers.TrainingArguments(
        output_dir=tmp_path / "run", max_steps=30, seed=0, learning_rate=0.01, lr_scheduler_type="constant",
        logging_steps=1, save_strategy="no", report_to="tensorboard", use_cpu=True,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model=classifier(), args=arguments, train_dataset=reviews, processing_class=tokenizer
    )
    trainer.train()
    trainer.save_model(tmp_path / "saved")
    assert (tmp_path / "saved/model.safetensors").exists()

    events = EventAccumulator(str(tmp_path / "log")).Reload()
    losses = [event.value for event in events.Scalars("train/loss")]
    assert len(losses) == 30
    assert losses[-1] < 0.5 * losses[0], losses

    loaded = transformers.pipeline("text-classification", model=str(tmp_path / "saved"), device="cpu")
    assert [found["label"] for found in loaded(["the film was dull", "the film was good"])] == ["LABEL_0", "LABEL_1"]
