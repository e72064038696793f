"""The programs of docs/integrations.md run as they are written."""

from __future__ import annotations

import pytest

from tests.client.integrations.conftest import Program
from tests.examples.document_blocks import block
from tests.examples.site import Site

PROGRAMS = {
    "docs/integrations.md#Loops and tqdm": (20, "", 0),
    "docs/integrations.md#pandas": (2, "", 0),
    "docs/integrations.md#Futures": (2, "", 0),
    "docs/integrations.md#joblib": (20, "190\n", 0),
}


@pytest.mark.parametrize("title", PROGRAMS)
def test_programs(program: Program, site: Site, name: str, title: str) -> None:
    done = program(block(title), name)
    job = site.job(name)
    assert job is not None, done.stderr
    assert (job["phases"][0]["done"], done.stdout, done.returncode) == PROGRAMS[title], done.stderr
    assert job["status"] == "completed"
