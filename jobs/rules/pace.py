"""The pace of a job: rate, time left, and whether it is stuck. Pure: no Django, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.rules.progress import Counts
from jobs.rules.statuses import JobStatus, Stuck

RATE_WINDOW_MINUTES = 5


def window_start(now: datetime) -> datetime:
    """Return the first minute that counts for the rate."""
    return now.replace(second=0, microsecond=0) - timedelta(minutes=RATE_WINDOW_MINUTES - 1)


def rate_per_minute(settled: int, *, started_at: datetime | None, now: datetime) -> float | None:
    """Compute the items settled per minute in the last five minutes, or since the start; None without any.

    `settled` is the sum of the tallies since `window_start(now)` (done and failed, never skipped).
    """
    if not settled or started_at is None:
        return None
    seconds = (now - max(window_start(now), started_at)).total_seconds()
    return round(settled * 60 / max(seconds, 1.0), 1)


def eta_seconds(counts: Counts, rate: float | None, *, succeeds: bool) -> int | None:
    """Compute the seconds until every expected item is settled at this rate; None without a rate or a total.

    None too while nothing `succeeds`: failures alone say nothing about the time that successes take.
    """
    if not rate or not succeeds or counts.expected is None:
        return None
    return int(max(0, counts.expected - counts.settled) * 60 / rate)


@dataclass(frozen=True, slots=True)
class Vitals:
    """The signs of life of a job, for `stuck`. Times are aware datetimes, None for never."""

    status: JobStatus
    heard_at: datetime | None
    progress_at: datetime | None
    unannounced_since: datetime | None


def limit_of(running: Sequence[int | None], *, own: int | None, preset: int) -> int | None:
    """Return the seconds that a job may be quiet now; None where the preset holds.

    `running` has the seconds of each open phase that has begun, `own` are the job's, for phases without their own. Of
    several phases the one that may be quiet for longest decides.
    """
    limits = [own if seconds is None else seconds for seconds in running] or [own]
    longest = max(preset if seconds is None else seconds for seconds in limits)
    return None if None in limits and longest == preset else longest


def stuck(vitals: Vitals, *, now: datetime, silent_after: timedelta, stalled_after: timedelta) -> Stuck | None:
    """Return why a job will not finish by itself, or None.

    `unannounced_since` is the earliest moment at which a phase had items for a whole ttl and no announcement. A job
    without a first claim or report is waiting, not silent.
    """
    if vitals.status not in (JobStatus.PENDING, JobStatus.PROCESSING):
        return None
    if vitals.unannounced_since is not None and vitals.unannounced_since < now:
        return Stuck.UNANNOUNCED
    if vitals.status == JobStatus.PENDING:
        return None
    if vitals.heard_at is not None and vitals.heard_at + silent_after < now:
        return Stuck.SILENT
    if vitals.progress_at is not None and vitals.progress_at + stalled_after < now:
        return Stuck.STALLED
    return None
