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
def test_a_million_items_are_migrated_by_as_many_statements_as_a_few_in_less_than_a_minute(tmp_path: Path) -> None:
    """The seconds are those of the processor, because the machine of a test run does other things too."""
    items = size(2_000, full=1_000_000)
    few, found = (migrated(tmp_path / f"{number}.sqlite3", number) for number in (10, items))
    assert found["kept"][:2] == [items, items // 10]
    assert found["rebuilds"] <= REBUILDS
    assert found["busy"] < SECONDS
    assert found["item_statements"] == few["item_statements"]
