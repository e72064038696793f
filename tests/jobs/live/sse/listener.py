"""A listener at a real server, that reads server-sent events as they come."""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.jobs.live.server import LiveServer

SECONDS = 10.0


class Listener:
    """One stream below /api/v1."""

    def __init__(self, server: LiveServer, path: str, *, token: str = "", **headers: str) -> None:
        self._connection = http.client.HTTPConnection(server.address, timeout=SECONDS)
        who = {"Authorization": f"Bearer {token}"} if token else {}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"/api/v1{path}", headers={"Accept": "text/event-stream", **who, **given})
        self.response = self._connection.getresponse()

    def hear(self) -> dict[str, Any]:
        """The next message, its data decoded; comments are passed over. Empty when the stream has ended."""
        found: dict[str, Any] = {}
        while line := self.response.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name in ("id", "event", "data"):
                found[name] = json.loads(value) if name == "data" else value
            elif not name and found:
                return found
        return {}

    def problem(self) -> dict[str, Any]:
        """The body of an error."""
        body: dict[str, Any] = json.load(self.response)
        return body

    def leave(self) -> None:
        """Hang up."""
        self.response.close()
        self._connection.close()
