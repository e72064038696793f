"""The lean path as an ASGI application in this process, in front of a recorder or of the views."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs.api import token_cache
from jobs.ingest import LeanPath
from jobs.tracking.writer import Writer
from progress_site.asgi import handler, unavailable
from progress_site.threaded_handler import ThreadedHandler
from tests.jobs.races.concurrency import until

Message = dict[str, Any]


@dataclass
class Answer:
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, decoded."""
        return json.loads(self.body)


@dataclass
class Recorder:
    """An application behind the lean path that answers 418 and keeps the bodies that it gets."""

    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Record the body."""
        self.bodies.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Site:
    """The lean path, the requests that it passed on, and a client."""

    def __init__(self, handler: ThreadedHandler = handler) -> None:
        self.passed_on = Recorder()
        self.application = LeanPath(self.passed_on, headers=handler.common_headers, unavailable=unavailable)

    @property
    def writer(self) -> Writer:
        """The writer of this application."""
        return self.application._replies._writer

    def post(self, path: str, body: Any, *, secret: str, **options: Any) -> Answer:
        """Send one request."""
        return self.at_once(self.request(path, body, secret=secret, **options))[0]

    def at_once(self, *requests: tuple[Message, bytes]) -> list[Answer]:
        """Send requests together and return their answers."""

        async def together() -> list[Answer]:
            return list(await asyncio.gather(*(self._send(*request) for request in requests)))

        return asyncio.run(together())

    def request(
        self,
        path: str,
        body: Any,
        *,
        secret: str,
        method: str = "POST",
        query: bytes = b"",
        scheme: str = "http",
        **headers: str | None,
    ) -> tuple[Message, bytes]:
        """Return the scope and the body of a request below /api/v1."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given: dict[str, str | None] = {
            "host": "testserver",
            "content_type": "application/json",
            "content_length": str(len(raw)),
            "authorization": f"Bearer {secret}",
            **headers,
        }
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in given.items() if value is not None
        ]
        scope = {"type": "http", "method": method, "path": f"/api/v1{path}", "query_string": query, "headers": pairs}
        return {**scope, "scheme": scheme}, raw

    async def _send(self, scope: Message, raw: bytes) -> Answer:
        sent: list[Message] = []
        half = len(raw) // 2
        parts = [
            {"type": "http.request", "body": raw[:half], "more_body": True},
            {"type": "http.request", "body": raw[half:], "more_body": False},
        ]

        async def receive() -> Message:
            return parts.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, sent[1]["body"])


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    """Provide the lean path with a fresh cache; its writer has ended when the test is over."""
    token_cache.cache.forget()
    made = Site()
    yield made
    until(lambda: made.writer._thread is None)


@pytest.fixture(autouse=True)
def _writers_end_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.tracking.writer.IDLE_SECONDS", 0.02)
