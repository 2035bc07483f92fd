"""Run in the image that the Dockerfile beside it builds: an empty home gets the notebook, and a kernel runs it."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat

with tempfile.TemporaryDirectory() as home:
    server = subprocess.Popen(["/opt/notebook/start"], env={**os.environ, "HOME": home}, stderr=subprocess.DEVNULL)
    notebook = Path(home, "notebooks/compile.ipynb")
    deadline = time.monotonic() + 30
    while not notebook.exists():
        assert time.monotonic() < deadline, "the home got no notebook"
        time.sleep(0.1)
    server.terminate()
    server.wait()

    cells = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": notebook.parent}}
    nbclient.NotebookClient(cells, timeout=300, kernel_name="python3", resources=resources).execute()
    name, difference = cells.cells[-1].outputs[0].text.split()
    # The chip computes in bfloat16.
    assert name == "difference" and float(difference) < 0.05, difference
    assert notebook.with_name("network.pt").stat().st_size > 1000
