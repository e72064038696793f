"""Figures of the database, in a constant number of queries. None takes a lock.

Every known value of a label has a series, so that an alert can tell zero from nothing. Labels are bounded: projects
beyond METRICS_PROJECTS, and kinds that no pipeline registers, count as `other`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, Min, Q, Sum, When
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from jobs.models import (
    Delivery,
    GrowingCount,
    InboxMessage,
    Incident,
    Job,
    Phase,
    Quarantine,
    RowFailure,
    Tally,
    Worker,
)
from jobs.models.outbox import DeliveryStatus
from jobs.models.phases import WORKING_JOB
from jobs.models.workers import ALIVE, SILENT
from jobs.rules import pipelines
from jobs.rules.growing_counts import ITEM_FAILURES, JOBS_FINISHED, FailureOutcome
from jobs.rules.incidents import IncidentKind, IncidentState
from jobs.rules.statuses import FINISHED_JOB, OPEN_PHASE, UNFINISHED_JOB, JobStatus, Stuck
from jobs.watchdog import process_heartbeats
from progress_site.metrics.access import is_restricted

OTHER = "other"
OPEN_STATES = ("pending", "waiting", "leased")
WORKER_STATES = ("alive", "silent", "gone", "quarantined")
# The steps of `jobs.isolation`; docs/metrics.md says what happens to their rows.
STEPS = (
    *("sweep.expire", "sweep.pass_watermark", "sweep.mark_stuck"),
    *("sweep.expired", "sweep.watermarks", "sweep.stuck", "sweep.tickets"),
    *("prune.job", "removal.job", "bulk.job", "bulk.act"),
    *("deliver.message", "deliver.look", "deliver.lane", "deliver.disabled", "consume"),
    *("live.topic", "live.job", "live.jobs", "live.recheck"),
)
ONGOING = [state for state in IncidentState if state != IncidentState.RESOLVED]


def figures() -> Iterator[Metric]:
    """Yield every figure, read now."""
    now = timezone.now()
    kinds = [*sorted(code for code, _ in pipelines.choices()), OTHER]
    yield _jobs(kinds)
    yield from _attention()
    yield from _open_items(kinds, now)
    yield from _settled_items(now)
    yield _workers(now)
    yield from _deliveries(now)
    yield from _growing(kinds)
    yield _incidents()
    yield _rows_set_aside()
    yield from _heartbeats()


def _series(
    metric: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    documentation: str,
    labels: Sequence[str],
    values: Mapping[tuple[str, ...], float],
    known: Iterable[tuple[str, ...]] = (),
) -> Metric:
    """Return a metric with these values, and zero for known labels that have none."""
    family = metric(name, documentation, labels=labels)
    for key, value in {**dict.fromkeys(known, 0), **values}.items():
        family.add_metric(key, value)
    return family


# --- jobs ------------------------------------------------------------------------------------------


def _jobs(kinds: list[str]) -> Metric:
    """Count the jobs in the order of the index that has all three labels, so that nothing is sorted."""
    rows = list(Job.objects.order_by().values_list("status", "kind", "project").annotate(n=Count("*")))
    projects = _projects(rows, settings.METRICS_PROJECTS) if is_restricted() else set()
    counts: Counter[tuple[str, ...]] = Counter()
    for status, kind, project, number in rows:
        counts[status, _bounded(kind, kinds), project if project in projects else OTHER] += number
    return _series(
        GaugeMetricFamily,
        "progress_jobs",
        "Jobs by status, kind and project.",
        ["status", "kind", "project"],
        counts,
        product(JobStatus, kinds, sorted({*projects, OTHER})),
    )


def _projects(rows: Iterable[tuple[str, str, str, int]], most: int) -> set[str]:
    """Return the projects with a label of their own: those with the most unfinished jobs, then by name."""
    unfinished: Counter[str] = Counter()
    for status, _, project, number in rows:
        unfinished[project] += number if status in UNFINISHED_JOB else 0
    return set(sorted(unfinished, key=lambda project: (-unfinished[project], project))[:most])


def _bounded(kind: str, kinds: Sequence[str]) -> str:
    return kind if kind in kinds else OTHER


def _attention() -> Iterator[Metric]:
    stuck = Job.objects.stuck().order_by().values_list("stuck").annotate(n=Count("*"))
    yield _series(
        GaugeMetricFamily,
        "progress_jobs_stuck",
        "Jobs that cannot finish by themselves.",
        ["reason"],
        {(reason,): number for reason, number in stuck},
        [(reason,) for reason in Stuck],
    )
    late = Job.objects.late().count()
    yield GaugeMetricFamily("progress_jobs_late", "Unfinished jobs after their due time.", value=late)


# --- items -----------------------------------------------------------------------------------------


def _open_items(kinds: list[str], now: datetime) -> Iterator[Metric]:
    """Count the open items of unfinished jobs, and find the longest time that claimable ones are not taken."""
    pending = F("items_total") - F("done") - F("failed") - F("skipped") - F("processing") - F("waiting")
    listed = Q(counted=False)
    open_phases = Phase.objects.filter(
        status__in=OPEN_PHASE, job__status__in=UNFINISHED_JOB, job__removed_at__isnull=True
    )
    rows = (
        open_phases.order_by()
        .values_list("job__kind")
        .annotate(
            ready=Coalesce(Sum(pending, filter=listed), 0),
            later=Coalesce(Sum("waiting"), 0),
            leased=Coalesce(Sum("processing"), 0),
            untaken=Min(_untaken_since(pending), filter=listed & _claimable(pending, now)),
        )
    )
    items: Counter[tuple[str, ...]] = Counter()
    ages: dict[tuple[str, ...], float] = {}
    for kind, ready, later, leased, untaken in rows:
        label = _bounded(kind, kinds)
        for state, number in zip(OPEN_STATES, (ready, later, leased), strict=True):
            items[label, state] += number
        ages[label,] = max(ages.get((label,), 0), (now - (untaken or now)).total_seconds())
    yield _series(
        GaugeMetricFamily,
        "progress_items_open",
        "Items of unfinished jobs: pending, waiting for a retry, or leased.",
        ["kind", "state"],
        items,
        product(kinds, OPEN_STATES),
    )
    yield _series(
        GaugeMetricFamily,
        "progress_oldest_pending_seconds",
        "Longest time for which claimable items have waited while no worker held or reported any of their phase.",
        ["kind"],
        ages,
        [(kind,) for kind in kinds],
    )


def _claimable(pending: Any, now: datetime) -> Q:
    """Match phases that could be worked on now, but in which no item is leased."""
    is_ready = Q(items_total__gt=F("items_total") - pending) | Q(next_due_at__lte=now)
    return is_ready & Q(processing=0, gate_open=True, job__status__in=WORKING_JOB)


def _untaken_since(pending: Any) -> Any:
    """Return the time of the last sign of work on a phase.

    The gate of a gated phase opens with the progress of an earlier one. Retries wait until they are due.
    """
    watched = F("job__watched_from")
    progress = Coalesce(F("job__progress_at"), watched)
    opened = Case(When(gated=True, started_at__isnull=True, then=progress), default=watched)
    only_retries = Q(items_total=F("items_total") - pending)
    due = Case(When(only_retries, then=Coalesce(F("next_due_at"), watched)), default=watched)
    return Greatest(watched, opened, due, Coalesce(F("started_at"), watched), Coalesce(F("last_item_at"), watched))


def _settled_items(now: datetime) -> Iterator[Metric]:
    sums = Phase.objects.aggregate(completed=Sum("done"), failed=Sum("failed"), skipped=Sum("skipped"))
    yield _series(
        GaugeMetricFamily,
        "progress_items",
        "Settled items of the jobs that exist, by outcome.",
        ["status"],
        {(status,): number or 0 for status, number in sums.items()},
    )
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    last = Tally.objects.filter(minute=minute).aggregate(
        completed=Sum("done"), failed=Sum("failed"), skipped=Sum("skipped")
    )
    yield _series(
        GaugeMetricFamily,
        "progress_items_last_minute",
        "Items that were settled in the last whole minute.",
        ["status"],
        {(status,): number or 0 for status, number in last.items()},
    )


# --- workers, deliveries, failures, incidents ------------------------------------------------------


def _workers(now: datetime) -> Metric:
    counts = Worker.objects.aggregate(
        alive=Count("pk", filter=Q(seen_at__gte=now - ALIVE)),
        silent=Count("pk", filter=Q(seen_at__lt=now - ALIVE, seen_at__gte=now - SILENT)),
        gone=Count("pk", filter=Q(seen_at__lt=now - SILENT)),
    )
    counts["quarantined"] = Quarantine.objects.in_unfinished_phases().values("worker", "owner").distinct().count()
    return _series(
        GaugeMetricFamily,
        "progress_workers",
        "Workers by their last sign of life, and those in quarantine.",
        ["state"],
        {(state,): counts[state] for state in WORKER_STATES},
    )


def _deliveries(now: datetime) -> Iterator[Metric]:
    states = (DeliveryStatus.WAITING, DeliveryStatus.DEAD)
    rows = Delivery.objects.filter(status__in=states).order_by().values_list("status").annotate(n=Count("*"))
    yield _series(
        GaugeMetricFamily,
        "progress_deliveries",
        "Deliveries that are not sent.",
        ["status"],
        {(status,): number for status, number in rows},
        [(str(state),) for state in states],
    )
    oldest = Delivery.objects.waiting().aggregate(oldest=Min("created_at"))["oldest"]
    age = (now - (oldest or now)).total_seconds()
    yield GaugeMetricFamily(
        "progress_oldest_undelivered_seconds", "Age of the oldest event that is not delivered yet.", value=age
    )
    letters = InboxMessage.objects.dead().count()
    yield GaugeMetricFamily("progress_dead_letters", "Inbound messages that were refused.", value=letters)


def _growing(kinds: list[str]) -> Iterator[Metric]:
    """Yield the counts that only grow, from the transactions of their causes: no deletion or restart lowers them."""
    counts: dict[str, Counter[tuple[str, ...]]] = {ITEM_FAILURES: Counter(), JOBS_FINISHED: Counter()}
    rows = GrowingCount.objects.order_by().values_list("name", "kind", "outcome").annotate(Sum("number"))
    for name, kind, outcome, number in rows:
        counts[name][_bounded(kind, kinds), outcome] += number
    yield _series(
        CounterMetricFamily,
        "progress_item_failures",
        "Attempts without success: failed for good, to be retried, or their lease expired.",
        ["kind", "outcome"],
        counts[ITEM_FAILURES],
        product(kinds, FailureOutcome),
    )
    yield _series(
        CounterMetricFamily,
        "progress_jobs_finished",
        "Ends of jobs, by the status at the end.",
        ["kind", "status"],
        counts[JOBS_FINISHED],
        product(kinds, FINISHED_JOB),
    )


def _incidents() -> Metric:
    rows = Incident.objects.ongoing().order_by().values_list("kind", "state").annotate(n=Count("*"))
    return _series(
        GaugeMetricFamily,
        "progress_incidents",
        "Incidents that are not over.",
        ["kind", "state"],
        {(kind, state): number for kind, state, number in rows},
        product(IncidentKind, ONGOING),
    )


# --- processes -------------------------------------------------------------------------------------


def _rows_set_aside() -> Metric:
    """Return how many rows each step of the passes has set aside; the log names the rows."""
    rows = RowFailure.objects.order_by("step").values_list("step", "number")
    return _series(
        CounterMetricFamily,
        "progress_rows_set_aside",
        "Rows that failed in a pass over many.",
        ["step"],
        {(step,): number for step, number in rows},
        [(step,) for step in STEPS],
    )


def _heartbeats() -> Iterator[Metric]:
    """Yield the age of each kind of process's last heartbeat (none if never), and whether it is too old."""
    now, heard = timezone.now(), process_heartbeats.last_heard()
    silent = {silence.kind for silence in process_heartbeats.silences(now)}
    yield _series(
        GaugeMetricFamily,
        "progress_process_heartbeat_age_seconds",
        "Seconds since the last heartbeat of this kind of process.",
        ["kind"],
        {(kind,): max(0.0, (now - seen_at).total_seconds()) for kind, seen_at in heard.items() if seen_at is not None},
    )
    yield _series(
        GaugeMetricFamily,
        "progress_process_silent",
        "1 if this kind of process sent no heartbeat for a minute.",
        ["kind"],
        {(kind,): int(kind in silent) for kind in process_heartbeats.KINDS},
    )
