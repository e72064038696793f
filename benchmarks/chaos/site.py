"""The processes of a run: servers behind proxies, watchdog, deliverer and workers, each of which may be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.chaos.database import Database
from benchmarks.chaos.proxy import Proxy
from benchmarks.site import FOREIGN, OWN, ROOT, free_port, is_listening

START_SECONDS = 60
STOP_SECONDS = 30
WORKERS = 3
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.chaos.settings",
    "ITEM_LEASE_SECONDS": "5",
    "WATCHDOG_INTERVAL": "1",
    "LOG_LEVEL": "WARNING",
}


class Member:
    """A process that is started again after it was killed."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.kills = name, 0
        self._command, self._environment, self._log = list(command), dict(environment), log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start the process."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill the process as a crash does, and start it again."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self.kills += 1
        self.start()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process:
            self._process.terminate()

    def ended(self) -> bool:
        """Wait for the end of the process; False if it had to be killed."""
        if self._process is None:
            return True
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True


class Site:
    """One database with the processes over it."""

    def __init__(self, folder: Path, database: Database, *, seed: int, failing: float) -> None:
        self.folder, self.database, self.seed = folder, database, seed
        kept = {name: value for name, value in os.environ.items() if name not in (*FOREIGN, "AMQP_URL")}
        services = {name: os.environ[name] for name in ("REDIS_URL", "AMQP_URL") if os.environ.get(name)}
        if database.is_sqlite:
            services = {}
        self.environment = {**kept, **OWN, **SETTINGS, **services, "DATABASE_URL": database.url}
        self.amqp_url = services.get("AMQP_URL", "")
        self._failing = failing
        self._ports = [free_port() for _ in range(1 if database.is_sqlite else 2)]
        self.proxies: list[Proxy] = []
        self.servers = [self._manage(f"serve-{n}", "serve", "--port", str(port)) for n, port in enumerate(self._ports)]
        self.helpers = [self._manage("watchdog", "watchdog"), self._manage("deliver", "deliver")]
        self.workers: list[Member] = []
        self.tokens: dict[str, Any] = {}

    def ledger(self, step: str, order: Any) -> Any:
        """Run a step of the ledger and return its answer."""
        given = self.folder / f"{step}.json"
        given.write_text(json.dumps(order))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.chaos.ledger", step, str(given)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout)

    def start(self) -> None:
        """Start the servers and their helpers."""
        for member in [*self.servers, *self.helpers]:
            member.start()
        self.wait_for_servers()
        self.proxies = [Proxy(port) for port in self._ports]

    def start_workers(self) -> None:
        """Start the workers, each at one of the servers."""
        self.workers = [self._member(f"worker-{n}", self._worker(n)) for n in range(WORKERS)]
        for worker in self.workers:
            worker.start()

    def wait_for_servers(self) -> None:
        """Wait until every server listens."""
        end = time.monotonic() + START_SECONDS
        for port in self._ports:
            while not is_listening(port):
                if time.monotonic() > end:
                    raise RuntimeError(f"The server does not come up:\n{self.log.read_text()[-4000:]}")
                time.sleep(0.05)

    def stop(self, members: Sequence[Member]) -> list[str]:
        """Stop these processes; return the names of those that had to be killed."""
        for member in members:
            member.terminate()
        return [member.name for member in members if not member.ended()]

    def flush_workers(self) -> list[list[Any]]:
        """Send what the journals of killed workers hold; return the refused outcomes."""
        refused: list[list[Any]] = []
        for number in range(WORKERS):
            done = subprocess.run(
                self._worker(number, flush=True), cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, check=False
            )
            if done.returncode:
                raise RuntimeError(f"The journal of worker {number} is not empty.")
            refused += json.loads(done.stdout)
        return refused

    def notes(self) -> list[dict[str, Any]]:
        """Return the outcomes that the clients have taken. The last line of a killed worker may be cut."""
        lines = [line for path in self.folder.glob("notes-*") for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines if line.endswith("}")]

    def api(self, number: int = 0) -> httpx.Client:
        """Return a client with the token of a lead, through the proxy of a server."""
        port = self.proxies[number % len(self.proxies)].port
        headers = {"Authorization": f"Bearer {self.tokens['lead']}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=15)

    @property
    def log(self) -> Path:
        """The log of all processes."""
        return self.folder / "processes.log"

    def _manage(self, name: str, *arguments: str) -> Member:
        return self._member(name, [sys.executable, "manage.py", *arguments])

    def _member(self, name: str, command: Sequence[str]) -> Member:
        return Member(name, command, self.environment, self.log)

    def _worker(self, number: int, *, flush: bool = False) -> list[str]:
        order = {
            "url": f"http://127.0.0.1:{self.proxies[number % len(self.proxies)].port}",
            "token": self.tokens["worker"],
            "name": f"worker-{number}",
            "journal": str(self.folder / f"journal-{number}"),
            "notes": str(self.folder / f"notes-{number}"),
            "seed": f"{self.seed}/{number}",
            "failing": self._failing,
            "flush": flush,
        }
        return [sys.executable, "-m", "benchmarks.chaos.worker", json.dumps(order)]
