"""As much of S3's API as reading and writing objects takes, on loopback: the suites have no network.

Its address and credentials are in the environment meanwhile, as they are for a job: AWS_ENDPOINT_URL.
"""

import contextlib
import hashlib
import http.server
import os
import re
import threading
import urllib.parse
from unittest import mock

LIST = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>
<IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"""
ENTRY = """<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>
<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def list(self, bucket, prefix):
        keys = [path[len(bucket) + 2 :] for path in self.server.objects if path.startswith(f"/{bucket}/{prefix}")]
        objects = {key: self.server.objects[f"/{bucket}/{key}"] for key in sorted(keys)}
        contents = "".join(ENTRY.format(key=key, etag=hashlib.md5(o).hexdigest(), size=len(o)) for key, o in objects.items())
        text = LIST.format(bucket=bucket, prefix=prefix, count=len(keys), contents=contents)
        self.answer(200, text.encode(), Content_Type="application/xml")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if path.count("/") == 1 or path.endswith("/"):
            return self.list(path.strip("/"), query.get("prefix", ""))
        if path not in self.server.objects:
            return self.answer(404)
        body, status = self.server.objects[path], 200
        headers = {"ETag": f'"{hashlib.md5(body).hexdigest()}"', "Last_Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2] or len(body)), len(body) - 1)
            headers["Content_Range"] = f"bytes {first}-{last}/{len(body)}"
            body, status = body[first : last + 1], 206
        self.answer(status, body, **headers)

    do_HEAD = do_GET

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.objects[urllib.parse.unquote(self.path.split("?")[0])] = body
        self.answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve():
    """The objects that it has, by /bucket/key."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.objects = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "us-east-1",
        # Bodies as they are, without a checksum behind each piece.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    }
    with mock.patch.dict(os.environ, environment):
        yield server.objects
    server.shutdown()
