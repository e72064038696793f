"""Site of a measurement: a temporary SQLite file and `manage.py serve` over it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30
STOP_SECONDS = 20
OWN = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "ENV_FILE": "",
    "SECRET_KEY": "a-key-of-the-benchmarks-0123456789",
}
FOREIGN = ("REDIS_URL", "DEBUG", "ALLOWED_HOSTS", "HTTPS", "LOG_LEVEL")


class Site:
    """One database with its server."""

    def __init__(self, folder: Path, *, name: str, order: dict[str, Any]) -> None:
        self.log = folder / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        self.environment = {**inherited, **OWN, "DATABASE_URL": f"sqlite:///{folder / name}.sqlite3"}
        made = self.run("benchmarks.seed", json.dumps(order))
        self.session: str = made["session"]
        self.ids: dict[str, int] = made["ids"]
        self.bearer = {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/json"}
        self.port = free_port()

    def run(self, module: str, *arguments: str, order: Any = None) -> Any:
        """Run a module of the benchmarks over this database; return its output, parsed as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.environment,
            input=json.dumps(order),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the server within the context."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            server = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        try:
            self._wait_for(server)
            yield
        finally:
            server.terminate()
            server.wait(timeout=STOP_SECONDS)

    def load(self, path: str, *, method: str = "POST", bodies: Sequence[str] = ("",), lanes: int = 1) -> dict[str, Any]:
        """Send these bodies over a number of connections and return the measurements; every answer must be a 200."""
        order = {
            "port": self.port,
            "method": method,
            "path": path,
            "headers": self.bearer if method == "POST" or path.startswith("/api/") else self.cookie,
            "bodies": list(bodies),
            "connections": lanes,
        }
        answer: dict[str, Any] = self.run("benchmarks.load", order=order)
        if set(answer["statuses"]) != {"200"}:
            raise RuntimeError(f"{method} {path} was answered with {answer['statuses']}:\n{self.complaints()}")
        return answer

    def complaints(self) -> str:
        """Return the errors in the server's log."""
        lines = self.log.read_text().splitlines()
        return "\n".join([line for line in lines if '"error"' in line] or lines[-20:])

    @property
    def cookie(self) -> dict[str, str]:
        """Header of a signed-in browser."""
        return {"Cookie": f"sessionid={self.session}"}

    def _wait_for(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_listening(self.port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server does not come up:\n{self.complaints()}")
            time.sleep(0.05)


def is_listening(port: int) -> bool:
    """Does a server listen on this port?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
