"""Run in the image that the Dockerfile beside it builds: the project runs, on the versions of its lock."""

import importlib.metadata
import json
import subprocess
import tomllib
from pathlib import Path

done = subprocess.run(["python", "-m", "orders"], input="1200000\n34567\n", capture_output=True, text=True)
assert done.returncode == 0, done.stderr
assert json.loads(done.stdout) == {"event": "ordered", "total": "1,234,567"}, done.stdout

locked = tomllib.loads(Path(__file__).with_name("poetry.lock").read_text())["package"]
assert {package["name"] for package in locked} == {"humanize", "structlog", "tabulate"}
for package in locked:
    assert importlib.metadata.version(package["name"]) == package["version"], package
# Their commands can be called.
assert subprocess.run(["tabulate"], input="a b\n", capture_output=True, text=True, check=True).stdout
# The distribution's own Python gets none of them: another's compiled modules would break it.
other = subprocess.run(["/usr/bin/python3", "-c", "import structlog"], capture_output=True, text=True)
assert "No module named 'structlog'" in other.stderr, other.stderr
