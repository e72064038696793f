"""Claims: items leased to a worker. Two workers never lease the same item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.expressions import Combinable

from jobs.change import Actor, Change, ConcurrentModification, JobLocked, change_free, change_jobs, is_locked
from jobs.change.refusals import Call, closed_to
from jobs.db import bulk_load, bulk_sql
from jobs.models import Item, Phase
from jobs.models.jobs import projects_of
from jobs.models.phases import PhaseQuerySet
from jobs.rules.statuses import ItemStatus, Reason
from jobs.tracking import quarantine
from jobs.tracking.types import Claimed, ClaimedItem

LOCK_TIMEOUT = "300ms"
CLAIM_FIELDS = ("id", "phase", "key", "label", "split", "payload", "attempt")
TAKEN_FIELDS = (
    "attempt", "status", "worker", "account", "lease_seconds", "lease_expires_at", "started_at", "finished_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Taker:
    """A worker that claims: its name, the most items that it takes, and the length of their lease."""

    worker: str
    limit: int
    lease_seconds: int | None
    by: Actor

    def lease(self, now: datetime) -> tuple[str, int | None, int, datetime]:
        """Return the columns of a lease that begins now: the worker, the account, the length and the end."""
        seconds = self.lease_seconds or settings.ITEM_LEASE_SECONDS
        account = self.by.account.pk if self.by.account else None
        return self.worker, account, seconds, now + timedelta(seconds=seconds)


def claim(phase: Phase, *, worker: str, limit: int = 100, lease_seconds: int | None = None, by: Actor) -> Claimed:
    """Take up to `limit` pending items of this phase, in their order, for `lease_seconds`.

    A phase that completed by threshold, settled or watermark still gives its open items. An empty answer has a reason;
    it costs one query and no lock.
    """
    reason = reason_of(phase)
    if reason:
        return Claimed([], reason)
    with change_jobs([phase.job_id], by=by) as change:
        return claims_locked(change, change.phase(phase.pk), [Taker(worker, limit, lease_seconds, by)])[0]


def claims_locked(change: Change, phase: Phase, takers: Sequence[Taker]) -> list[Claimed]:
    """Take items of a phase for several workers, inside a change that has locked its job; the first is served first.

    Where a worker is quarantined, they are served one after another: it gets one item for all of its claims.
    """
    if phase.quarantined:
        return [claimed for taker in takers for claimed in _claim(change, phase, [taker])]
    return _claim(change, phase, takers)


def _claim(change: Change, phase: Phase, takers: Sequence[Taker]) -> list[Claimed]:
    reason = reason_of(phase)
    if reason:
        return [Claimed([], reason) for _ in takers]
    now = change.now
    allowed = [quarantine.allowance(phase, each.worker, by=each.by, limit=each.limit, now=now) for each in takers]
    serving = [replace(taker, limit=limit) for taker, (limit, _) in zip(takers, allowed, strict=True)]
    most = sum(taker.limit for taker in serving)
    ids = phase.items.filter(status=ItemStatus.PENDING).order_by(_claim_order()).values_list("pk", flat=True)[:most]
    items = iter(_take(change, list(ids), serving))
    return [
        _claimed(list(islice(items, taker.limit)), until=until)
        for taker, (_, until) in zip(serving, allowed, strict=True)
    ]


def _claimed(items: list[ClaimedItem], *, until: datetime | None) -> Claimed:
    if items:
        return Claimed(items)
    return Claimed([], Reason.NONE_PENDING if until is None else Reason.QUARANTINED, until)


def claim_any(
    *, worker: str, phase: str, kind: str = "", limit: int = 100, lease_seconds: int | None = None, by: Actor
) -> Claimed:
    """Take the oldest pending items of any unfinished phase of this code in a job visible to the account.

    If other workers claimed these items while this call waited for the locks, the next ones are tried; the answer is
    empty only when nothing is left. The wait for a locked job is short; then the jobs behind it are tried.
    """
    projects = projects_of(by.account) if by.account else None
    claimable = quarantine.open_to(_claimable(phase, kind=kind, projects=projects), worker, by=by)
    locked: set[int] = set()
    while wanted := _oldest(claimable.exclude(job__in=locked), limit=limit):
        job_ids = {phase.job_id for phase in wanted}
        with _claiming(job_ids, by=by) as change:
            found = _oldest(claimable.filter(job__in=change.jobs), limit=limit)
            chosen, most = quarantine.probe_first(found, worker, by=by, limit=limit)
            items = _take(change, _pending(chosen, limit=most), [Taker(worker, most, lease_seconds, by)])
        if found:
            return Claimed(items, None if items else Reason.NONE_PENDING)
        locked |= job_ids - change.jobs.keys()
    if locked:
        raise JobLocked
    return nothing_to_claim(phase, worker=worker, by=by)


def jobs_to_claim(
    code: str, *, kind: str, projects: Collection[str] | None, worker: str, limit: int, by: Actor
) -> set[int]:
    """Return the jobs of the oldest pending items of phases of this code that are open to the worker."""
    claimable = quarantine.open_to(_claimable(code, kind=kind, projects=projects), worker, by=by)
    return {phase.job_id for phase in _oldest(claimable, limit=limit)}


def nothing_to_claim(code: str, *, worker: str, by: Actor) -> Claimed:
    """Return the answer to a common claim of this worker for which there are no jobs."""
    until = quarantine.ends_at(worker, code, by=by)
    return Claimed([], Reason.QUARANTINED if until else Reason.NONE_PENDING, until)


def claim_any_locked(change: Change, phases: Sequence[Phase], taker: Taker) -> Claimed:
    """Take the oldest pending items of those of these phases that give any, inside a change that has locked them."""
    giving = sorted((phase for phase in phases if phase.is_open and reason_of(phase) is None), key=attrgetter("pk"))
    ids = _pending(_enough(giving, limit=taker.limit), limit=taker.limit)
    items = _take(change, ids, [taker])
    return Claimed(items, None if items else Reason.NONE_PENDING)


@contextmanager
def _claiming(job_ids: Collection[int], *, by: Actor) -> Iterator[Change]:
    """Lock these jobs, without those that another transaction keeps locked for longer."""
    stack = ExitStack()
    try:
        change = stack.enter_context(change_jobs(job_ids, by=by, lock_timeout=LOCK_TIMEOUT))
    except OperationalError as error:
        if connection.in_atomic_block or not is_locked(error):
            raise
        change = stack.enter_context(change_free(job_ids, by=by))
    with stack:
        yield change


def _oldest(phases: PhaseQuerySet, *, limit: int) -> list[Phase]:
    """Return the oldest of these phases, as many as have `limit` pending items by their counters."""
    return _enough(phases.order_by("pk")[:limit], limit=limit)


def _enough(phases: Iterable[Phase], *, limit: int) -> list[Phase]:
    """Return the first of these phases, as many as have `limit` pending items."""
    chosen: list[Phase] = []
    pending = 0
    for phase in phases:
        chosen.append(phase)
        pending += phase.pending_items
        if pending >= limit:
            break
    return chosen


def _pending(phases: Sequence[Phase], *, limit: int) -> list[int]:
    """Return the ids of the oldest pending items of these phases; read no more than `limit` of the last one."""
    if not phases:
        return []
    *whole, last = phases
    items = Item.objects.filter(status=ItemStatus.PENDING).values_list("pk", flat=True)
    found = list(items.filter(phase__in=whole).order_by("phase_id", "pk"))
    return [*found, *items.filter(phase=last).order_by(_claim_order())[: limit - len(found)]]


def _claim_order() -> Combinable | str:
    """Return the order of claims, which only the index `item_pending` has on PostgreSQL.

    By the plain id, the planner may walk the primary key through all items of older phases.
    """
    return F("pk") + 0 if connection.vendor == "postgresql" else "pk"


def reason_of(phase: Phase) -> Reason | None:
    """Return why this phase gives no items, from its row alone."""
    refused = closed_to(phase, Call.CLAIM)
    if refused:
        return refused.reason
    return None if phase.pending_items > 0 and not phase.counted else Reason.NONE_PENDING


def _claimable(code: str, *, kind: str, projects: Collection[str] | None) -> PhaseQuerySet:
    phases = Phase.objects.claimable(code=code, kind=kind).filter(
        items_total__gt=F("done") + F("failed") + F("skipped") + F("processing")
    )
    return phases if projects is None else phases.filter(job__project__in=projects)


def _take(change: Change, ids: Sequence[int], takers: Sequence[Taker]) -> list[ClaimedItem]:
    """Lease these pending items of the locked jobs: to each taker as many as it takes, in their order."""
    if not ids:
        return []
    found = bulk_load.values(Item, ids, fields=CLAIM_FIELDS)
    leased_by = [taker for taker in takers for _ in range(taker.limit)][: len(found)]
    leases = {taker: taker.lease(change.now) for taker in takers}
    values = [
        (row[0], ItemStatus.PENDING, row[-1], row[-1] + 1, ItemStatus.PROCESSING, *leases[taker], change.now, None)
        for row, taker in zip(found, leased_by, strict=True)
    ]
    if len(bulk_sql.update(Item, values, match=("id", "status", "attempt"), fields=TAKEN_FIELDS)) != len(ids):
        raise ConcurrentModification("item")
    taken = Counter(row[1] for row in found)
    phases = {phase_id: _taken(change, change.phase(phase_id), number) for phase_id, number in taken.items()}
    for taker, phase_id in dict.fromkeys((taker, row[1]) for row, taker in zip(found, leased_by, strict=True)):
        change.record_worker(taker.worker, job=phases[phase_id].job, by=taker.by)
    return [
        ClaimedItem(pk, key, label, split, payload, attempt + 1, leases[by][-1], phases[of].job_id, phases[of].code)
        for (pk, of, key, label, split, payload, attempt), by in zip(found, leased_by, strict=True)
    ]


def _taken(change: Change, phase: Phase, number: int) -> Phase:
    change.begin(phase)
    change.count(phase, was=ItemStatus.PENDING, now=ItemStatus.PROCESSING, number=number)
    change.record_heartbeat(phase.job)
    return phase
