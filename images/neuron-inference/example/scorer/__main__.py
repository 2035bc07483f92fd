"""Answers POST /score with what the model makes of a JSON list of numbers; GET /health with nothing."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cachetools
import torch
import torch_neuron  # noqa: F401 (without it a compiled model can't be loaded)

MODEL = torch.jit.load(sys.argv[1])


@cachetools.cached(cachetools.LRUCache(maxsize=1024))
def score(numbers):
    with torch.no_grad():
        return MODEL(torch.tensor([numbers]))[0].tolist()


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200 if self.path == "/health" else 404, b"{}")

    def do_POST(self):
        try:
            numbers = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(200, json.dumps(score(tuple(map(float, numbers)))).encode())
        except (TypeError, ValueError, RuntimeError) as error:
            self.answer(400, json.dumps({"error": str(error)}).encode())


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
