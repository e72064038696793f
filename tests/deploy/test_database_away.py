"""A database that cannot be reached: one sentence comes first, and probes still say that the process lives."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.proxies import TLSUvicorn, manage
from tests.examples.site import environment, template
from tests.servers import ROOT, started

NOWHERE = "postgres://progress:s3cret@127.0.0.1:1/progress"
SAID = "The database progress at 127.0.0.1:1 cannot be reached: "
SECONDS = 30.0

pytest.importorskip("psycopg", reason="the packages of scale-out are not installed")


def away(url: str = NOWHERE, **more: str) -> dict[str, str]:
    return {**environment(Path("unused")), "DATABASE_URL": url, **more}


@pytest.mark.parametrize("command", ["migrate", "serve --port 0", "recount"])
def test_a_command_says_it_in_one_sentence(command: str) -> None:
    done = manage(away(), *command.split(), code=1)
    assert done.stderr.startswith(f"manage.py: {SAID}")
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_the_command_of_jobs_says_it_too() -> None:
    done = manage(away(), "jobs", "list", code=None)
    assert done.stderr.startswith(f"CommandError: {SAID}")


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a" / "site.sqlite3"
    (tmp_path / "a").mkdir()
    file.mkdir()
    done = manage(away(f"sqlite:///{file}"), "migrate", code=1)
    assert done.stderr == (
        f"manage.py: The database {file} cannot be opened: unable to open database file. "
        "Check DATABASE_URL and the rights of its folder.\n"
    )


@pytest.mark.parametrize("command", ["watchdog", "deliver"])
def test_a_loop_says_it_first_and_goes_on(command: str) -> None:
    """It has no pool, which would try for five seconds before the loop could end."""
    arguments, given = [sys.executable, "manage.py", command], away(f"{NOWHERE}?pool=off")
    process = subprocess.Popen(arguments, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        line = json.loads(process.stdout.readline())
        assert (line["event"], line["why"].startswith(SAID)) == ("database_unavailable", True)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert b"Traceback" not in process.stdout.read()
    finally:
        process.kill()
        process.communicate()


def until(fact: Callable[[], Any]) -> Any:
    """Wait for a true answer, and return it."""
    end = time.monotonic() + SECONDS
    while not (found := fact()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_a_server_says_it_at_its_start_and_is_alive_but_not_ready() -> None:
    with started(TLSUvicorn(away())) as server:
        line = until(lambda: [line for line in server.said().splitlines() if SAID in line])[0]
        assert json.loads(line)["event"] == "database_unavailable"
        begun = time.monotonic()
        assert httpx.get(f"{server.url}/healthz", headers={"Host": "10.1.2.3"}).status_code == 200
        assert time.monotonic() - begun < 2
        assert httpx.get(f"{server.url}/readyz", timeout=SECONDS).status_code == 503


def test_a_server_with_a_locked_database_is_alive(tmp_path: Path) -> None:
    file = tmp_path / "site.sqlite3"
    file.write_bytes(template()[0].read_bytes())
    with started(TLSUvicorn(away(f"sqlite:///{file}"))) as server, closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert time.monotonic() - begun < 2
        holder.rollback()
        ready = httpx.get(f"{server.url}/readyz", timeout=SECONDS).json()
        assert ready["database"] == "ok"


def test_missing_migrations_are_said_at_the_start_and_serve_refuses_to_start(tmp_path: Path) -> None:
    given = away(f"sqlite:///{tmp_path}/site.sqlite3")
    assert "migrations are not applied" in manage(given, "serve", "--port", "0", code=1).stderr
    with started(TLSUvicorn(given)) as server:
        until(lambda: "migrations are not applied" in server.said())
    assert not [line for line in server.said().splitlines() if not line.startswith("{")]
