"""What Kubeflow asks of a notebook image, and what a page does with it."""

import grp
import json
import os
import pwd
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

# The environment's, which the image has first on its PATH.
PYTHON = f"{os.environ['VIRTUAL_ENV']}/bin/python"


def test_user_is_jovyan():
    assert pwd.getpwuid(1000).pw_name == "jovyan"
    assert pwd.getpwuid(1000).pw_shell == "/bin/bash"
    assert os.environ["HOME"] == "/home/jovyan"
    assert os.listdir("/home") == ["jovyan"], "the base's user is renamed, home and all"
    # Kubeflow's volumes belong to it (fsGroup).
    assert 100 in os.getgroups()
    assert grp.getgrgid(1000).gr_name == "jovyan"


def test_home_is_open_to_whatever_user_the_pod_has():
    status = os.stat("/home/jovyan")
    assert stat.S_IMODE(status.st_mode) == 0o2777
    assert status.st_gid == 100


def test_the_server_is_not_on_the_volume():
    home = pwd.getpwuid(1000).pw_dir
    assert not os.environ["JUPYTER_RUNTIME_DIR"].startswith(home)
    assert not [entry for entry in os.environ["PATH"].split(":") if entry.startswith(home)]


@pytest.mark.production
def test_the_server_is_not_the_user_s_to_change():
    for path in ["/opt/notebook", *Path("/opt/notebook").iterdir()]:
        assert not os.access(path, os.W_OK)


PAGES = ["/lab", "/tree", "/api", "/api/status", "/api/kernels", "/api/contents", "/metrics", "/static/favicon.ico"]


@pytest.mark.parametrize("path", ["", "/", *PAGES])
def test_it_answers_everybody_under_the_prefix(server, path):
    """No token, any name of the host, from any page: so that the controller can cull and the dashboard can frame."""
    status, headers, _ = server.request(path, headers={"Host": "kubeflow.example.com", "Origin": "https://example.com"})
    assert status == 200
    assert headers.get_all("Access-Control-Allow-Origin") == ["*"]


@pytest.mark.parametrize("path", ["/", "/lab", "/api/status", "/notebook/team/other/lab"])
def test_it_answers_nowhere_else(server, path):
    assert server.request(path, beside=True)[0] == 404


def test_the_page_asks_for_everything_under_the_prefix(server):
    page = server.request("/lab")[2]
    assert f'"baseUrl": "{server.base}/"' in page
    sources = [part.split('"')[0] for part in page.split('src="')[1:]]
    assert sources
    for source in sources:
        assert source.startswith(f"{server.base}/")
        assert server.request(source, beside=True)[0] == 200


def test_the_health_check_is_nobody_s_activity(server, healthcheck):
    before = server.json("/api/status")["last_activity"]
    time.sleep(0.01)
    assert healthcheck() == 0
    assert server.json("/api/status")["last_activity"] == before


def test_a_kernel_runs_a_cell(server):
    kernel = server.kernel()
    try:
        code = "import json, os, sys; print(json.dumps([6 * 7, sys.executable, os.getcwd(), os.umask(2)]))"
        assert json.loads(server.execute(kernel, code)) == [42, PYTHON, str(server.home), 0o002]
        # What the culler goes by.
        assert [k["id"] for k in server.json("/api/kernels")] == [kernel]
        assert server.json("/api/status")["kernels"] == 1
    finally:
        server.request(f"/api/kernels/{kernel}", "DELETE")
    assert server.json("/api/status")["kernels"] == 0


def test_another_page_s_form_starts_no_kernel(server):
    """Everybody may read; to act, a page must have been served from here."""
    import urllib.error
    import urllib.request

    url = f"http://127.0.0.1:8888{server.base}/api/kernels"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(url, b"{}", {"Origin": "https://example.com"}))
    assert server.json("/api/kernels") == []


def test_a_terminal_has_the_environment_s_python(server):
    shown = server.terminal("echo =$(command -v python)=$(umask)=$PWD=", until=f"={server.home}=")
    assert f"={PYTHON}=0002={server.home}=" in shown


def test_a_notebook_is_saved_for_the_volume_s_group(server):
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    server.json("/api/contents/saved.ipynb", "PUT", {"type": "notebook", "content": notebook})
    saved = server.home / "saved.ipynb"
    assert json.loads(saved.read_text())["nbformat"] == 4
    assert stat.S_IMODE(saved.stat().st_mode) & 0o060 == 0o060
    server.request("/api/contents/saved.ipynb", "DELETE")
    assert not saved.exists()
    assert not (server.home / ".local/share/Trash").exists(), "it would fill the volume, unseen"


def test_a_folder_is_deleted_with_what_is_in_it(server):
    server.json("/api/contents/folder", "PUT", {"type": "directory"})
    server.json("/api/contents/folder/a.txt", "PUT", {"type": "file", "format": "text", "content": "a"})
    assert server.request("/api/contents/folder", "DELETE")[0] == 204
    assert not (server.home / "folder").exists()


def test_a_notebook_is_saved_as_whatever_the_page_offers(server):
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Title"},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "6 * 7", "outputs": [], "execution_count": None},
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    server.json("/api/contents/exported.ipynb", "PUT", {"type": "notebook", "content": notebook})
    formats = set(server.json("/api/nbconvert")) - {"custom"}  # which the page leaves out
    assert {"html", "markdown", "script", "slides"} <= formats
    answers = {name: server.request(f"/nbconvert/{name}/exported.ipynb")[0] for name in formats}
    assert set(answers.values()) == {200}, answers
    server.request("/api/contents/exported.ipynb", "DELETE")


def test_an_empty_home_gets_the_defaults_and_nothing_of_the_server(server):
    assert {path.name for path in Path("/etc/skel").iterdir()} <= set(os.listdir(server.home))
    assert not (server.home / ".local/share/jupyter/runtime").exists()
    assert list(Path(os.environ["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json"))


def test_it_asks_nobody_for_news(server):
    settings = server.json("/lab/api/settings/@jupyterlab/apputils-extension:notification")
    properties = settings["schema"]["properties"]
    assert properties["fetchNews"]["default"] == "false"
    assert properties["checkForUpdates"]["default"] is False


def test_extensions_are_the_image_s(server):
    assert '"extensionManager": {"can_install": false,' in server.request("/lab")[2]
    for command in (["server", "extension", "list"], ["labextension", "list"]):
        listed = subprocess.run(["jupyter", *command], check=True, capture_output=True, text=True)
        shown = (listed.stdout + listed.stderr).lower()
        assert "error" not in shown and "disabled" not in shown and "ok" in shown


def test_a_progress_bar_is_a_widget():
    """And the page has what draws it."""
    code = (
        "import importlib.util, ipywidgets\n"
        "if importlib.util.find_spec('tqdm'):\n"
        "    from tqdm.auto import tqdm\n"
        "    list(tqdm(range(2)))\n"
        "ipywidgets.IntProgress(value=3)"
    )
    cells = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(cells, timeout=60, kernel_name="python3").execute()
    outputs = cells.cells[0].outputs
    assert not [output for output in outputs if output.output_type == "stream"], "a warning, or a bar of text"
    assert "application/vnd.jupyter.widget-view+json" in outputs[-1].data
    listed = subprocess.run(["jupyter", "labextension", "list"], check=True, capture_output=True, text=True)
    assert "@jupyter-widgets/jupyterlab-manager" in listed.stdout + listed.stderr


def test_a_notebook_is_executed_without_a_page(tmp_path):
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "print(6 * 7)", "outputs": [], "execution_count": None}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "job.ipynb").write_text(json.dumps(notebook))
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", "job.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "<pre>42" in (tmp_path / "job.html").read_text()


# What the server logs where a page leaves while a message is on its way to it.
LEFT = ("tornado.websocket.WebSocketClosedError", "tornado.iostream.StreamClosedError")


def test_nothing_went_wrong_meanwhile(server):
    """Last in this file: of all the requests above."""
    entries = re.split(r"^(?=\[[A-Z] )", server.log.read_text(), flags=re.MULTILINE)
    loud = [entry.strip() for entry in entries if entry.startswith(("[E", "[C")) or "Traceback" in entry]
    assert not [entry for entry in loud if not entry.splitlines()[-1].startswith(LEFT)]
