"""Database connections across a fork: a forked child opens its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

OPEN_FILES = Path("/dev/fd")

_abandoned: list[Any] = []
_shared: list[str] = []


def check() -> None:
    """Raise RuntimeError in a child that inherited an open SQLite file.

    SQLite keeps the locks of a process in its memory. A forked child copies that memory, but does not own the locks:
    its writes are lost as soon as the parent closes the file.
    """
    if _shared:
        raise RuntimeError(
            f"{_shared[0]} was open when this process was forked from {os.getppid()}, so it cannot be used here."
            " Close it before the fork, in every thread that used it (`tracker.close()`, outside of transactions), or"
            " start the child with multiprocessing's spawn."
        )


def close_files() -> None:
    """Close the SQLite connection of this thread before it forks; the next query opens it again."""
    for wrapper in connections.all(initialized_only=True):
        if wrapper.vendor == "sqlite" and not wrapper.in_atomic_block:
            with suppress(SynchronousOnlyOperation):
                wrapper.close()


def abandon() -> None:
    """Drop the connections of the parent without a message to the server.

    A pool belongs to the process: another thread than the one that forks may have opened it.
    """
    for wrapper in connections.all():
        _abandon(wrapper)
        del connections[wrapper.alias]
    names = [str(settings["NAME"]) for settings in connections.settings.values() if "sqlite" in settings["ENGINE"]]
    _shared[:] = [name for name in names if _is_open(name)]


def _abandon(wrapper: BaseDatabaseWrapper) -> None:
    """Keep a connection and its pool from being closed by the garbage collector, and end its access to the socket."""
    _abandoned.append(wrapper)
    if wrapper.vendor != "postgresql":
        return
    pools: dict[str, Any] = getattr(wrapper, "_connection_pools", {})
    for alias in list(pools):
        pool = pools.pop(alias)
        # Its threads do not exist here, and a lock that one of them held is never released.
        pool._closed = True
        _abandoned.append(pool)
    if wrapper.connection is not None and not wrapper.connection.closed:
        _silence(wrapper.connection.fileno())


def _silence(socket: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, socket, inheritable=False)
    os.close(nothing)


def _is_open(name: str) -> bool:
    try:
        wanted = Path(name).stat()
    except OSError:
        return False
    return any(os.path.samestat(found, wanted) for found in _open_files())


def _open_files() -> Iterator[os.stat_result]:
    for file in OPEN_FILES.iterdir():
        with suppress(OSError):
            yield os.fstat(int(file.name))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=close_files, after_in_child=abandon)
