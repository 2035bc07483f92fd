"""Run in the image that the Dockerfile beside it builds: a model is served, and the server ends when it is told to."""

import json
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import torch


def post(numbers):
    request = urllib.request.Request("http://127.0.0.1:8000/score", json.dumps(numbers).encode())
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.loads(response.read())


model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).eval()
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    torch.jit.trace(model, torch.ones(1, 3)).save(f"{folder}/model.pt")
    server = subprocess.Popen(["python", "-m", "scorer", f"{folder}/model.pt"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=1).close()
                break
            except urllib.error.URLError:
                assert server.poll() is None and time.monotonic() < deadline, "it doesn't answer"
                time.sleep(0.1)
        for numbers in ([0.5, -1, 2], [0.5, -1, 2], [3, 2, 1]):
            wanted = model(torch.tensor([numbers], dtype=torch.float32))
            assert torch.allclose(torch.tensor([post(numbers)]), wanted, atol=1e-6), numbers
        try:
            raise AssertionError(f"two numbers for three got {post([1, 2])}")
        except urllib.error.HTTPError as error:
            assert error.code == 400
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=5) == 0

# The base's own Python gets none of the project's packages: another's compiled modules would break it.
for python, code in (("python", 0), ("/opt/venv/bin/python", 1)):
    assert subprocess.run([python, "-c", "import cachetools"], stderr=subprocess.DEVNULL).returncode == code, python

# The lock keeps to the image, and one that doesn't is refused, on this Python too.
for packages, code in (("cachetools==6.2.6", 0), ("torch==2.14.1", 1)):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(f"{packages}\n")
        requirements.flush()
        assert subprocess.run(["check-pins", requirements.name], capture_output=True).returncode == code, packages
