"""`python -m pip`, and so `%pip`: the pip beside uv, for this very environment."""

import os
import sys

os.environ["VIRTUAL_ENV"] = sys.prefix
os.execv("/usr/local/bin/pip", ["pip", *sys.argv[1:]])
