"""Run in the image that the Dockerfile beside it builds."""

import json
import os
import subprocess

found = json.loads(subprocess.run(["python", "gpus.py"], check=True, capture_output=True, text=True).stdout)
assert found["cuda"] // 1000 == 13, found
assert bool(found["gpus"]) == os.path.exists("/dev/nvidiactl"), found
