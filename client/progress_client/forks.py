"""Fork handling: files, sockets and objects that a forked child must not share with its parent."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol
from weakref import WeakSet

from progress_client.errors import ProgressError


class Renewable(Protocol):
    """An object that can reset itself in a forked child."""

    def _after_fork(self) -> None:
        """Replace locks, threads, connections and files, and drop the parent's leases."""


class Unpicklable:
    """An object of one process; pickling it raises ProgressError with the advice `instead`."""

    instead = "create a Client there: Client(url, token=…)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise ProgressError(f"A {type(self).__name__} cannot be sent to another process; {self.instead}.")


_renewables: WeakSet[Renewable] = WeakSet()
_files: set[int] = set()
# Leased while a file is opened or closed, and by the thread that forks: the child knows every file that it inherits.
_lock = threading.RLock()


def renew(thing: Renewable) -> None:
    """Call `thing._after_fork()` in every forked child, for as long as the object lives."""
    _renewables.add(thing)


def open_file(path: Path, flags: int) -> int:
    """Open a file that forked children close at once: they must not share its lock."""
    with _lock:
        file = os.open(path, flags, 0o600)
        _files.add(file)
        return file


def close_file(file: int) -> None:
    """Close a file of `open_file`."""
    with _lock:
        _files.discard(file)
        os.close(file)


def silence(inherited: socket.socket) -> None:
    """Detach an inherited socket without closing the parent's connection to the server."""
    if inherited.fileno() < 0:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        # The descriptor number stays in use, so a stale reference to it cannot reach a later connection.
        os.dup2(nothing, inherited.fileno(), inheritable=False)
    finally:
        os.close(nothing)


def check(process: int, what: str, *, instead: str) -> None:
    """Raise ProgressError unless this process is the one in which `what` happened."""
    if process != os.getpid():
        raise ProgressError(f"{what} in process {process} and this is another one, forked from it; {instead}.")


def at_child_exit(call: Callable[[], None]) -> Callable[[], None]:
    """Run `call` when this `multiprocessing` child ends, because such a child skips `atexit`.

    Return a function that cancels it. In other processes this does nothing.
    """
    multiprocessing = sys.modules.get("multiprocessing")
    util = sys.modules.get("multiprocessing.util")
    if multiprocessing is None or util is None or multiprocessing.parent_process() is None:
        return _nothing
    finalizer = util.Finalize(None, call, exitpriority=10)
    return lambda: finalizer.cancel() if finalizer.still_active() else None


def _nothing() -> None:
    pass


def _begin_child() -> None:
    _lock.release()
    for file in _files:
        with suppress(OSError):
            os.close(file)
    _files.clear()
    for thing in list(_renewables):
        thing._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_begin_child)
