"""What registries, scanners and `docker image inspect` show of an image. A label that is missing would be the base's."""

import sys
from pathlib import Path

import pytest

OCI = "org.opencontainers.image."
# The suite of an image with two environments also runs in that of its base, as the base's suite.
OWN = f"VIRTUAL_ENV={sys.prefix}" in Path("/proc/1/environ").read_text().split("\0")


@pytest.fixture
def label(config):
    return lambda name: config["Labels"].get(OCI + name)


@pytest.mark.skipif(not OWN, reason="the image's packages are in another environment")
def test_title_and_description_are_the_image_s_own(label, image):
    assert label("title") == image.name
    assert label("description") == image.project["description"]


def test_licence(label):
    assert label("licenses") == "MIT"


def test_documentation_is_where_the_source_is(label):
    """Nowhere, where the clone has no remote on the web."""
    source = label("source")
    assert label("documentation") == (f"{source}#readme" if source else "")
