"""Retry times of outcomes: for each address, and for the server as a whole. Pure: the caller passes the time.

One address that fails (a locked job, a route that a proxy does not know) must not delay the others, so it pauses alone.
Consecutive failures of any addresses mean that the server is unavailable: then all addresses pause.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from progress_client import backoff
from progress_client.buffer import Address

TOO_MANY_REQUESTS = 429


@dataclass
class _Pause:
    """Consecutive failures. Retry not before `server_until` (Retry-After) and `until` (our backoff)."""

    began: float = 0.0
    tries: int = 0
    until: float = 0.0
    server_until: float = 0.0
    is_unanswered: bool = False

    def failed(self, *, retry_after: float, now: float) -> None:
        """Pause longer than the last time."""
        self.server_until = now + retry_after
        self.until = now + backoff.pause(self.tries, retry_after=retry_after)
        self.tries += 1

    def wake(self) -> None:
        """End the pause, but never before the server's Retry-After."""
        self.until = self.server_until


@dataclass
class RetrySchedule:
    """Pauses of addresses after failures."""

    _pauses: dict[Address, _Pause] = field(default_factory=dict)
    _server: _Pause = field(default_factory=_Pause)
    _succeeded_at: float = float("-inf")

    def failed(self, address: Address, *, retry_after: float, status: int, now: float) -> float:
        """Record a failure; return the seconds until the retry. `status` is 0 if there was no response."""
        pause = self._pauses.setdefault(address, _Pause(began=now))
        pause.failed(retry_after=retry_after, now=now)
        pause.is_unanswered = not status
        concerns_all = self._server.tries > 0 or status == TOO_MANY_REQUESTS
        self._server.failed(retry_after=retry_after if concerns_all else 0.0, now=now)
        return max(pause.until, self._server.until) - now

    def succeeded(self, address: Address, *, now: float) -> None:
        """Record a response. The server is available, so addresses that had no response may retry now."""
        self._succeeded_at = now
        self._pauses.pop(address, None)
        self._server = _Pause()
        for pause in self._pauses.values():
            if pause.is_unanswered:
                pause.wake()

    def wake(self, job: int | None) -> None:
        """Let the addresses of a job (None: all) retry now, but not before the server's Retry-After."""
        self._server.wake()
        for address, pause in self._pauses.items():
            if job in (None, address.job):
                pause.wake()

    def is_paused(self, address: Address) -> bool:
        """Check whether the last request of this address failed."""
        return address in self._pauses

    def is_stuck(self, address: Address, *, longer_than: float, now: float) -> bool:
        """Check whether this address has failed for `longer_than` seconds while others succeeded."""
        pause = self._pauses.get(address)
        return pause is not None and pause.began + longer_than < now and pause.began < self._succeeded_at

    def ready_at(self, addresses: Iterable[Address]) -> float:
        """Return the earliest time at which one of these may be sent."""
        return max(self._server.until, min(self._until(address) for address in addresses))

    def ready(self, addresses: Iterable[Address], *, now: float) -> Address | None:
        """Return the first address that may be sent now."""
        if self._server.until > now:
            return None
        return next((address for address in addresses if self._until(address) <= now), None)

    def _until(self, address: Address) -> float:
        pause = self._pauses.get(address)
        return pause.until if pause else 0.0
