"""Clients that ask for /work until nobody listens: `python load.py KEPT NEW`, so many on connections that they keep,
and so many on a new connection for each request. Prints what became of each request, as JSON."""

import asyncio
import contextlib
import itertools
import json
import sys
import time

LIMIT = 20
NUMBERS = itertools.count()


async def ask(connection, requests):
    """Sends one request; is the connection good for another?"""
    reader, writer = connection
    request = {"number": next(NUMBERS), "received": 0, "answered": False}
    writer.write(b"GET /work?number=%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % request["number"])
    # To a socket with room, as here, the request went within the call.
    request["sent"] = time.monotonic()
    requests.append(request)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        request["received"] = len(head)
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.split(b":")[1]))
        request["answered"] = head.startswith(b"HTTP/1.1 200 ") and json.loads(body)["number"] == request["number"]
        request["ended"] = time.monotonic()
    except asyncio.IncompleteReadError as error:
        request["received"] += len(error.partial)
    except ConnectionError:
        pass
    return request["answered"] and b"connection: close" not in head.lower()


async def client(is_kept, requests):
    while True:
        try:
            connection = await asyncio.open_connection("127.0.0.1", 8000)
        except ConnectionError:
            return
        with contextlib.closing(connection[1]):
            while await ask(connection, requests) and is_kept:
                pass


async def main(kept, new):
    requests = []
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*(client(i < kept, requests) for i in range(kept + new)))
    json.dump(requests, sys.stdout)


asyncio.run(main(*map(int, sys.argv[1:])))
