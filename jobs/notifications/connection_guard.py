"""A guard of the connections that a library opens for a message.

Apprise resolves hosts itself, some of its plugins look up further hosts, and an answer may redirect. So the check is
made where Python connects: an audit hook sees the address of each connection and refuses those that the policy of
webhooks refuses. It also refuses the start of programs. It acts only inside `guarded`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from jobs.outbox.url_policy import is_allowed

CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")
PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty")
_refusals: ContextVar[list[str] | None] = ContextVar("refusals_of_connections", default=None)


class ConnectionRefused(OSError):
    """The policy does not allow this connection."""


@contextmanager
def guarded() -> Iterator[list[str]]:
    """Refuse connections to addresses that are not allowed; yield the list of the refusals' sentences.

    Libraries swallow the exception of a refusal; the list tells its reason.
    """
    _install()
    refusals: list[str] = []
    token = _refusals.set(refusals)
    try:
        yield refusals
    finally:
        _refusals.reset(token)


@cache
def _install() -> None:
    """Install the hook when the first message is sent; Python cannot remove it."""
    sys.addaudithook(_check)


def _check(event: str, args: tuple[Any, ...]) -> None:
    if event not in CONNECTIONS and event not in PROGRAMS:
        return
    refusals = _refusals.get()
    if refusals is None:
        return
    refusal = _refusal(event, args)
    if refusal:
        refusals.append(refusal)
        raise ConnectionRefused(refusal)


def _refusal(event: str, args: tuple[Any, ...]) -> str:
    """Say why this is not allowed; empty where it is."""
    if event in PROGRAMS:
        return "This address would start a program on the server."
    address = args[1] if len(args) > 1 else None
    if address is None:  # sendto and sendmsg on a socket that was connected, and checked then
        return ""
    if not isinstance(address, tuple):
        return "This address would reach a local socket of the server."
    host = str(address[0])
    return "" if is_allowed(host) else f"The address {host} is not public."
