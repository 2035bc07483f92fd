"""Run in the image that the Dockerfile beside it builds: its command writes the report."""

import json
import re
import subprocess
from pathlib import Path

command = re.search(r"^CMD (\[.+\])$", Path("/example/Dockerfile").read_text(), re.MULTILINE).group(1)
subprocess.run(json.loads(command), check=True)
report = Path("/workspace/report.html").read_text()
# The data rise by 30 a month, from 360.
assert "next month: 600 units" in report
assert re.search(r'<img[^>]+src="data:image/png;base64,', report)
assert "import duckdb" not in report, "the code is in the report"
