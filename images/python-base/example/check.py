"""Run in the image that the Dockerfile beside it builds: the project runs, on the versions of its lock."""

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path

done = subprocess.run(["python", "-m", "orders"], input="1200000\n34567\n", capture_output=True, text=True)
assert done.returncode == 0, done.stderr
assert json.loads(done.stdout) == {"event": "ordered", "total": "1,234,567"}, done.stdout

locked = tomllib.loads(Path(__file__).with_name("poetry.lock").read_text())["package"]
installed = {d.name: d.version for d in importlib.metadata.distributions(path=["/app"])}
assert installed == {package["name"]: package["version"] for package in locked}, installed
assert "/app" in sys.path
