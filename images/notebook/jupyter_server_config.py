"""Jupyter as Kubeflow's notebook controller expects it.

Named on the command line, so it takes the place of a ~/.jupyter/jupyter_server_config
that lies on a volume: a password or port from there would make the pod unreachable.
~/.jupyter/jupyter_config.py is read, before this file.
"""

import os
import shutil
from importlib.util import find_spec

c = get_config()  # noqa: F821

c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
# Another port than the promised one is worse than an error.
c.ServerApp.port_retries = 0
c.ServerApp.base_url = os.environ.get("NB_PREFIX") or "/"
c.ServerApp.root_dir = os.environ["HOME"]
c.ServerApp.open_browser = False

# Who may come in is for the gateway to say, not for the notebook: the controller
# asks /api/kernels and /api/status without a token, to cull what is idle.
c.IdentityProvider.token = ""
c.PasswordIdentityProvider.hashed_password = ""
c.ServerApp.allow_remote_access = True
c.ServerApp.allow_origin = "*"
c.ServerApp.authenticate_prometheus = False

# A pod has its seconds: a kernel that is busy or hangs is killed within this one.
c.KernelManager.shutdown_wait_time = 1.0

# What is deleted is gone: the trash would fill the volume, unseen.
c.FileContentsManager.delete_to_trash = False
# A folder with all that is in it, once the page has asked.
c.FileContentsManager.always_delete_dir = True

# Root, too, is a user whom a pod may have, and whom rootless engines map to the person.
c.ServerApp.allow_root = True

# The page offers to save as what the image, or one built on it, has the tools for.
has_pandoc = bool(shutil.which("pandoc"))
c.ASCIIDocExporter.enabled = has_pandoc
c.LatexExporter.enabled = has_pandoc
c.RSTExporter.enabled = has_pandoc
c.PDFExporter.enabled = has_pandoc and bool(shutil.which("xelatex"))
c.WebPDFExporter.enabled = bool(find_spec("playwright"))
c.QtPDFExporter.enabled = c.QtPNGExporter.enabled = bool(find_spec("PyQt5"))

# Extensions come with the image, by its lock.
c.LabApp.extension_manager = "readonly"
