"""Exits 0 when the server answers, wherever it listens: it says where in a file.

Where no server runs there is nothing to judge: the container has another command.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import sys
from pathlib import Path

UNVERIFIED = ssl._create_unverified_context()  # the certificate is for another name than localhost
LOOPBACK = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def runs(pattern):
    """Does a command line match? That of the init counts: its command may not have begun."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            if re.search(pattern, path.read_text(errors="replace").replace("\0", " ")):
                return True
    return False


def is_answer(server):
    host = LOOPBACK.get(server["hostname"], server["hostname"])
    if server["secure"]:
        connection = http.client.HTTPSConnection(host, server["port"], timeout=3, context=UNVERIFIED)
    else:
        connection = http.client.HTTPConnection(host, server["port"], timeout=3)
    try:
        with contextlib.closing(connection):
            if server["sock"]:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(3)
                connection.sock.connect(server["sock"])
            # Not /api/kernels or a page: those would count as somebody's activity.
            connection.request("GET", server["base_url"] + "api")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def is_healthy():
    files = Path(os.environ["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")
    servers = [json.loads(file.read_text()) for file in files]
    # What was killed has left its file.
    servers = [server for server in servers if Path("/proc", str(server["pid"])).exists()]
    if not servers:
        return not runs(r"/opt/notebook/start|\bjupyter[ -](lab|notebook|server)\b")
    return any(map(is_answer, servers))


sys.exit(not is_healthy())
