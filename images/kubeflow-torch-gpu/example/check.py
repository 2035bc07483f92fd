"""Run in the image that the Dockerfile beside it builds: an empty home gets the notebook, and a kernel runs it."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat
import torch

with tempfile.TemporaryDirectory() as home:
    server = subprocess.Popen(["/opt/notebook/start"], env={**os.environ, "HOME": home}, stderr=subprocess.DEVNULL)
    notebook = Path(home, "notebooks/first.ipynb")
    deadline = time.monotonic() + 30
    while not notebook.exists():
        assert time.monotonic() < deadline, "the home got no notebook"
        time.sleep(0.1)
    server.terminate()
    server.wait()

    cells = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": notebook.parent}}
    nbclient.NotebookClient(cells, timeout=120, kernel_name="python3", resources=resources).execute()
    printed = "".join(output["text"] for cell in cells.cells for output in cell.get("outputs", []) if "text" in output)
    assert float(printed.removeprefix("loss ")) < 0.01, printed
    assert torch.load(notebook.with_name("sine.pt"), map_location="cpu")["0.weight"].shape == (32, 1)
