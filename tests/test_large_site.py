"""The command that fills a database with a large site, at a hundredth of its size."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

BOX = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database that the command has filled."""
    path = tmp_path_factory.mktemp("large") / "site.sqlite3"
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{path}", "LOG_LEVEL": "ERROR"}
    environment["DJANGO_SETTINGS_MODULE"] = "progress_site.settings"
    command = [sys.executable, "-m", "benchmarks.console", "--size", "0.01"]
    done = subprocess.run(command, cwd=BOX, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return path


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


def test_it_has_jobs_in_every_state(database: Path) -> None:
    """Each status of a job occurs, and stuck, late, partial and forced ones."""
    found = {status for (status,) in rows(database, "SELECT DISTINCT status FROM jobs_job")}
    assert found == {"pending", "processing", "paused", "completed", "failed", "cancelled"}
    for condition in ("stuck = 'silent'", "late", "partial"):
        assert rows(database, f"SELECT 1 FROM jobs_job WHERE {condition} LIMIT 1"), condition
    assert rows(database, "SELECT 1 FROM jobs_phase WHERE forced AND status = 'completed'")


def test_its_counters_equal_its_items(database: Path) -> None:
    """The rows that SQL wrote are those that real calls would leave behind."""
    differing = """
        SELECT phase.id FROM jobs_phase phase LEFT JOIN jobs_item item ON item.phase_id = phase.id
        WHERE NOT phase.counted GROUP BY phase.id
        HAVING phase.items_total <> COUNT(item.id) OR phase.done <> COALESCE(SUM(item.status = 'completed'), 0)
            OR phase.failed <> COALESCE(SUM(item.status = 'failed'), 0)
            OR phase.processing <> COALESCE(SUM(item.status = 'processing'), 0)
    """
    assert rows(database, differing) == []
