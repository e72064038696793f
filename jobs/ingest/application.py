"""The ASGI application of the lean path, in front of the one that serves everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from logging import DEBUG, getLogger
from typing import Any

import msgspec
from django.db import connection

from jobs.api import token_cache
from jobs.api.base import version_of
from jobs.api.json_bodies import ordinary
from jobs.api.request_decoding import converted
from jobs.api.token_cache import Caller
from jobs.api.worker_calls import Target
from jobs.change import Actor
from jobs.ingest.replies import Reply, ReplyQueue
from jobs.ingest.request import Address, Headers, OrdinaryHeaders, address_of, secret_of
from jobs.rules.errors import Refused
from jobs.tracking.calls import Call

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Pairs = list[tuple[bytes, bytes]]

PERMISSION = "report_job"
LOADERS = 2
REQUEST_LOG = "django_structlog.middlewares.request"


class LeanPath:
    """Answer calls of workers; let `rest` serve everything else.

    `headers` returns the headers that the middlewares give to every answer over HTTP or HTTPS. `unavailable` makes the
    answer where the database fails. Under LOG_LEVEL=DEBUG nothing is answered here, so that each request has its line
    in the log.
    """

    def __init__(
        self,
        rest: Application,
        *,
        headers: Callable[[bool], Pairs],
        unavailable: Callable[[Exception], Reply],
    ) -> None:
        self.rest = rest
        self._headers = {secure: headers(secure) for secure in (False, True)}
        self._ordinary = OrdinaryHeaders()
        self._replies = ReplyQueue(unavailable)
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="token")
        self._loading: dict[str, asyncio.Future[Caller | None]] = {}
        self._is_off = getLogger(REQUEST_LOG).isEnabledFor(DEBUG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on with its body."""
        address = None if self._is_off else address_of(scope)
        headers = self._ordinary.read(scope) if address else None
        caller = await self._caller(headers) if headers else None
        if address is None or headers is None or caller is None:
            await self.rest(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:  # the client has left
            return
        call = _decoded(address, body, caller, headers)
        reply = await self._replies.ask(address.kind, call, size=len(body)) if call else None
        if reply is None:
            await self.rest(scope, _Replay(body, receive), send)
            return
        own = [
            *self._headers[scope.get("scheme") == "https"],
            *reply.headers,
            (b"Content-Length", b"%d" % len(reply.body)),
        ]
        await send({"type": "http.response.start", "status": reply.status, "headers": own})
        await send({"type": "http.response.body", "body": reply.body})

    async def _caller(self, headers: Headers) -> Caller | None:
        """Return the caller with this token, None where it is unknown or may not report."""
        secret = secret_of(headers)
        caller = token_cache.cache.get(secret) if secret else None
        if secret and caller is None:
            caller = await self._load(secret)
        return caller if caller and caller.access.may(PERMISSION) else None

    async def _load(self, secret: str) -> Caller | None:
        """Read a token in a thread; once for all requests that wait for it."""
        loading = self._loading.get(secret)
        if loading is None:
            loading = asyncio.get_running_loop().run_in_executor(self._loaders, _load, secret)
            self._loading[secret] = loading
            loading.add_done_callback(lambda _: self._loading.pop(secret, None))
        return await asyncio.shield(loading)


def _load(secret: str) -> Caller | None:
    """Read a token; None also where the database fails, which the view answers."""
    try:
        return token_cache.cache.load(secret)
    except Exception:
        connection.close()
        return None
    finally:
        connection.close_if_unusable_or_obsolete()


def _decoded(address: Address, raw: bytes, caller: Caller, headers: Headers) -> Call | None:
    """Return the call, None where the view must decide or refuse."""
    body = ordinary(raw)
    if body is None:
        return None
    kind = address.kind
    try:
        given: Any = converted(body, kind.input)
        version = getattr(given, "version", "") or version_of(headers.get(b"user-agent", b"").decode("latin-1"))
        by = Actor(account=caller.account, name=kind.worker(given), version=version)
        return kind.call(given, Target(by, caller.access, address.job_id, address.code))
    except (Refused, msgspec.ValidationError):
        return None


class _Replay:
    """A body that was read already, in front of everything that comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop() if self._messages else await self._receive()


async def _read(receive: Receive) -> bytes | None:
    """Read the body, whose length was checked; None where the client has left."""
    message = await receive()
    chunks: list[bytes] = []
    while message["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()
    return None
