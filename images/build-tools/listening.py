"""For health checks: what runs in this container, and where it listens.

Read from Linux's tables, for a server may have been told its address by its command line, a file, or its own code.
"""

import os
import re
import socket
from pathlib import Path

LOOPBACK = {"0.0.0.0": ["127.0.0.1"], "::": ["::1", "127.0.0.1"]}


def runs(pattern):
    """Does a command line match? That of the init counts: its command may not have begun."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_text(errors="replace").replace("\0", " ")
        except OSError:  # it has ended
            continue
        if re.search(pattern, command):
            return True
    return False


def addresses():
    """Host and port of each socket that a process of this container listens on; a pod's containers share one network."""
    held = set()
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            held.add(os.readlink(path))
        except OSError:  # it is closed, or another user's
            continue
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        path = Path("/proc/net", table)
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in held:
                packed, port = fields[1].split(":")
                words = bytes.fromhex(packed)
                host = socket.inet_ntop(family, b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4)))
                yield from ((each, int(port, 16)) for each in LOOPBACK.get(host, [host]))
