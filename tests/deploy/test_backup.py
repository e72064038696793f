"""Backup, restore, upgrade and downgrade, with the scripts and commands of the documentation."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from uuid import uuid4

import httpx
import pytest
from django.conf import settings

from tests.deploy.proxies import TLSUvicorn, manage
from tests.examples.site import environment, template
from tests.servers import ROOT, started

TOKEN = """
from jobs.api import tokens
print("token", tokens.issue("w1", roles=["worker"]))
"""
CLEAN = "Every counter equals its items."
BEFORE = "0016"


def script(name: str, target: Path, given: dict[str, str], *, code: int = 0) -> str:
    """Run a script of deploy/ and return its output."""
    done = subprocess.run(
        [str(ROOT / "deploy" / name), str(target)],
        env={**given, "PYTHON": sys.executable, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def work(url: str, token: str, enough: Event, stop: Event) -> int:
    """Create jobs and complete their items until `stop`; `enough` is set after the first ones. Return their number."""
    done = 0
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        while not stop.is_set():
            job = client.post("/jobs", json={"name": uuid4().hex, "items": [{"key": str(n)} for n in range(20)]})
            assert job.status_code == 201, job.text
            results = [{"key": str(n), "status": "completed"} for n in range(20)]
            path = f"/jobs/{job.json()['id']}/phases/items/report"
            assert client.post(path, json={"worker": "w1", "results": results}).status_code == 200
            done += 1
            if done == 5:
                enough.set()
    return done


def restored_while_working(source: str, target: str, folder: Path) -> tuple[str, int]:
    """Back a database up while workers write, restore it, and return what was said and the number of jobs worked."""
    given = {**environment(Path("unused")), "DATABASE_URL": source}
    [token] = [line.split()[1] for line in manage(given, "shell", "-c", TOKEN).stdout.splitlines() if "token " in line]
    enough, stop = Event(), Event()
    with started(TLSUvicorn(given)) as server, ThreadPoolExecutor(1) as pool:
        working = pool.submit(work, server.url, token, enough, stop)
        try:
            assert enough.wait(60)
            file = Path(script("backup.sh", folder, given).split()[-1])
        finally:
            stop.set()
        worked = working.result()
    said = script("restore.sh", file, {**given, "DATABASE_URL": target})
    assert file.stat().st_mode & 0o077 == 0, "others can read the backup"
    return said, worked


def test_sqlite_is_backed_up_while_workers_write_and_restored_without_a_difference(tmp_path: Path) -> None:
    source, target = tmp_path / "site.sqlite3", tmp_path / "restored.sqlite3"
    shutil.copy(template()[0], source)
    said, worked = restored_while_working(f"sqlite:///{source}", f"sqlite:///{target}", tmp_path / "backups")
    assert CLEAN in said
    with closing(sqlite3.connect(target)) as connection:
        [[jobs]] = connection.execute("SELECT count(*) FROM jobs_job").fetchall()
    assert 5 <= jobs <= worked
    refused = script("restore.sh", tmp_path / "site.sqlite3", {**environment(target)}, code=1)
    assert "away first" in refused


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """Two empty databases of PostgreSQL."""
    import psycopg

    given = settings.DATABASES["default"]
    place = {"host": given["HOST"], "port": given["PORT"] or 5432, "user": given["USER"], "password": given["PASSWORD"]}
    names = [f"progress_{uuid4().hex[:12]}" for _ in range(2)]
    with psycopg.connect(dbname="postgres", autocommit=True, **place) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
        user = f"{given['USER']}:{given['PASSWORD']}" if given["PASSWORD"] else given["USER"]
        yield [f"postgres://{user}@{given['HOST']}:{given['PORT'] or 5432}/{name}" for name in names]
        for name in names:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
def test_postgresql_is_backed_up_while_workers_write_and_restored_without_a_difference(
    databases: list[str], tmp_path: Path
) -> None:
    source, target = databases
    manage({**environment(Path("unused")), "DATABASE_URL": source}, "migrate", "--verbosity", "0")
    said, worked = restored_while_working(source, target, tmp_path / "backups")
    assert CLEAN in said
    assert worked >= 5


BACK_AND_FORTH = f"""
from django.core.management import call_command
from jobs import tracking
from jobs.change import Actor
tracking.create_job(name="a", items=[tracking.NewItem(str(n)) for n in range(50)], by=Actor())
call_command("migrate", "jobs", "{BEFORE}", verbosity=0)
call_command("migrate")
call_command("recount")
"""


def test_the_tables_go_back_to_an_older_version_and_forward_again_with_their_rows(tmp_path: Path) -> None:
    file = tmp_path / "site.sqlite3"
    shutil.copy(template()[0], file)
    said = manage(environment(file), "shell", "-c", BACK_AND_FORTH).stdout
    assert "0017_item_keys" in said
    assert CLEAN in said
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*), sum(failures) FROM jobs_item").fetchall() == [(50, 0)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
