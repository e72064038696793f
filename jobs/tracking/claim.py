"""Claims: items leased to a worker. Two workers never lease the same item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.expressions import Combinable

from jobs.change import Actor, Change, ConcurrentModification, JobLocked, change_free, change_jobs, is_locked
from jobs.change.refusals import Call, closed_to
from jobs.db import bulk_sql
from jobs.models import Item, Phase
from jobs.models.jobs import projects_of
from jobs.models.phases import PhaseQuerySet
from jobs.rules.statuses import ItemStatus, Reason
from jobs.tracking import quarantine
from jobs.tracking.types import Claimed, ClaimedItem

LOCK_TIMEOUT = "300ms"
CLAIM_FIELDS = ("id", "phase_id", "key", "label", "split", "payload", "attempt")
TAKEN_FIELDS = (
    "attempt", "status", "worker", "account", "lease_seconds", "lease_expires_at", "started_at", "finished_at",
)  # fmt: skip


def claim(phase: Phase, *, worker: str, limit: int = 100, lease_seconds: int | None = None, by: Actor) -> Claimed:
    """Take up to `limit` pending items of this phase, in their order, for `lease_seconds`.

    A phase that completed by threshold, settled or watermark still gives its open items. An empty answer has a reason;
    it costs one query and no lock.
    """
    reason = _reason(phase)
    if reason:
        return Claimed([], reason)
    with change_jobs([phase.job_id], by=by) as change:
        locked = change.phase(phase.pk)
        reason = _reason(locked)
        if reason:
            return Claimed([], reason)
        limit, until = quarantine.allowance(locked, worker, by=by, limit=limit, now=change.now)
        if not limit:
            return Claimed([], Reason.QUARANTINED, until)
        ids = (
            locked.items.filter(status=ItemStatus.PENDING).order_by(_claim_order()).values_list("pk", flat=True)[:limit]
        )
        items = _take(change, list(ids), worker=worker, lease_seconds=lease_seconds)
    return Claimed(items, None if items else Reason.NONE_PENDING)


def claim_any(
    *, worker: str, phase: str, kind: str = "", limit: int = 100, lease_seconds: int | None = None, by: Actor
) -> Claimed:
    """Take the oldest pending items of any unfinished phase of this code in a job visible to the account.

    If other workers claimed these items while this call waited for the locks, the next ones are tried; the answer is
    empty only when nothing is left. The wait for a locked job is short; then the jobs behind it are tried.
    """
    claimable = quarantine.open_to(_claimable(phase, kind=kind, by=by), worker, by=by)
    locked: set[int] = set()
    while wanted := _oldest(claimable.exclude(job__in=locked), limit=limit):
        job_ids = {phase.job_id for phase in wanted}
        with _claiming(job_ids, by=by) as change:
            found = _oldest(claimable.filter(job__in=change.jobs), limit=limit)
            chosen, most = quarantine.probe_first(found, worker, by=by, limit=limit)
            items = _take(change, _pending(chosen, limit=most), worker=worker, lease_seconds=lease_seconds)
        if found:
            return Claimed(items, None if items else Reason.NONE_PENDING)
        locked |= job_ids - change.jobs.keys()
    if locked:
        raise JobLocked
    until = quarantine.ends_at(worker, phase, by=by)
    return Claimed([], Reason.QUARANTINED if until else Reason.NONE_PENDING, until)


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
    chosen: list[Phase] = []
    pending = 0
    for phase in phases.order_by("pk")[:limit]:
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


def _reason(phase: Phase) -> Reason | None:
    """Return why this phase gives no items, from its row alone."""
    refused = closed_to(phase, Call.CLAIM)
    if refused:
        return refused.reason
    return None if phase.pending_items > 0 and not phase.counted else Reason.NONE_PENDING


def _claimable(code: str, *, kind: str, by: Actor) -> PhaseQuerySet:
    phases = Phase.objects.claimable(code=code, kind=kind).filter(
        items_total__gt=F("done") + F("failed") + F("skipped") + F("processing")
    )
    projects = projects_of(by.account) if by.account else None
    return phases if projects is None else phases.filter(job__project__in=projects)


def _take(change: Change, ids: Sequence[int], *, worker: str, lease_seconds: int | None) -> list[ClaimedItem]:
    """Lease these pending items of the locked jobs to the worker."""
    if not ids:
        return []
    seconds = lease_seconds or settings.ITEM_LEASE_SECONDS
    expires = change.now + timedelta(seconds=seconds)
    found = list(Item.objects.filter(pk__in=ids).order_by("pk").values_list(*CLAIM_FIELDS))
    account = change.by.account.pk if change.by.account else None
    taken_by = (ItemStatus.PROCESSING, worker, account, seconds, expires, change.now, None)
    values = [(row[0], ItemStatus.PENDING, row[-1], row[-1] + 1, *taken_by) for row in found]
    if len(bulk_sql.update(Item, values, match=("id", "status", "attempt"), fields=TAKEN_FIELDS)) != len(ids):
        raise ConcurrentModification("item")
    taken: dict[int, int] = defaultdict(int)
    for row in found:
        taken[row[1]] += 1
    phases = {phase_id: _taken(change, change.phase(phase_id), number) for phase_id, number in taken.items()}
    change.record_worker(worker, job=phases[found[-1][1]].job)
    return [
        ClaimedItem(pk, key, label, split, payload, attempt + 1, expires, phases[of].job_id, phases[of].code)
        for pk, of, key, label, split, payload, attempt in found
    ]


def _taken(change: Change, phase: Phase, number: int) -> Phase:
    change.begin(phase)
    change.count(phase, was=ItemStatus.PENDING, now=ItemStatus.PROCESSING, number=number)
    change.record_heartbeat(phase.job)
    return phase
