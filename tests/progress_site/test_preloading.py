"""The application loaded before a fork, as `gunicorn --preload` does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.examples.site import environment, template
from tests.servers import ROOT, database_url

SCRIPT = """
import json, os, sys
from progress_site.asgi import application
from django.db import connection
from jobs.db.reachability import missing_migrations

def look(name):
    missing = missing_migrations()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if connection.vendor == "postgresql" else "SELECT 0")
        print(json.dumps([name, missing, cursor.fetchone()[0]]), flush=True)
    connection.close()

child = os.fork()
if child == 0:
    look("child")
    os._exit(0)
os.waitpid(child, 0)
look("parent")
"""


@pytest.mark.django_db(transaction=True)
def test_a_child_connects_for_itself_and_finds_every_migration(tmp_path: Path) -> None:
    """The start checks the database in a thread, so the fork comes in the middle of it."""
    own = environment(tmp_path / "site.sqlite3")
    if connection.vendor == "postgresql":
        own["DATABASE_URL"] = database_url()
    else:
        shutil.copy(template()[0], tmp_path / "site.sqlite3")
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=60)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [each[:2] for each in found] == [["child", ""], ["parent", ""]], done.stderr
    if connection.vendor == "postgresql":
        assert len({server for *_, server in found}) == 2
