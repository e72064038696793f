"""ASGI middlewares in front of Django: root path, and limits of headers and body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from django.conf import settings

from progress_site.rest.problems import CONTENT_TYPE, encoded, problem

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Daphne has the same limit of all headers; uvicorn has 64 KiB.
HEADER_BYTES = 16 * 1024
PARSED_HEADERS, PARSED_BYTES = (b"accept", b"content-type"), 2 * 1024


class RootPath:
    """Root path of the site: PATH_PREFIX, which a client cannot change. Daphne obeys its header Daphne-Root-Path.

    The application gets the path below the prefix, whether the proxy has removed the prefix or not. So the probes
    answer at both addresses. `below_prefix` makes the whole path for Django.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the path below the prefix."""
        path, prefix = scope["path"], settings.PATH_PREFIX
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path[len(prefix) :] or "/"
        await self.application({**scope, "path": path, "root_path": ""}, receive, send)


def below_prefix(scope: Scope) -> Scope:
    """Return the request as Django needs it, with the prefix in its path."""
    return {**scope, "path": settings.PATH_PREFIX + scope["path"]} if settings.PATH_PREFIX else scope


class HeaderLimit:
    """Limit of the headers: more than HEADER_BYTES in all, or PARSED_BYTES of a media type, is refused with 431.

    Django reads the parameters of a media type, and Python before 3.11.10 the backslashes of a cookie, in quadratic
    time: a cookie of 64 KiB took eight seconds. No cookie may have a backslash (RFC 6265), so such a cookie is removed.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 431, refuse the handshake of a websocket, or call the application."""
        headers = scope["headers"]
        if _are_short(headers):
            if any(b"\\" in value for name, value in headers if name == b"cookie"):
                scope = {**scope, "headers": [_without_backslashes(*header) for header in headers]}
            await self.application(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send, 431)
        else:
            await receive()
            await send({"type": "websocket.close"})


def _are_short(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    total = parsed = 0
    for name, value in headers:
        total += len(name) + len(value)
        if name in PARSED_HEADERS:
            parsed += len(value)
    return parsed <= PARSED_BYTES and total <= HEADER_BYTES


def _without_backslashes(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name == b"cookie":
        value = b";".join(cookie for cookie in value.split(b";") if b"\\" not in cookie)
    return name, value


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
            await _refuse(send, 413)
        else:
            await self.application(scope, receive, send)

    async def _buffered(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            await _refuse(send, 413)
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


async def _refuse(send: Send, status: int) -> None:
    body = encoded(problem(status))
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
