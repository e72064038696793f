"""Pictures of how many items are settled per minute, drawn from the tallies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum

from jobs.models import Job, Tally
from jobs.models.jobs import JobQuerySet
from jobs.words import number

MINUTES = 60
MOST_COLUMNS = 120
WIDTH, HEIGHT = 600, 96
Minute = tuple[datetime, int, int]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a picture: done upwards, failed downwards from the base line."""

    x: float
    width: float
    done_y: float
    done_height: float
    failed_height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Items per minute over a time."""

    columns: list[Column]
    base: float
    now: int
    peak: int
    done: int
    failed: int
    first_at: datetime
    last_at: datetime

    @property
    def said(self) -> str:
        """The picture in words."""
        return (
            f"Items per minute: {number(self.now)} in the last full minute, peak {number(self.peak)};"
            f" {number(self.done)} done and {number(self.failed)} failed altogether"
        )


def throughput(jobs: JobQuerySet, filters: dict[str, str], *, now: datetime) -> Picture:
    """The last sixty minutes of the jobs of this kind and project."""
    first = _minute(now) - timedelta(minutes=MINUTES - 1)
    tallies = Tally.objects.filter(minute__gte=first)
    for name in ("kind", "project"):
        if name in filters:
            tallies = tallies.filter(**{f"phase__job__{name}": filters[name]})
    if jobs.query.where:
        tallies = tallies.filter(phase__job__in=jobs)
    return _picture(_minutes(tallies), first=first, last=_minute(now))


def rate_of(job: Job, *, now: datetime) -> Picture | None:
    """A job since its first minute to its end; None where nothing was settled in this run."""
    minutes = _minutes(Tally.objects.filter(phase__job=job))
    if not minutes:
        return None
    last = _minute(job.finished_at or now)
    return _picture(minutes, first=minutes[0][0], last=max(last, minutes[-1][0]))


def _minutes(tallies: QuerySet[Tally]) -> list[Minute]:
    rows = tallies.order_by("minute").values_list("minute").annotate(done=Sum("done"), failed=Sum("failed"))
    return [(minute, done, failed) for minute, done, failed in rows]


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _picture(minutes: Sequence[Minute], *, first: datetime, last: datetime) -> Picture:
    length = int((last - first).total_seconds()) // 60 + 1
    per_column = -(-length // MOST_COLUMNS)
    number_of = max(-(-length // per_column), 20)
    sums = [[0, 0] for _ in range(number_of)]
    for minute, done, failed in minutes:
        place = min(int((minute - first).total_seconds()) // 60 // per_column, number_of - 1)
        sums[place][0] += done
        sums[place][1] += failed
    peaks = [(done + failed) / per_column for done, failed in sums]
    last_place = min((length - 1) // per_column, number_of - 1)
    return Picture(
        columns=_columns(sums),
        base=_base(sums),
        now=round(peaks[max(0, last_place - 1)]),
        peak=round(max(peaks)),
        done=sum(done for done, _ in sums),
        failed=sum(failed for _, failed in sums),
        first_at=first,
        last_at=last,
    )


def _base(sums: Sequence[Sequence[int]]) -> float:
    """The height of the base line: below it there is room for failures where there are any."""
    most_done, most_failed = max(done for done, _ in sums), max(failed for _, failed in sums)
    if not most_failed:
        return HEIGHT - 1
    share = most_failed / (most_done + most_failed)
    return round(HEIGHT * (1 - min(0.5, max(0.2, share))), 1)


def _columns(sums: Sequence[Sequence[int]]) -> list[Column]:
    base, step = _base(sums), WIDTH / len(sums)
    most_done, most_failed = max(done for done, _ in sums) or 1, max(failed for _, failed in sums) or 1
    columns = []
    for place, (done, failed) in enumerate(sums):
        if not done and not failed:
            continue
        height = _height(done, most_done, base - 2)
        lost = _height(failed, most_failed, HEIGHT - base - 2)
        columns.append(Column(round(place * step, 2), round(step * 0.8, 2), round(base - height, 1), height, lost))
    return columns


def _height(value: int, most: int, room: float) -> float:
    return round(max(2.0, value * room / most), 1) if value else 0.0
