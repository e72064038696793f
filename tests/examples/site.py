"""A site of its own for a test: `manage.py serve` as a process, over a fresh SQLite file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

from examples.connection import Connection
from tests.servers import ROOT, Server

SECONDS = 30.0
FOREIGN = ("REDIS_URL", "PORT", "IMAGES", "DEBUG", "ALLOWED_HOSTS", "HTTPS", "DJANGO_SETTINGS_MODULE")
GIVEN = {"ENV_FILE": "", "SECRET_KEY": "a-key-of-the-test-run-0123456789-abcdef", "WATCHDOG_INTERVAL": "1"}


def eventually(condition: Callable[[], Any], *, what: str, seconds: float = SECONDS) -> Any:
    """The first true answer of the condition; AssertionError if none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not come: {what}")


def environment(database: Path) -> dict[str, str]:
    """The environment of a process of this site."""
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**own, **GIVEN, "DATABASE_URL": f"sqlite:///{database}"}


def manage(*arguments: str, database: Path) -> str:
    """Run a management command and return its output."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(database), capture_output=True, text=True, check=True)
    return done.stdout.strip()


# The accounts of every site, and their roles.
ACCOUNTS = {"worker": ["worker"], "lead": ["lead"], "operator": ["worker", "lead"]}
MAKE = """
from django.core.management import call_command
from jobs.api import tokens
call_command("migrate", verbosity=0)
for name, roles in {accounts!r}.items():
    print("token", name, tokens.issue(name, roles=roles))
"""


@cache
def template() -> tuple[Path, dict[str, str]]:
    """A migrated database, made once by one process, and the tokens of its accounts; copy it."""
    database = Path(tempfile.mkdtemp(prefix="progress-site-")) / "template.sqlite3"
    said = manage("shell", "-c", MAKE.format(accounts=ACCOUNTS), database=database)
    return database, dict(line.split()[1:] for line in said.splitlines() if line.startswith("token "))


class Site(Server):
    """The server over a database of its own in this folder, and a worker's connection to it.

    `tokens` has those of its accounts: worker, lead, and operator, who is both.
    """

    def __init__(self, folder: Path) -> None:
        made, self.tokens = template()
        self.token = self.tokens["worker"]
        self.folder = folder
        self.database = Path(shutil.copy(made, folder / "site.sqlite3"))
        super().__init__(environment(self.database))
        self.start()

    def get(self, path: str) -> Any:
        """The body at an address below /api/v1."""
        return Connection(self.url, token=self.token, stop=Event()).get(path)

    def job(self, name: str) -> dict[str, Any] | None:
        """The body of a job by its name, if there is one."""
        found = self.get(f"/jobs?name={name}")["results"]
        return dict(found[0]) if found else None

    def items(self, job: dict[str, Any], *, status: str = "") -> list[dict[str, Any]]:
        """The items of the first phase of a job (200 at most)."""
        query = f"limit=200&status={status}" if status else "limit=200"
        return list(self.get(f"/jobs/{job['id']}/phases/{job['phases'][0]['code']}/items?{query}")["results"])

    def worker(self, folder: Path, *arguments: str, script: str = "image_worker.py") -> subprocess.Popen[str]:
        """Start an example worker; its lines are its stdout."""
        command = [sys.executable, f"examples/{script}", str(folder), *arguments]
        variables = {"PROGRESS_URL": self.url, "PROGRESS_TOKEN": self.token}
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """A site that is ended afterwards."""
    site = Site(folder)
    try:
        yield site
    finally:
        site.kill()


@contextmanager
def working(processes: Sequence[subprocess.Popen[str]]) -> Iterator[None]:
    """Kill whatever of these processes is left afterwards."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def lines_of(process: subprocess.Popen[str], *, seconds: float = SECONDS) -> str:
    """Everything that a process says until its end; its exit code must be 0."""
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, said
    return said


def terminate(process: subprocess.Popen[str]) -> None:
    """Ask a process to end."""
    process.send_signal(signal.SIGTERM)
