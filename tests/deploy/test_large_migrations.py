"""Migrations of a large table of items on SQLite: a constant number of statements, and few rebuilds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.site import environment
from tests.plan import size
from tests.servers import ROOT

REBUILDS = 2  # one of 0017 and one of 0022; each takes some ten seconds for a million items
SECONDS = 60.0


def migrated(file: Path, items: int) -> dict[str, Any]:
    """Migrate a database with so many items from the first migration on, and return the figures."""
    given = {**environment(file), "DJANGO_SETTINGS_MODULE": "progress_site.settings"}
    given["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "client")])
    command = [sys.executable, "tests/deploy/large_migration.py", str(items)]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.full
def test_a_million_items_are_migrated_in_less_than_a_minute(tmp_path: Path) -> None:
    """The seconds are those of the processor, because the machine of a test run does other things too."""
    items = size(5_000, full=1_000_000)
    found = migrated(tmp_path / "large.sqlite3", items)
    assert found["kept"][:2] == [items, items // 10]
    assert found["rebuilds"] <= REBUILDS
    assert found["busy"] < SECONDS


def test_the_number_of_statements_does_not_grow_with_the_items(tmp_path: Path) -> None:
    few, more = (migrated(tmp_path / f"{items}.sqlite3", items) for items in (10, 2_000))
    assert few["item_statements"] == more["item_statements"]
