"""Helpers of the tests of leases."""

from __future__ import annotations

from jobs import watchdog
from jobs.models import Job
from tests.factories import item_of, phase_of, take
from tests.jobs.rules.conftest import Clock


def left(job: Job, clock: Clock, key: str = "k0") -> float | None:
    """Return the seconds until the lease of this item ends; None without a lease."""
    expires = item_of(job, key).lease_expires_at
    return None if expires is None else (expires - clock.now).total_seconds()


def expire(job: Job, clock: Clock, *, times: int = 1) -> None:
    """Claim k0 and let its lease run out, that many times."""
    for _ in range(times):
        take(phase_of(job), 1, worker="lost")
        watchdog.expire_leases(clock.forward(91))
