"""Exits 0 when the app answers GET /health: curl is not in the image."""

import os
import urllib.request

port = os.environ["UVICORN_PORT"]
path = os.environ["HEALTH_PATH"]
# No proxy: the environment may name one, and it cannot reach this loopback.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(f"http://127.0.0.1:{port}{path}", timeout=3).close()
