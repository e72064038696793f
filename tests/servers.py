"""The real server as a process: over the database of the test run, or over one of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0
LISTENS = re.compile(rb"(?:listens|running) on http://([\d.]+):(\d+)")


def database_url() -> str:
    """Return the address of the database that this test run uses."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    who = f"{quote(database['USER'])}:{quote(database['PASSWORD'] or '')}"
    return f"postgres://{who}@{database['HOST'] or 'localhost'}:{database['PORT'] or 5432}/{database['NAME']}"


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`manage.py serve`, which can be ended and started again at the same address.

    It gets only the given environment. Its output goes to a file, so that it never waits for a reader; `said()`
    returns all of it.
    """

    program: tuple[str, ...] = ("manage.py", "serve")

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._arguments = arguments
        self._output = TemporaryFile()  # noqa: SIM115  as long as the server
        self.host, self.port = "127.0.0.1", 0
        self.process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """The host and port of the server."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://{self.address}"

    def start(self) -> None:
        """Start the server and wait until it listens; AssertionError with its output if it ended instead."""
        begin = self._output.seek(0, os.SEEK_END)
        command = [*self.program, "--port", str(self.port), *self._arguments]
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=self._environment, stdout=self._output, stderr=subprocess.STDOUT
        )
        until = time.monotonic() + PATIENCE
        while not (found := LISTENS.search(self._said(begin))):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, f"it did not listen in {PATIENCE} s: {self.said()}"
            time.sleep(0.02)
        self.host, self.port = found[1].decode(), int(found[2])

    def said(self) -> str:
        """The output so far."""
        return self._said(0).decode()

    def _said(self, begin: int) -> bytes:
        return os.pread(self._output.fileno(), 1 << 24, begin)

    def kill(self) -> None:
        """Kill the process, as in a crash."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        """Ask the server to end."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask the server to end; the test fails if it does not."""
        self.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def is_running(self) -> bool:
        """Return whether the process has neither been ended nor died."""
        return self.process.poll() is None


class Uvicorn(Server):
    """The same site by uvicorn, as deployments run it."""

    program = ("-m", "uvicorn", "progress_site.asgi:application", "--lifespan", "off")


def on_test_database(**more: str) -> dict[str, str]:
    """Return the environment of a process that works on the database of the test run."""
    return os.environ | {"DATABASE_URL": database_url(), "LOG_LEVEL": "WARNING", **more}


@contextmanager
def started(server: Server) -> Iterator[Server]:
    """Run a server until the end of the block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
