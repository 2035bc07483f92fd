"""Compiles the model for inf1 into a file that neuron-inference loads:
    compile.py [--cpu] FILE
"""

import argparse

import torch
import torch_neuron  # noqa: F401 (makes torch.neuron)

parser = argparse.ArgumentParser()
parser.add_argument("--cpu", action="store_true", help="only trace it, to try the next step where there is no chip")
parser.add_argument("file")
arguments = parser.parse_args()

# In a project: the weights that training has left.
torch.manual_seed(0)
layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3), torch.nn.ReLU()]
model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(8 * 28 * 28, 10)).eval()
# The shape is compiled in: requests are padded or batched to it.
example = torch.rand(1, 3, 32, 32)

if arguments.cpu:
    traced = torch.jit.trace(model, example)
else:
    traced = torch.neuron.trace(model, example_inputs=[example])
traced.save(arguments.file)
print(f"{arguments.file}: {tuple(example.shape)} -> {tuple(model(example).shape)}")
