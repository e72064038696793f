"""The OpenAPI document as a file, the npm packages, and a site whose clients are generated from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.site import Site, serving
from tests.jobs.api.contract import document
from tests.npm import installed

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the npm packages."""
    return installed(HERE / "package.json")


@pytest.fixture(scope="session")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document, as /api/v1/schema serves it."""
    file = tmp_path_factory.mktemp("openapi") / "openapi.json"
    file.write_text(json.dumps(document()))
    return file


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running site."""
    with serving(tmp_path_factory.mktemp("openapi-site")) as running:
        yield running
