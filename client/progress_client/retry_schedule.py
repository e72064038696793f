"""When outcomes may be tried again: each address by itself, and the server as a whole. Pure: the clock is given.

One address that brings trouble (a locked job, a route that a proxy does not know) must not hold up the others, so it
rests alone. Failures in a row, of whatever addresses, mean that the server is away: then all of them rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from progress_client import backoff
from progress_client.buffer import Address

TOO_MANY_REQUESTS = 429


@dataclass
class _Rest:
    """Failed tries in a row; not before `asked_until` (the server's wish), not before `until` (ours)."""

    began: float = 0.0
    tries: int = 0
    until: float = 0.0
    asked_until: float = 0.0
    is_unanswered: bool = False

    def failed(self, *, asked: float, now: float) -> None:
        """Rest for longer than before."""
        self.asked_until = now + asked
        self.until = now + backoff.pause(self.tries, asked=asked)
        self.tries += 1

    def wake(self) -> None:
        """End the rest, but never before the time that the server asked for."""
        self.until = self.asked_until


@dataclass
class RetrySchedule:
    """The rests of addresses after failed tries."""

    _rests: dict[Address, _Rest] = field(default_factory=dict)
    _server: _Rest = field(default_factory=_Rest)
    _succeeded_at: float = float("-inf")

    def failed(self, address: Address, *, asked: float, status: int, now: float) -> float:
        """Note a failed try; the seconds until the next one. `status` is 0 where nothing was answered."""
        rest = self._rests.setdefault(address, _Rest(began=now))
        rest.failed(asked=asked, now=now)
        rest.is_unanswered = not status
        concerns_all = self._server.tries > 0 or status == TOO_MANY_REQUESTS
        self._server.failed(asked=asked if concerns_all else 0.0, now=now)
        return max(rest.until, self._server.until) - now

    def succeeded(self, address: Address, *, now: float) -> None:
        """Note an answer: the server is there again, so addresses that got none at all need not rest any longer."""
        self._succeeded_at = now
        self._rests.pop(address, None)
        self._server = _Rest()
        for rest in self._rests.values():
            if rest.is_unanswered:
                rest.wake()

    def wake(self, job: int | None) -> None:
        """Let the addresses of a job (None: all) be tried now, but not before the time that the server asked for."""
        self._server.wake()
        for address, rest in self._rests.items():
            if job in (None, address.job):
                rest.wake()

    def is_resting(self, address: Address) -> bool:
        """Whether the last try of this address failed."""
        return address in self._rests

    def is_stuck(self, address: Address, *, longer_than: float, now: float) -> bool:
        """Whether this address has failed for so many seconds while the server answered for others."""
        rest = self._rests.get(address)
        return rest is not None and rest.began + longer_than < now and rest.began < self._succeeded_at

    def ready_at(self, addresses: Iterable[Address]) -> float:
        """When the first of these may be tried."""
        return max(self._server.until, min(self._until(address) for address in addresses))

    def ready(self, addresses: Iterable[Address], *, now: float) -> Address | None:
        """The first of these that may be tried now."""
        if self._server.until > now:
            return None
        return next((address for address in addresses if self._until(address) <= now), None)

    def _until(self, address: Address) -> float:
        rest = self._rests.get(address)
        return rest.until if rest else 0.0
