"""ASGI application of the websockets."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import structlog
from django.conf import settings
from django.db import Error as DatabaseFailure

from jobs.live import Session, SocketLimits, hub
from jobs.live.authorization import NOT_FOUND, Denied, WatchRequest, clean_project
from jobs.live.close_reasons import OVERLOADED, Closing
from jobs.live.close_reasons import denied as refused
from jobs.live.session import Receive, Send, authorize_in_thread, identify_in_thread

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT = 5.0


class JobSocket:
    """Websocket of the job, the project or the list in its address."""

    def __init__(self, limits: SocketLimits | None = None) -> None:
        self._limits = limits or SocketLimits()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one socket. It is accepted before it is refused, since browsers see only the close code of an open
        socket."""
        await receive()
        try:
            session = await self._authorize(scope, receive, send)
        except Denied as denied:
            await send({"type": "websocket.accept"})
            await _close(send, refused(denied.code, denied.reason))
            return
        try:
            await send({"type": "websocket.accept"})
            closing = await session.run()
        finally:
            session.leave()
        if closing is not None:
            await _close(send, closing)

    async def _authorize(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> Session:
        address = scope["url_route"]["kwargs"]
        try:
            if "project" in address:
                address = {"project": clean_project(address["project"])}
            caller = await identify_in_thread(
                ticket=ticket_of(scope), bearer=_bearer(scope), session_key=_session_key(scope)
            )
            request = WatchRequest(caller, **address)
            grant = await authorize_in_thread(request)
        except DatabaseFailure as failure:
            log.warning("live_authorization_failed", error=repr(failure))
            raise Denied(OVERLOADED.code) from failure
        return Session(hub(), grant, request=request, limits=self._limits, receive=receive, send=send)


async def unknown_address(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Close sockets at addresses without a channel."""
    await receive()
    await send({"type": "websocket.accept"})
    await _close(send, refused(NOT_FOUND))


def ticket_of(scope: MutableMapping[str, Any]) -> str | None:
    """Return the ticket in the address, None if there is none."""
    given = parse_qs(scope["query_string"].decode("latin1"), keep_blank_values=True)
    return given["ticket"][0] if "ticket" in given else None


def _bearer(scope: MutableMapping[str, Any]) -> str | None:
    """Return the token of the header Authorization, None without one. No page of a browser can send this header."""
    scheme, _, secret = dict(scope["headers"]).get(b"authorization", b"").decode("latin1").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _session_key(scope: MutableMapping[str, Any]) -> str | None:
    key: str | None = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
    return key


async def _close(send: Send, closing: Closing) -> None:
    """Send the reason and close. A timeout covers browsers that do not read or have left."""
    before = [{"type": "websocket.send", "text": closing.message}] if closing.hint else []
    for event in (*before, closing.frame):
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await send(event)
