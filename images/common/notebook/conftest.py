"""For every notebook image: its very CMD and HEALTHCHECK, over loopback, as Kubeflow starts it."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import pytest
import tornado.websocket

PORT = 8888
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    def __init__(self, argv, folder, prefix, environment):
        self.log = folder / "log"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.base = f"/{prefix.strip('/')}".rstrip("/")
        environment = {**os.environ, "HOME": str(self.home), "NB_PREFIX": prefix, **environment}
        with self.log.open("w") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The init dies with its child only when the signal is forwarded.
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=20)

    def wait_for(self, text):
        deadline = time.monotonic() + 30
        while text not in self.log.read_text():
            assert self.process.poll() is None, f"it ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log.read_text()}"
            time.sleep(0.05)

    def wait_until_up(self):
        self.wait_for("is running at:")
        deadline = time.monotonic() + 10
        while True:
            # It says so a moment before it listens.
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", PORT)).close()
            assert time.monotonic() < deadline, f"nothing listens:\n{self.log.read_text()}"
            time.sleep(0.05)

    def request(self, path, method="GET", body=None, headers=None, beside=False):
        """Answers (status, headers, body); `beside`: not under the prefix."""
        url = f"http://127.0.0.1:{PORT}{'' if beside else self.base}{path}"
        headers = dict(headers or {})
        if method != "GET":
            # What a page does that was served from here.
            with OPENER.open(f"http://127.0.0.1:{PORT}{self.base}/lab") as page:
                cookies = "\n".join(page.headers.get_all("Set-Cookie", []))
            token = re.search(r"_xsrf=([^;]+)", cookies).group(1)
            headers |= {"Cookie": f"_xsrf={token}", "X-XSRFToken": token}
        data = None if body is None else json.dumps(body).encode()
        try:
            with OPENER.open(urllib.request.Request(url, data, headers, method=method), timeout=20) as response:
                return response.status, response.headers, response.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode(errors="replace")

    def json(self, path, method="GET", body=None):
        status, _, text = self.request(path, method, body)
        assert status < 300, f"{method} {path}: {status}: {text}"
        return json.loads(text) if text else None

    def connect(self, path):
        return tornado.websocket.websocket_connect(f"ws://127.0.0.1:{PORT}{self.base}{path}")

    def kernel(self):
        return self.json("/api/kernels", "POST", {"name": "python3"})["id"]

    def execute(self, kernel, code, until_idle=True):
        """What the code printed, by the way a page takes."""

        async def run():
            channel = await self.connect(f"/api/kernels/{kernel}/channels")
            header = {"msg_id": uuid.uuid4().hex, "session": uuid.uuid4().hex, "msg_type": "execute_request"}
            header |= {"username": "", "version": "5.3", "date": ""}
            content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
            content |= {"allow_stdin": False, "stop_on_error": True}
            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
            await channel.write_message(json.dumps(message))
            printed = ""
            while text := await channel.read_message():
                message = json.loads(text)
                if message["parent_header"].get("msg_id") != header["msg_id"]:
                    continue
                content = message["content"]
                assert message["msg_type"] != "error", "\n".join(content["traceback"])
                if message["msg_type"] == "stream":
                    printed += content["text"]
                if printed and not until_idle:
                    break
                if content.get("execution_state") == "idle":
                    break
            channel.close()
            return printed

        return asyncio.run(asyncio.wait_for(run(), timeout=30))

    def terminal(self, command, until):
        """What a terminal of the page shows, up to a text."""

        async def run():
            name = self.json("/api/terminals", "POST")["name"]
            channel = await self.connect(f"/terminals/websocket/{name}")
            await channel.write_message(json.dumps(["stdin", command + "\r"]))
            shown = ""
            while until not in shown:
                kind, *text = json.loads(await channel.read_message())
                shown += text[0] if kind == "stdout" else ""
            channel.close()
            return shown

        return asyncio.run(asyncio.wait_for(run(), timeout=30))

    def terminate(self):
        """Seconds until it has ended, and with what."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=20)
        return time.monotonic() - start, code


@pytest.fixture
def healthcheck(health_command):
    return lambda: subprocess.run(health_command, capture_output=True, timeout=10).returncode


@pytest.fixture
def run(init, command):
    """Runs the image's command the way the engine does, by its init, on an empty home."""
    return lambda folder, arguments, prefix, environment: Server([*init, *command, *arguments], folder, prefix, environment)


@pytest.fixture(scope="session")
def kept():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def server(run, kept, tmp_path_factory):
    """One server for all tests that leave it as it was: each start takes two seconds."""
    if not hasattr(kept, "server"):
        kept.server = kept.enter_context(run(tmp_path_factory.mktemp("kept"), [], "/notebook/team/mine", {}))
        kept.server.wait_until_up()
    return kept.server


@pytest.fixture
def start(run, kept, tmp_path):
    """Starts a server of the test's own."""
    kept.close()  # there is one port
    kept.__dict__.pop("server", None)
    with contextlib.ExitStack() as stack:

        def start(*arguments, prefix="/notebook/team/mine", wait=True, **environment):
            server = stack.enter_context(run(tmp_path, arguments, prefix, environment))
            if wait:
                server.wait_until_up()
            return server

        yield start
