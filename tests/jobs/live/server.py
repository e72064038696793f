"""The real server in a process of its own, over the database of the test run."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parents[3]


class Server:
    """Where it listens, and what one can ask of it."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address

    def watch(self, path: str, *, session_key: str, **options: Any) -> connect:
        """A websocket of a browser that shows a page of this server."""
        headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_key}"}
        given = {"origin": f"http://{self.address}", "max_size": None, **options}
        return connect(f"ws://{self.address}{path}", additional_headers=headers, **given)

    def post(self, path: str, body: Any, *, token: str) -> Any:
        """A worker's call."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = Request(f"http://{self.address}/api/v1{path}", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def deaf(self, path: str, *, session_key: str) -> socket.socket:
        """A browser that opens a websocket and never reads from it."""
        host, _, port = self.address.partition(":")
        deaf = socket.create_connection((host, int(port)))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {self.address}",
            f"Origin: http://{self.address}",
            f"Cookie: {settings.SESSION_COOKIE_NAME}={session_key}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        deaf.sendall("\r\n".join([*lines, "", ""]).encode())
        return deaf

    def mebibytes(self) -> float:
        """What it holds in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@contextmanager
def serving(**environment: str) -> Iterator[Server]:
    """A server until the end of the block; it has to end by itself when told to."""
    given = {"DATABASE_URL": database_url(), "LOG_LEVEL": "WARNING", **environment}
    command = [sys.executable, "manage.py", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://([\d.:]+)/", said)
        assert found, said or process.communicate()
        yield Server(process, found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def database_url() -> str:
    """The address of the database that this test run uses."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    where = f"{given['HOST'] or 'localhost'}:{given['PORT'] or 5432}"
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{where}/{given['NAME']}"


async def hear(browser: ClientConnection, *, acknowledge: bool = True) -> dict[str, Any]:
    """The next snapshot or job, acknowledged."""
    while True:
        async with asyncio.timeout(10):
            message: dict[str, Any] = json.loads(await browser.recv())
        job = message.get("job") or {}
        if acknowledge and message["type"] in ("snapshot", "job"):
            about = {"id": job["id"], "revision": job["revision"]} if job else {}
            await browser.send(json.dumps({"type": "ack", **about}))
        if message["type"] != "ping":
            return message
