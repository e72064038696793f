"""Site of a measurement: a temporary database, and `manage.py serve` or uvicorn over it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import process_usage

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 20
OWN = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    "ENV_FILE": "",
    "SECRET_KEY": "a-key-of-the-benchmarks-0123456789",
}
FOREIGN = ("REDIS_URL", "DEBUG", "ALLOWED_HOSTS", "HTTPS", "LOG_LEVEL")


def serve(port: int, application: str, processes: int) -> list[str]:
    """Return the command of the embedded server; of Daphne alone for another application than the site."""
    if application == SITE:
        return [sys.executable, "manage.py", "serve", "--port", str(port)]
    return [sys.executable, "-m", "daphne", "-v", "0", "-p", str(port), application]


def uvicorn(port: int, application: str, processes: int) -> list[str]:
    """Return the command of uvicorn."""
    options = ["--port", str(port), "--log-level", "warning", "--no-access-log", "--workers", str(processes)]
    return [sys.executable, "-m", "uvicorn", *options, application]


SITE = "progress_site.asgi:application"
BASELINES = "benchmarks.baselines:application"
SERVERS: dict[str, Callable[[int, str, int], list[str]]] = {"serve": serve, "uvicorn": uvicorn}


class Site:
    """One database with its server: a file of SQLite, or `postgres`, the address of an empty PostgreSQL database."""

    def __init__(self, folder: Path, *, name: str, order: dict[str, Any], postgres: str = "") -> None:
        self.log = folder / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        database = postgres or f"sqlite:///{folder / name}.sqlite3"
        self.environment = {**inherited, **OWN, "DATABASE_URL": database}
        made = self.run("benchmarks.seed", json.dumps(order))
        self.session: str = made["session"]
        self.ids: dict[str, int] = made["ids"]
        self.bearer = {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/json"}
        self.port = free_port()
        self.process: subprocess.Popen[bytes]

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
    def serving(self, server: str = "serve", *, processes: int = 1) -> Iterator[None]:
        """Run a server within the context."""
        self.port = free_port()
        command = SERVERS[server](self.port, SITE, processes)
        with running(command, port=self.port, environment=self.environment, log=self.log) as self.process:
            yield

    def load(
        self,
        path: str | Sequence[str],
        *,
        method: str = "POST",
        bodies: Sequence[str] = ("",),
        lanes: int = 1,
        port: int = 0,
    ) -> dict[str, Any]:
        """Send these bodies over a number of connections and return the measurements; every answer must be a 200.

        With several paths each body has its own. `port` is that of another server, such as the baselines.
        """
        paths = [path] if isinstance(path, str) else list(path)
        order = {
            "port": port or self.port,
            "method": method,
            "paths": paths,
            "headers": self.bearer if method == "POST" or paths[0].startswith("/api/") else self.cookie,
            "bodies": list(bodies),
            "connections": lanes,
        }
        answer: dict[str, Any] = self.run("benchmarks.load", order=order)
        if set(answer["statuses"]) != {"200"}:
            raise RuntimeError(f"{method} {paths[0]} was answered with {answer['statuses']}:\n{self.complaints()}")
        return answer

    def processor_seconds(self) -> float:
        """Return the processor time that the server has used."""
        return process_usage.processor_seconds(self.process.pid)

    def mebibytes(self) -> float:
        """Return the memory that the server uses."""
        return process_usage.mebibytes(self.process.pid)

    def complaints(self) -> str:
        """Return the errors in the server's log."""
        lines = self.log.read_text().splitlines()
        return "\n".join([line for line in lines if '"error"' in line] or lines[-20:])

    @property
    def cookie(self) -> dict[str, str]:
        """Header of a signed-in browser."""
        return {"Cookie": f"sessionid={self.session}"}


@contextmanager
def running(
    command: Sequence[str], *, port: int, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server within the context, once it listens."""
    with log.open("ab") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_listening(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server does not come up:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield server
    finally:
        server.terminate()
        server.wait(timeout=STOP_SECONDS)


@contextmanager
def baselines(server: str, folder: Path) -> Iterator[int]:
    """Run the baselines under a server within the context; return its port."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    command = SERVERS[server](port, BASELINES, 1)
    with running(command, port=port, environment=environment, log=folder / "baselines.log"):
        yield port


def is_listening(port: int) -> bool:
    """Does a server listen on this port?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
