"""RabbitMQ in tests: a queue to read from, and a broker of one's own that may be killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika

EXCHANGE = "progress.events"
# Debian keeps the script that needs no account of its own here.
SERVER = shutil.which("rabbitmq-server", path=os.pathsep.join(["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"]))
PATIENCE = 90.0
STARTS = 3


class Queue:
    """A durable quorum queue of its own, bound to the exchange of events."""

    def __init__(self, url: str, *, binding: str = "#", exchange: str = EXCHANGE) -> None:
        self.name = f"test.{uuid4().hex}"
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.exchange_declare(exchange, "topic", durable=True)
        self._channel.queue_declare(self.name, durable=True, arguments={"x-queue-type": "quorum"})
        self._channel.queue_bind(self.name, exchange, binding)

    def take(self) -> list[tuple[str, Any, dict[str, Any]]]:
        """Return the routing key, properties and body of each message."""
        found = []
        while True:
            method, properties, body = self._channel.basic_get(self.name, auto_ack=True)
            if method is None:
                return found
            found.append((method.routing_key, properties, json.loads(body)))

    def remove(self, *, exchange: str = "") -> None:
        """Delete it, and the exchange if it is one of its own."""
        self._channel.queue_delete(self.name)
        if exchange:
            self._channel.exchange_delete(exchange)
        self._connection.close()

    def leave(self) -> None:
        """Forget the connection; the queue stays."""
        if self._connection.is_open:
            self._connection.close()


class Broker:
    """A RabbitMQ server of the test's own, in a folder, that can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [lasting_port(), lasting_port()]
        self._shell: subprocess.Popen[bytes] | None = None
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self._ports[0]}\n")
        self._environment = os.environ | {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"test{self._ports[0]}@localhost",
            "RABBITMQ_DIST_PORT": str(self._ports[1]),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(folder / "db"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-setcookie test",
        }

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._ports[0]}/"

    def start(self) -> None:
        """Start it and wait until it takes connections. It may end at once, for instance beside another that starts."""
        assert SERVER
        for _ in range(STARTS):
            shell = self._begin(SERVER)
            wait_until(lambda: self._answers() or shell.poll() is not None)  # noqa: B023  called in this round
            if shell.poll() is None:
                return
        raise AssertionError(f"RabbitMQ does not start: {(self._folder / 'out').read_text()[-3000:]}")

    def _begin(self, server: str) -> subprocess.Popen[bytes]:
        with (self._folder / "out").open("ab") as out:
            self._shell = subprocess.Popen(
                [server],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return self._shell

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it at once, or with SIGTERM in good order, and wait until it is gone."""
        assert self._shell
        os.killpg(self._shell.pid, number)
        self._shell.wait(timeout=PATIENCE)
        wait_until(lambda: not self._listens())

    def _answers(self) -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except Exception:
            return False
        return True

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self._ports[0])) == 0


def lasting_port() -> int:
    """Return a free port below those of outgoing connections: it stays free while the server is away."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


def wait_until(ready: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait until this is so; the test fails if it takes too long."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"not so within {seconds} s"
        time.sleep(0.05)
