"""Exits 0 when the app answers GET HEALTH_PATH, wherever Uvicorn listens; curl is not in the image.

Any answer will do but "there is no such path" and a server's error: a redirect to https and the refusal of an unknown
host come from an app that works. Where no server runs there is nothing to judge: the container has another command.
"""

import contextlib
import http.client
import os
import socket
import ssl
import sys

import listening

PORT = int(os.environ["UVICORN_PORT"])
PATH = os.environ["HEALTH_PATH"]
UNVERIFIED = ssl._create_unverified_context()  # the certificate is for another name than localhost


def is_answer(connection):
    try:
        with contextlib.closing(connection):
            connection.request("GET", PATH)
            status = connection.getresponse().status
        return status < 500 and status != 404
    except (ssl.SSLError, ConnectionResetError):
        # It works, but answers only those who have a certificate of their own.
        return os.environ.get("UVICORN_SSL_CERT_REQS") == "2"
    except (OSError, http.client.HTTPException):
        return False


def by_socket(path):
    connection = http.client.HTTPConnection("localhost", timeout=3)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(3)
    try:
        connection.sock.connect(path)
    except OSError:
        return False
    return is_answer(connection)


def by_port(host, port):
    plain = http.client.HTTPConnection(host, port, timeout=3)
    encrypted = http.client.HTTPSConnection(host, port, timeout=3, context=UNVERIFIED)
    # Its log names each who comes by the wrong one.
    has_tls = "UVICORN_SSL_CERTFILE" in os.environ
    return any(map(is_answer, (encrypted, plain) if has_tls else (plain, encrypted)))


def is_healthy():
    if "UVICORN_UDS" in os.environ:
        return by_socket(os.environ["UVICORN_UDS"])
    serves = listening.runs(r"(^|[\s/])(uvicorn|gunicorn|fastapi)\s")
    addresses = list(listening.addresses())
    addresses = [address for address in addresses if address[1] == PORT] or (addresses if serves else [])
    return any(by_port(*address) for address in addresses) or not (serves or addresses)


sys.exit(not is_healthy())
