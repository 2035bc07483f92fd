"""Run in the image that the Dockerfile beside it builds: the project's app is served, and ends when it is told to."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request

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
    assert order(product="tea", quantity=14) == (200, {"price": 42})
    assert order(product="gin", quantity=1)[0] == 404
    assert order(product="tea", quantity=0)[0] == 422
    with urllib.request.urlopen(f"{URL}/metrics/", timeout=10) as answer:
        assert b"shop_orders_total 1.0" in answer.read()
finally:
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=10)
assert code in (0, -signal.SIGTERM), code
