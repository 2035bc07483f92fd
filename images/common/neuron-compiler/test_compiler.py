"""For every image with the compiler: a network is traced, saved, and runs elsewhere."""

import importlib.metadata
import subprocess
import sys

import pytest
import torch
import torch_neuron  # noqa: F401 (makes torch.neuron)

NEURON_CC = importlib.metadata.metadata("neuron-cc")
IS_STUB = "is a stub" in NEURON_CC["Summary"]
stub = pytest.mark.skipif(not IS_STUB, reason="AWS's own neuron-cc is installed")
real = pytest.mark.skipif(IS_STUB, reason="neuron-cc is a stub here")

EXAMPLE = torch.arange(3 * 16 * 16, dtype=torch.float32).reshape(1, 3, 16, 16) / 768


def network():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers).eval()


def in_another_process(path):
    """Sum of what a saved network answers, where nothing but the file is known of it."""
    code = (
        "import sys, torch, torch_neuron\n"
        "example = torch.arange(3 * 16 * 16, dtype=torch.float32).reshape(1, 3, 16, 16) / 768\n"
        "print(torch.jit.load(sys.argv[1])(example).sum().item())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@stub
def test_the_stub_says_that_it_is_one():
    done = subprocess.run(["neuron-cc", "--version"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "neuron-cc 1.24.0.0 is a stub" in done.stderr


@stub
def test_a_network_is_traced_for_the_cpu(tmp_path):
    """What there is without the compiler: the same file format, all of it on the CPU."""
    path = tmp_path / "network.pt"
    torch.jit.trace(network(), EXAMPLE).save(str(path))
    assert in_another_process(path) == pytest.approx(network()(EXAMPLE).sum().item(), rel=1e-5)


@real
def test_the_compiler_is_the_one_named(image):
    done = subprocess.run(["neuron-cc", "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert image.vendor_wheels["neuron-cc"] in done.stdout + done.stderr


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    traced = torch.neuron.trace(network(), example_inputs=[EXAMPLE], compiler_workdir=str(folder / "work"))
    traced.save(str(folder / "network.pt"))
    return folder / "network.pt"


@real
def test_a_network_is_compiled(compiled):
    assert "neuron" in str(torch.jit.load(str(compiled)).inlined_graph)


@real
@pytest.mark.hardware("inf1")
def test_the_compiled_network_runs_on_the_chip(compiled):
    # bfloat16 within.
    assert in_another_process(compiled) == pytest.approx(network()(EXAMPLE).sum().item(), rel=0.05)
