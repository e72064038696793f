"""ASGI middlewares in front of Django: root path, and limit of the body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

from progress_site.rest.problems import CONTENT_TYPE, encoded, problem

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class RootPath:
    """Root path of the site, which a client cannot change: Daphne obeys its header Daphne-Root-Path."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the path as it was requested."""
        await self.application({**scope, "root_path": ""}, receive, send)


class BodyLimit:
    """Limit of the body: more than DATA_UPLOAD_MAX_MEMORY_SIZE is refused with 413. A chunked body gets its length."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or call the application."""
        length = dict(scope["headers"]).get(b"content-length")
        if length is None and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            await self._buffered(scope, receive, send)
        elif length is not None and not _fits(length):
            await _refuse(send)
        else:
            await self.application(scope, receive, send)

    async def _buffered(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            await _refuse(send)
            return
        headers = [*scope["headers"], (b"content-length", b"%d" % len(body))]
        await self.application({**scope, "headers": headers}, _Replay(body, receive), send)


class _Replay:
    def __init__(self, body: bytes, receive: Receive) -> None:
        self.messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self.receive = receive

    async def __call__(self) -> Message:
        return self.messages.pop() if self.messages else await self.receive()


def _fits(length: bytes) -> bool:
    return length.isdigit() and int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE


async def _read(receive: Receive) -> bytes | None:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return None
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _refuse(send: Send) -> None:
    body = encoded(problem(413))
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
