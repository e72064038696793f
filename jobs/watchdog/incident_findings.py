"""Causes that hold now, outside the rows of single jobs: errors of many jobs, gone workers, endpoints, dead letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from jobs.incidents import Cause, Finding
from jobs.incidents.causes import error_of
from jobs.incidents.deliveries import FAILING_TRIES, failing_deliveries, failing_endpoint, name_of, refused_messages
from jobs.models import Delivery, Endpoint, InboxMessage, Incident, Item, Job, Phase, Tally, Worker
from jobs.models.workers import FEW_FAILURES, MANY_FAILURES, SILENT
from jobs.rules.error_fingerprints import signature
from jobs.rules.formatting import format_duration, pluralize
from jobs.rules.incidents import CAUSE_LENGTH, KINDS, IncidentKind
from jobs.rules.statuses import OPEN_PHASE, UNFINISHED_JOB, JobStatus
from jobs.watchdog import process_heartbeats

MANY_JOBS = 3
MOST_JOBS = 5000
MOST_HOLDING = 1000
LAG = timedelta(minutes=10)
FAILING_FOR = timedelta(minutes=10)
DAY = timedelta(days=1)
NAMED = 3
Group = tuple[str, str]


def nothing(now: datetime) -> Iterator[Finding]:
    """Find nothing."""
    yield from ()


# --- errors --------------------------------------------------------------------------------------------


def errors(now: datetime) -> Iterator[Finding]:
    """Find one signature over three unfinished jobs, and jobs that only fail or can no longer meet their threshold."""
    groups: dict[Group, dict[int, str]] = defaultdict(dict)
    unfinished = Job.objects.filter(status__in=UNFINISHED_JOB, stuck="").exclude(error="")
    for pk, project, error in _rows(unfinished):
        groups[project, signature(error_of(error))][pk] = error_of(error)
    hopeless = {pk: (project, error_of(error)) for pk, project, error in _rows(_hopeless(now))}
    for pk, (project, error) in hopeless.items():
        groups[project, signature(error)][pk] = error
    for (project, text), jobs in groups.items():
        if len(jobs) >= MANY_JOBS or jobs.keys() & hopeless:
            yield Finding(_errors(project, text, next(iter(jobs.values())), jobs.keys() & hopeless), list(jobs))


def _errors(project: str, text: str, error: str, hopeless: Iterable[int]) -> Cause:
    number = len(list(hopeless))
    some = f"{pluralize(number, 'job')} cannot meet a threshold or only {'fails' if number == 1 else 'fail'}."
    return Cause(
        IncidentKind.ERRORS,
        project,
        text[:CAUSE_LENGTH],
        title=f"Items fail: {error}" if error else "Items fail",
        detail=some if number else "",
        error=error,
    )


def _rows(jobs: QuerySet[Job]) -> list[tuple[int, str, str]]:
    return list(jobs.order_by("-updated_at", "-id").values_list("pk", "project", "error")[:MOST_JOBS])


def _hopeless(now: datetime) -> QuerySet[Job]:
    """Return running jobs out of reach or with failures alone, and jobs that completed within a day without success."""
    tallies = Tally.objects.filter(minute__gt=now - FAILING_FOR).order_by().values("phase")
    lately = tallies.annotate(successes=Sum("done"), failures=Sum("failed"))
    only_fail = lately.filter(successes=0, failures__gte=MANY_FAILURES).values("phase")
    running = (
        Q(pk__in=Phase.objects.doomed().values("job"))
        | Q(pk__in=Phase.objects.only_failing(FEW_FAILURES).values("job"))
        | Q(pk__in=Phase.objects.filter(pk__in=only_fail, status__in=OPEN_PHASE).values("job"))
    )
    fruitless = Phase.objects.filter(job=OuterRef("pk"), failed__gt=0, done=0, skipped=0, forced=False)
    ended = Q(Exists(fruitless), partial=True, status=JobStatus.COMPLETED, finished_at__gte=now - DAY)
    return Job.objects.filter(Q(running, status=JobStatus.PROCESSING, stuck="") | ended)


# --- workers -------------------------------------------------------------------------------------------


def workers(now: datetime) -> Iterator[Finding]:
    """Find workers that are gone and hold items, and jobs that wait while no worker is alive."""
    yield from _gone(now)
    if not Worker.objects.filter(seen_at__gte=now - SILENT).exists():
        yield from _waiting(now)


def _gone(now: datetime) -> Iterator[Finding]:
    holder = Coalesce(F("account"), Value(0))
    gone = Worker.objects.gone(now).filter(name=OuterRef("worker")).alias(holder=holder)
    held = Item.objects.held().annotate(holder=holder).filter(Exists(gone.filter(holder=OuterRef("holder"))))
    held = held.filter(phase__job__removed_at__isnull=True)
    rows = held.order_by().values_list("phase__job__project", "phase__job_id", "worker", "holder")
    by_project: dict[str, list[tuple[int, str, int, int]]] = defaultdict(list)
    for project, job, worker, owner, items in rows.annotate(number=Count("pk"))[:MOST_HOLDING]:
        by_project[project].append((job, worker, owner, items))
    for project, found in by_project.items():
        names = sorted({(worker, owner) for _, worker, owner, _ in found})
        items = pluralize(sum(row[3] for row in found), "item")
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        holds = "holds" if len(names) == 1 else "hold"
        detail = f"{', '.join(name for name, _ in names[:NAMED])}{more} {holds} {items}. Release them."
        cause = Cause(IncidentKind.WORKER_GONE, project, "holds items", title="Workers are gone", detail=detail)
        yield Finding(cause, sorted({row[0] for row in found}), len(names))


def _waiting(now: datetime) -> Iterator[Finding]:
    since = now - SILENT
    claimable = Phase.objects.working().with_ready_items().filter(job=OuterRef("pk"))
    unheard = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=since)
    waiting = Job.objects.working().filter(Exists(claimable), unheard, stuck="", created_at__lt=since)
    by_project: dict[str, list[int]] = defaultdict(list)
    for pk, project, _ in _rows(waiting):
        by_project[project].append(pk)
    silent = format_duration(SILENT.total_seconds())
    for project, jobs in by_project.items():
        cause = Cause(
            IncidentKind.WORKER_GONE,
            project,
            "no worker",
            title="Jobs wait for a worker",
            detail=f"No worker has sent a heartbeat for {silent}. Items are pending, none is leased. Start a worker.",
            severity=KINDS[IncidentKind.JOB_STUCK].severity,
        )
        yield Finding(cause, jobs)


# --- deliveries and messages ---------------------------------------------------------------------------


def failing_endpoints(now: datetime) -> Iterator[Finding]:
    """Find endpoints with dead deliveries since the last end, or with deliveries that failed several times."""
    rows = failing_deliveries().order_by().values_list("endpoint").annotate(number=Count("pk"), newest=Max("pk"))
    found = {pk: (number, newest) for pk, number, newest in rows}
    endpoints = Endpoint.objects.in_bulk(found)
    errors = dict(Delivery.objects.filter(pk__in=[newest for _, newest in found.values()]).values_list("pk", "error"))
    for pk, (number, newest) in found.items():
        yield Finding(failing_endpoint(endpoints[pk], errors.get(newest, "")), subjects=number)


def delayed_deliveries(now: datetime) -> Iterator[Finding]:
    """Find a silent deliverer; else endpoints with events that wait for ten minutes and did not fail several times."""
    for silence in process_heartbeats.silences(now):
        if silence.kind == process_heartbeats.DELIVERER:
            detail = f"{silence.sentence} {silence.consequence} Start it: {silence.command}"
            cause = Cause(IncidentKind.DELIVERY_LAG, about="deliverer", title="The deliverer is silent", detail=detail)
            yield Finding(cause, subjects=Delivery.objects.waiting().count())
            return
    since = now - LAG
    late = Delivery.objects.waiting().filter(created_at__lt=since, endpoint__active=True, tries__lt=FAILING_TRIES)
    late = late.filter(Q(tries__gt=0) | Q(next_try_at__lt=since))  # a replay restarts the waiting time
    for pk, number in late.order_by().values_list("endpoint").annotate(number=Count("pk")):
        endpoint = Endpoint.objects.get(pk=pk)
        name = name_of(endpoint)
        detail = f"{pluralize(number, 'event')} waited for more than {format_duration(LAG.total_seconds())}."
        cause = Cause(
            IncidentKind.DELIVERY_LAG,
            endpoint.project,
            f"endpoint {pk}",
            title=f"Deliveries to {name} are delayed",
            detail=detail,
        )
        yield Finding(cause, subjects=number)


def dead_letters(now: datetime) -> Iterator[Finding]:
    """Find the dead letters since the last time that an operator resolved this cause."""
    last = Incident.objects.filter(kind=IncidentKind.DEAD_LETTERS).aggregate(at=Max("ended_at"))["at"]
    letters = InboxMessage.objects.dead()
    if last is not None:
        letters = letters.filter(received_at__gt=last)
    newest = letters.order_by("-pk").first()
    if newest is not None:
        yield Finding(refused_messages(newest.reason), subjects=letters.count())
