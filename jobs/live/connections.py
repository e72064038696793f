"""Open sockets and streams of an event loop, and the accounts that they belong to.

One check for all of them runs every RECHECK_SECONDS, with a constant number of queries: a right, a session or a token
that was lost closes what was opened with it. An account has a limited number of them, since each one costs memory.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.conf import settings

from jobs.live.authorization import Denied, Grant, WatchRequest, recheck
from jobs.live.background import repeat
from jobs.live.close_reasons import OVERLOADED, Closing, denied, too_many

RECHECK_SECONDS = 2.0

_recheck = database_sync_to_async(recheck, thread_sensitive=False)


class Connection:
    """One open socket or stream: its grant of now, and the reason to close it, if any. Its owner looks at both."""

    __slots__ = ("account", "closing", "grant", "request")

    def __init__(self, request: WatchRequest, grant: Grant) -> None:
        self.request = request
        self.account = grant.account
        self.grant = grant
        self.closing: Closing | None = None


class Connections:
    """The open connections, the oldest of each account first. Belongs to one event loop."""

    def __init__(self) -> None:
        self._open: dict[int, dict[Connection, None]] = defaultdict(dict)
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, connection: Connection) -> None:
        """Register a connection; the oldest of its account must close if there are too many."""
        of_account = self._open[connection.account]
        of_account[connection] = None
        staying = [each for each in of_account if each.closing is None]
        if len(staying) > settings.LIVE_CONNECTIONS_PER_ACCOUNT:
            staying[0].closing = too_many(most=settings.LIVE_CONNECTIONS_PER_ACCOUNT)
        self._some.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(repeat(self._check))

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        of_account = self._open[connection.account]
        of_account.pop(connection, None)
        if not of_account:
            del self._open[connection.account]

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    async def _check(self) -> None:
        """Check the accounts of all connections after a pause; without connections, wait for one."""
        await self._some.wait()
        await asyncio.sleep(RECHECK_SECONDS)
        connections = [connection for of_account in self._open.values() for connection in of_account]
        if not connections:
            self._some.clear()
            return
        verdicts = await _recheck([connection.request for connection in connections])
        for connection in connections:
            verdict = verdicts.get(connection.request)
            if isinstance(verdict, Grant):
                connection.grant = verdict
            elif connection.closing is None:
                connection.closing = denied(verdict.code) if isinstance(verdict, Denied) else OVERLOADED


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, Connections] = WeakKeyDictionary()


def connections() -> Connections:
    """Return the connections of the running event loop."""
    return _connections.setdefault(asyncio.get_running_loop(), Connections())


def open_connections() -> int:
    """Return the number of open sockets and streams of this process."""
    return sum(map(len, _connections.values()))
