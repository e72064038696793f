"""The real server over the database of the test run, for browsers and workers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect

from benchmarks import process_usage
from tests.servers import Server, on_test_database, started


class LiveServer(Server):
    """A running server and the requests of browsers and workers."""

    def watch(self, path: str, *, session_key: str, **options: Any) -> connect:
        """Open a websocket as a browser with a page of this server."""
        headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_key}"}
        given = {"origin": f"http://{self.address}", "max_size": None, **options}
        return connect(f"ws://{self.address}{path}", additional_headers=headers, **given)

    def post(self, path: str, body: Any, *, token: str) -> Any:
        """Call it as a worker."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = Request(f"http://{self.address}/api/v1{path}", json.dumps(body).encode(), headers)
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def deaf(self, path: str, *, session_key: str) -> socket.socket:
        """Open a websocket that is never read."""
        deaf = socket.create_connection((self.host, self.port))
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

    def processor_seconds(self) -> float:
        """Return the processor time that it has used."""
        return process_usage.processor_seconds(self.process.pid)

    def mebibytes(self) -> float:
        """Return the memory that it uses."""
        return process_usage.mebibytes(self.process.pid)


@contextmanager
def serving(**environment: str) -> Iterator[LiveServer]:
    """Run a server until the end of the block; it must end by itself on a signal."""
    server = LiveServer(on_test_database(**environment))
    with started(server):
        yield server


async def hear(browser: ClientConnection, *, acknowledge: bool = True) -> dict[str, Any]:
    """Return the next snapshot or job, acknowledged."""
    while True:
        async with asyncio.timeout(10):
            message: dict[str, Any] = json.loads(await browser.recv())
        job = message.get("job") or {}
        if acknowledge and message["type"] in ("snapshot", "job"):
            about = {"id": job["id"], "revision": job["revision"]} if job else {}
            await browser.send(json.dumps({"type": "ack", **about}))
        if message["type"] != "ping":
            return message
