"""Helpers for tests of the client: counts, worker processes, and a network that can be cut."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.examples.site import ROOT, Site

PACKAGE = ROOT / "client"
CHUNK = 1 << 16


def phase_of(site: Site, name: str) -> dict[str, Any]:
    """The first phase of a job, as the server has it now."""
    job = site.job(name)
    assert job is not None
    phase: dict[str, Any] = job["phases"][0]
    return phase


def counts(site: Site, name: str) -> tuple[int, int, int, int]:
    """done, failed, processing and pending of the first phase."""
    phase = phase_of(site, name)
    return phase["done"], phase["failed"], phase["processing"], phase["pending"]


def environment(url: str, secret: str, *, journal: Path) -> dict[str, str]:
    """Build the environment of a worker process."""
    own = {"PROGRESS_URL": url, "PROGRESS_TOKEN": secret, "PROGRESS_JOURNAL": str(journal), "PYTHONPATH": str(PACKAGE)}
    return {**os.environ, **own}


def worker(
    site: Site, *arguments: str, journal: Path, url: str = "", script: str = "tests/client/worker.py"
) -> subprocess.Popen[str]:
    """A process that works; what it has done are its lines."""
    return subprocess.Popen(
        [sys.executable, script, *arguments],
        cwd=ROOT,
        env=environment(url or site.url, site.token, journal=journal),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


def written_down(folder: Path) -> int:
    """Count the outcomes in the journals of a folder."""
    return sum(path.read_bytes().count(b'{"n":') for path in folder.glob("*.jsonl"))


def hear_interrupts() -> None:
    """As on a terminal: a shell hides Ctrl-C from what it has started in the background, and nohup SIGHUP."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Proxy:
    """A network between a worker and its server.

    `mode` is `pass`; `cut` (no server answers, and open connections are closed); `deaf` (only requests pass);
    `half` (the server's side is closed after its first bytes). `delay` holds every answer up.
    """

    def __init__(self, port: int) -> None:
        self.mode, self.delay = "pass", 0.0
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut the network from now on."""
        self.mode = "cut"
        for side in list(self._open):
            _close(side)

    def close(self) -> None:
        """End it."""
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.mode == "cut":
                    _close(near)
                    continue
                far = socket.create_connection(self._to)
                self._open |= {near, far}
                for pump in (self._requests, self._answers):
                    threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _requests(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while content := near.recv(CHUNK):
                far.sendall(content)
        _close(far)

    def _answers(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while content := far.recv(CHUNK):
                time.sleep(self.delay)
                if self.mode == "deaf":
                    break
                near.sendall(content[:40] if self.mode == "half" else content)
                if self.mode == "half":
                    break
        _close(near)


@contextmanager
def network(site: Site) -> Iterator[Proxy]:
    """A network of one's own."""
    proxy = Proxy(site.port)
    try:
        yield proxy
    finally:
        proxy.close()


def _close(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
