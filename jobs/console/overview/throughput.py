"""Throughput charts: items settled per minute, from the tallies."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum

from jobs.console.charts import Minute, RateChart, rate_chart
from jobs.models import Job, Tally
from jobs.models.jobs import JobQuerySet

MINUTES = 60


def throughput(jobs: JobQuerySet, *, now: datetime) -> RateChart:
    """Return the chart of the last 60 minutes for these jobs."""
    first = _minute(now) - timedelta(minutes=MINUTES - 1)
    tallies = Tally.objects.filter(minute__gte=first)
    if jobs.query.where:
        tallies = tallies.filter(phase__job__in=jobs.order_by())
    return rate_chart(_minutes(tallies), first=first, last=_minute(now))


def rate_of(job: Job, *, now: datetime) -> RateChart | None:
    """Return the chart of one job from its first minute to its end; None when this run has settled nothing."""
    minutes = _minutes(Tally.objects.filter(phase__job=job))
    if not minutes:
        return None
    last = _minute(job.finished_at or now)
    return rate_chart(minutes, first=minutes[0][0], last=max(last, minutes[-1][0]))


def _minutes(tallies: QuerySet[Tally]) -> list[Minute]:
    rows = tallies.order_by("minute").values_list("minute").annotate(done=Sum("done"), failed=Sum("failed"))
    return [(minute, done, failed) for minute, done, failed in rows]


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
