"""A project behind a TLS-inspecting proxy brings its CA; every client has to trust it."""

import http.server
import os
import ssl
import subprocess
import sys
import threading

import pytest

SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")

CLIENTS = {
    "urllib": "import sys, urllib.request as r\nr.urlopen(sys.argv[1]).read()",
    "requests": "import sys, requests\nrequests.get(sys.argv[1]).raise_for_status()",
    "boto3": (
        "import sys, boto3\n"
        "boto3.client('s3', endpoint_url=sys.argv[1], region_name='eu-west-1',\n"
        "  aws_access_key_id='x', aws_secret_access_key='x').head_bucket(Bucket='x')"
    ),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for localhost that nobody but its own file vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "ca.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def server(authority):
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"https://localhost:{listener.server_port}"
    listener.shutdown()


def call(client, server, **environment):
    return subprocess.run(
        [sys.executable, "-c", CLIENTS[client], server],
        env={**os.environ, "AWS_MAX_ATTEMPTS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_client_reads_the_system_bundle(variable):
    """So one mount over that file is all a project needs."""
    assert os.environ[variable] == SYSTEM_BUNDLE


@pytest.mark.parametrize("client", CLIENTS)
def test_client_trusts_the_bundle_it_is_given(client, server, authority):
    done = call(client, server, **dict.fromkeys(VARIABLES, str(authority / "ca.pem")))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_client_refuses_an_unknown_authority(client, server):
    done = call(client, server)
    assert done.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
