"""Run in the image that the Dockerfile beside it builds: an empty home gets the notebook, and a kernel runs it."""

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbclient
import nbformat

with tempfile.TemporaryDirectory() as home:
    server = subprocess.Popen(["/opt/notebook/start"], env={**os.environ, "HOME": home}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert server.poll() is None and time.monotonic() < deadline, "it doesn't answer"
            try:
                with urllib.request.urlopen("http://127.0.0.1:8888/api/contents/notebooks", timeout=10) as answer:
                    listed = [entry["name"] for entry in json.load(answer)["content"]]
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        assert listed == ["orders.ipynb"], listed
    finally:
        server.terminate()
        server.wait(timeout=10)

    notebook = Path(home, "notebooks/orders.ipynb")
    assert os.access(notebook, os.W_OK), "the person can't save it"
    cells = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(cells, timeout=60, kernel_name="python3").execute()
    assert cells.cells[-1].outputs[0].text == "tea 5\n"
