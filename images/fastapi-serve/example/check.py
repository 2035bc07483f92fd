"""Run in the image that the Dockerfile beside it builds: the project's app is served, and ends when it is told to."""

import importlib.metadata
import json
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

URL = "http://127.0.0.1:8000"


def order(**fields):
    """Status and answer."""
    request = urllib.request.Request(f"{URL}/orders", json.dumps(fields).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


server = subprocess.Popen(["uvicorn"], stderr=subprocess.DEVNULL)
try:
    deadline = time.monotonic() + 30
    # The image's own health check, for which the app has its route.
    while subprocess.run(["python", "/opt/healthcheck.py"], stderr=subprocess.DEVNULL).returncode != 0:
        assert server.poll() is None and time.monotonic() < deadline, "it isn't healthy"
        time.sleep(0.1)
    assert order(product="tea", quantity=1400) == (200, {"price": 4200, "shown": "4,200"})
    assert order(product="gin", quantity=1)[0] == 404
    assert order(product="tea", quantity=0)[0] == 422
    with urllib.request.urlopen(f"{URL}/metrics/", timeout=10) as answer:
        assert b"shop_orders_total 1.0" in answer.read()
finally:
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=10)
assert code in (0, -signal.SIGTERM), code

# The lock keeps to the image, and one that doesn't is refused: with both versions, and how to mend it.
lock = Path(__file__).with_name("poetry.lock")
assert subprocess.run(["check-pins", lock], stdout=subprocess.DEVNULL).returncode == 0
with tempfile.TemporaryDirectory() as folder:
    moved = Path(folder, "poetry.lock")
    moved.write_text(lock.read_text() + '\n[[package]]\nname = "fastapi"\nversion = "0.118.0"\n')
    refused = subprocess.run(["check-pins", moved], capture_output=True, text=True)
version = importlib.metadata.version("fastapi")
assert refused.returncode == 1 and f"fastapi  0.118.0, in the image {version}" in refused.stderr, refused
assert f"poetry add --lock --group=coupled fastapi=={version}" in refused.stderr, refused.stderr
