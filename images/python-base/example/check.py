"""Run in the image that the Dockerfile beside it builds: the project runs, on the versions of its lock."""

import importlib.metadata
import json
import subprocess
import tempfile
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

# The lock keeps to the image, and one that doesn't is refused: with both versions, and how to mend it.
lock = Path(__file__).with_name("poetry.lock")
kept = subprocess.run(["check-pins", lock], capture_output=True, text=True)
assert kept.returncode == 0 and "3 packages, 1 of them the image's" in kept.stdout, kept
with tempfile.TemporaryDirectory() as folder:
    version = importlib.metadata.version("structlog")
    moved = Path(folder, "poetry.lock")
    moved.write_text(lock.read_text().replace(f'version = "{version}"', 'version = "25.4.0"'))
    refused = subprocess.run(["check-pins", moved], capture_output=True, text=True)
    assert refused.returncode == 1, refused
    assert f"structlog  25.4.0, in the image {version}" in refused.stderr, refused.stderr
    assert f"poetry add --lock --group=coupled structlog=={version}" in refused.stderr, refused.stderr
