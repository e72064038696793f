"""ASGI middlewares for requests that come through a proxy: the address of the client, scheme, host and request id.

X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are read only if the connection comes from one of
TRUSTED_PROXIES. They are removed from every request, so nothing behind this can believe them by mistake.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from uuid import uuid4

import structlog
from django.conf import settings

from progress_site.asgi_middleware import Application, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)

Address = IPv4Address | IPv6Address
Headers = list[tuple[bytes, bytes]]

FOR, SCHEME, HOST, ID = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id"
FORWARDED = (FOR, SCHEME, HOST)
SCHEMES = {"http": {b"http": "http", b"https": "https"}, "websocket": {b"http": "ws", b"https": "wss"}}
SCHEMES["websocket"] |= {b"ws": "ws", b"wss": "wss"}
REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
STARTS = ("http.response.start", "websocket.accept")
MINUTE = 60


class Forwarded:
    """Client, scheme and host of a request, as a trusted proxy says."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request as it was sent to the proxy."""
        await self.application(forwarded(scope), receive, send)


class RequestId:
    """Id of each request: X-Request-ID of the proxy or of the client, or a new one. Every answer returns it."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request with its id. A text that could break a line of the log is replaced."""
        given = next((value for name, value in scope["headers"] if name == ID), b"")
        number = given if REQUEST_ID.fullmatch(given) else uuid4().hex.encode()
        headers = [*(pair for pair in scope["headers"] if pair[0] != ID), (ID, number)]

        async def send_with_id(message: Message) -> None:
            if message["type"] in STARTS:
                message = {**message, "headers": [*(message.get("headers") or ()), (ID, number)]}
            await send(message)

        await self.application({**scope, "headers": headers}, receive, send_with_id)


def forwarded(scope: Scope) -> Scope:
    """Return the request as its proxy received it; as it is, without the headers, if that is no trusted proxy.

    `untrusted_proxy` says that headers were ignored. `is_forwarded` says whether X-Forwarded-For, if there was one,
    named another client than the proxy itself.
    """
    kept = [(name, value) for name, value in scope["headers"] if name not in FORWARDED]
    if len(kept) == len(scope["headers"]):
        return scope
    peer = scope.get("client")
    if not is_trusted(address_of(peer[0]) if peer else None):
        _log_untrusted(str(peer and peer[0]), int(time.monotonic() / MINUTE))
        return {**scope, "headers": kept, "untrusted_proxy": True}
    said = {name: b",".join(value for each, value in scope["headers"] if each == name) for name in FORWARDED}
    client = _client(peer, said[FOR].decode("latin-1"))
    return {
        **scope,
        "client": client,
        "is_forwarded": client != peer if said[FOR] else None,
        "scheme": SCHEMES[scope["type"]].get(_first(said[SCHEME]).lower(), scope.get("scheme", "http")),
        "headers": _with_host(kept, _first(said[HOST])),
    }


def real_address(peer: Address | None, hops: str) -> Address | None:
    """Return the address of the client.

    The hops of X-Forwarded-For are read from their end up to the first that is not a trusted proxy: the client itself
    may have written everything before that.
    """
    address = peer
    for hop in reversed(hops.split(",")):
        further = address_of(hop)
        if further is None or not is_trusted(address):
            break
        address = further
    return address


def address_of(text: str) -> Address | None:
    """Return the address that a text has; the IPv4 address where it is written as one of IPv6."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_trusted(address: Address | None) -> bool:
    """Return whether this is one of TRUSTED_PROXIES. A Unix socket has no address, and only this machine reaches it."""
    networks = settings.TRUSTED_PROXIES
    return bool(networks) if address is None else any(address in network for network in networks)


def _client(peer: Sequence[object] | None, hops: str) -> Sequence[object] | None:
    before = address_of(str(peer[0])) if peer else None
    address = real_address(before, hops)
    return peer if address == before else (str(address), 0)


def _first(values: bytes) -> bytes:
    """Return what the outermost proxy said."""
    return values.partition(b",")[0].strip()


def _with_host(headers: Headers, host: bytes) -> Headers:
    return [(name, host if name == b"host" else value) for name, value in headers] if host else headers


@lru_cache(maxsize=256)
def _log_untrusted(peer: str, minute: int) -> None:
    log.warning(
        "proxy_not_trusted",
        peer=peer,
        effect="Its X-Forwarded headers are ignored.",
        remedy="If this is your proxy, add it to TRUSTED_PROXIES.",
    )
