"""Figures of the database, in a constant number of queries. None takes a lock.

Every known value of a label has a series, so that an alert can tell zero from nothing. Labels are bounded: projects
beyond METRICS_PROJECTS, and kinds that no pipeline registers, count as `other`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product

from django.conf import settings
from django.db.models import Count, Min, OuterRef, Q, Subquery, Sum
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from jobs.models import (
    Delivery,
    GrowingCount,
    InboxMessage,
    Incident,
    Job,
    Notification,
    Phase,
    Quarantine,
    RowFailure,
    Tally,
    Worker,
)
from jobs.models.notifications import ChannelKind
from jobs.models.outbox import DeliveryStatus
from jobs.models.workers import ALIVE, SILENT
from jobs.rules import pipelines
from jobs.rules.growing_counts import ITEM_FAILURES, JOBS_FINISHED, NOTIFICATIONS, FailureOutcome, NotificationOutcome
from jobs.rules.incidents import ONGOING, IncidentKind
from jobs.rules.statuses import FINISHED_JOB, OPEN_PHASE, UNFINISHED_JOB, JobStatus, Stuck
from jobs.watchdog import process_heartbeats
from progress_site.metrics.access import is_restricted
from progress_site.metrics.open_items import open_items_by_kind

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
    yield _waiting_notifications(now)
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
    items: Counter[tuple[str, ...]] = Counter()
    ages: dict[tuple[str, ...], float] = {}
    for found in open_items_by_kind(now):
        label = _bounded(found.kind, kinds)
        for state, number in zip(OPEN_STATES, (found.pending, found.waiting, found.leased), strict=True):
            items[label, state] += number
        ages[label,] = max(ages.get((label,), 0), (now - (found.untaken_since or now)).total_seconds())
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
    # A scalar subquery per row: joined, the planner may compare each phase with each job on new tables.
    status = Subquery(Phase.objects.filter(pk=OuterRef("phase")).order_by().values("status")[:1])
    kept = Quarantine.objects.order_by().alias(status=status).filter(status__in=OPEN_PHASE)
    counts["quarantined"] = kept.values("worker", "owner").distinct().count()
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
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    rows = GrowingCount.objects.order_by().values_list("name", "kind", "outcome").annotate(Sum("number"))
    for name, kind, outcome, number in rows:
        counts[name][kind if name == NOTIFICATIONS else _bounded(kind, kinds), outcome] += number
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
    yield _series(
        CounterMetricFamily,
        "progress_notifications",
        "Messages to people that were sent, failed and will be sent again, or were given up.",
        ["channel", "outcome"],
        counts[NOTIFICATIONS],
        product(ChannelKind, NotificationOutcome),
    )


def _waiting_notifications(now: datetime) -> Metric:
    """Count the messages that should be sent by now or have failed, not those that are planned for later."""
    due = Notification.objects.waiting().filter(Q(next_try_at__lte=now) | Q(tries__gt=0), channel__active=True)
    rows = due.order_by().values_list("channel__kind").annotate(n=Count("*"))
    return _series(
        GaugeMetricFamily,
        "progress_notifications_waiting",
        "Messages to people that should have been sent by now.",
        ["channel"],
        {(kind,): number for kind, number in rows},
        [(str(kind),) for kind in ChannelKind],
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
