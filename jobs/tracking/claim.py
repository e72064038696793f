"""Claims: items leased to a worker. Two workers never lease the same item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Count, Exists, Min
from django.db.models.expressions import Combinable
from django.utils import timezone

from jobs.change import Actor, Change, ConcurrentModification, JobLocked, change_free, change_jobs, is_locked
from jobs.change.refusals import Call, closed_to
from jobs.db import bulk_load, bulk_sql
from jobs.models import Item, Phase
from jobs.models.items import ID_IN_PHASE, ItemQuerySet
from jobs.models.jobs import projects_of
from jobs.models.phases import PhaseQuerySet, has_ready_items
from jobs.rules.statuses import ItemStatus, Reason
from jobs.tracking import claim_limits, quarantine
from jobs.tracking.types import Claimed, ClaimedItem

LOCK_TIMEOUT = "300ms"
CLAIM_FIELDS = (
    "id", "phase", "key", "label", "split", "payload", "attempt", "failures", "error", "available_at",
)  # fmt: skip
TAKEN_FIELDS = (
    "attempt", "status", "started_at", "finished_at", "available_at", "worker", "account", "lease_seconds",
    "lease_expires_at",
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

    Items that wait for a retry are left out until they are due. A phase that completed by threshold, settled or
    watermark still gives its open items. An empty answer has a reason; it costs one query and no lock.
    """
    empty = empty_claim(phase, now=timezone.now())
    if empty:
        return empty
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
    now = change.now
    empty = empty_claim(phase, now=now)
    if empty:
        return [empty for _ in takers]
    allowed = [quarantine.allowance(phase, each.worker, by=each.by, limit=each.limit, now=now) for each in takers]
    serving = [replace(taker, limit=limit) for taker, (limit, _) in zip(takers, allowed, strict=True)]
    ids, held = _choose(change, [phase], limit=sum(taker.limit for taker in serving))
    items = iter(_take(change, ids, serving))
    nothing = empty_claim(phase, now=now) or held or Claimed([], Reason.NONE_PENDING)
    return [
        _claimed(list(islice(items, taker.limit)), until=until, nothing=nothing)
        for taker, (_, until) in zip(serving, allowed, strict=True)
    ]


def _claimed(items: list[ClaimedItem], *, until: datetime | None, nothing: Claimed) -> Claimed:
    if items:
        return Claimed(items)
    return nothing if until is None else Claimed([], Reason.QUARANTINED, until)


def claim_any(
    *, worker: str, phase: str, kind: str = "", limit: int = 100, lease_seconds: int | None = None, by: Actor
) -> Claimed:
    """Take the first pending items of any unfinished phase of this code in a job visible to the account.

    The jobs of the highest priority come first, then the oldest. Phases and projects at their limit are left out. If
    other workers claimed these items while this call waited for the locks, the next ones are tried; the answer is
    empty only when nothing is left. The wait for a locked job is short; then the jobs behind it are tried.
    """
    projects = projects_of(by.account) if by.account else None
    unfinished = quarantine.open_to(_unfinished(phase, kind=kind, projects=projects), worker, by=by)
    ready = unfinished.with_ready_items().below_limit()
    locked: set[int] = set()
    empty: set[int] = set()
    full: set[str] = set()
    while wanted := _first(
        ready.exclude(job__in=locked).exclude(pk__in=empty).exclude(job__project__in=full), limit=limit
    ):
        if claim_limits.exist(wanted) and (reached := claim_limits.full_projects() - full):
            full |= reached
            continue
        job_ids = {phase.job_id for phase in wanted}
        with _claiming(job_ids, by=by) as change:
            found = _first(ready.filter(job__in=change.jobs), limit=limit)
            chosen, most = quarantine.probe_first(found, worker, by=by, limit=limit)
            ids, _ = _choose(change, [change.phase(each.pk) for each in chosen], limit=most)
            items = _take(change, ids, [Taker(worker, most, lease_seconds, by)])
        if items:
            return Claimed(items)
        locked |= job_ids - change.jobs.keys()
        empty |= {phase.pk for phase in chosen}
    if locked:
        raise JobLocked
    return nothing_to_claim(phase, kind=kind, projects=projects, worker=worker, by=by)


def jobs_to_claim(
    code: str, *, kind: str, projects: Collection[str] | None, worker: str, limit: int, by: Actor
) -> set[int]:
    """Return the jobs of the first pending items of phases of this code that are open to the worker."""
    unfinished = quarantine.open_to(_unfinished(code, kind=kind, projects=projects), worker, by=by)
    return {phase.job_id for phase in _first(unfinished.with_ready_items().below_limit(), limit=limit)}


def nothing_to_claim(code: str, *, kind: str, projects: Collection[str] | None, worker: str, by: Actor) -> Claimed:
    """Return the answer to a common claim of this worker for which there are no jobs."""
    unfinished = quarantine.open_to(_unfinished(code, kind=kind, projects=projects), worker, by=by)
    ready = Count("pk", filter=has_ready_items(timezone.now()))
    found = unfinished.aggregate(retry_at=Min("next_due_at"), ready=ready)
    # Only a limit keeps a worker from ready items.
    if found["ready"] and (held := claim_limits.held_back(unfinished.with_ready_items())):
        return held
    if found["retry_at"]:
        return Claimed([], Reason.RETRY_WAIT, found["retry_at"])
    until = quarantine.ends_at(worker, code, by=by)
    return Claimed([], Reason.QUARANTINED if until else Reason.NONE_PENDING, until)


def claim_any_locked(change: Change, phases: Sequence[Phase], taker: Taker) -> Claimed:
    """Take the first pending items of those of these phases that give any, inside a change that has locked them."""
    now = change.now
    giving = sorted(
        (phase for phase in phases if phase.is_open and empty_claim(phase, now=now) is None),
        key=lambda phase: (-phase.priority, phase.pk),
    )
    ids, _ = _choose(change, _enough(giving, limit=taker.limit), limit=taker.limit)
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


def _first(phases: PhaseQuerySet, *, limit: int) -> list[Phase]:
    """Return the first of these phases, as many as have `limit` claimable items by their counters."""
    return _enough(claim_limits.with_existence(phases).most_urgent_first()[:limit], limit=limit)


def _enough(phases: Iterable[Phase], *, limit: int) -> list[Phase]:
    """Return the first of these phases, as many as have `limit` claimable items.

    A phase whose limit allows only some of its items is the last, so that no more than `limit` are read.
    """
    chosen: list[Phase] = []
    ready, now = 0, timezone.now()
    for phase in phases:
        chosen.append(phase)
        ready += phase.ready_items(now)
        if ready >= limit or (phase.room is not None and phase.room < phase.pending_items):
            break
    return chosen


def _choose(change: Change, phases: Sequence[Phase], *, limit: int) -> tuple[list[int], Claimed | None]:
    """Return the ids of the first items of these locked phases that can be claimed now, and a limit that is reached.

    All phases but the last have fewer than `limit` of them by their counters. Of the last one no more are read.
    """
    now, limited = change.now, claim_limits.is_limited(change)
    steady = [phase for phase in phases if phase.pending_items > phase.waiting]
    waiting = [phase for phase in phases if phase.may_have_due_items(now)]
    ready = _read(Item.objects.ready, steady, order=[ID_IN_PHASE], limit=limit, limited=limited)
    # One more of the waiting ones than can be taken: the first that stays is the next that is due.
    times = _read(Item.objects.waiting, waiting, order=["available_at", "pk"], limit=limit + 1, limited=limited)
    due = [row for row in times if row[2] is not None and row[2] <= now]
    allowed, held = claim_limits.within(change, [*ready, *due], limit=limit)
    ids = [row[1] for row in allowed]
    chosen = set(ids)
    for phase in waiting:
        later = [at for of, pk, at, _ in times if of == phase.pk and pk not in chosen and at is not None]
        phase.next_due_at = min(later, default=phase.next_due_at)
    return ids, held


def _read(
    items: Callable[[Iterable[int]], ItemQuerySet],
    phases: Sequence[Phase],
    *,
    order: Sequence[Combinable | str],
    limit: int,
    limited: Exists,
) -> list[tuple[int, int, datetime | None, bool]]:
    """Return all items of these phases, but of the last one only the first in this order.

    A row is (phase, id, retry time, whether a project of these jobs has a limit).
    """
    found: list[tuple[int, int, datetime | None, bool]] = []
    *whole, last = [phase.pk for phase in phases] or [0]
    columns = ("phase_id", "pk", "available_at")
    if whole:
        found += items(whole).order_by("phase_id", *order).values_list(*columns, limited)
    if phases and limit > len(found):
        found += items([last]).order_by(*order).values_list(*columns, limited)[: limit - len(found)]
    return found


def empty_claim(phase: Phase, *, now: datetime) -> Claimed | None:
    """Return the answer of a phase that gives no items, from its row alone; None where it may have some."""
    refused = closed_to(phase, Call.CLAIM)
    if refused:
        return Claimed([], refused.reason)
    if phase.counted or phase.pending_items <= 0:
        return Claimed([], Reason.NONE_PENDING)
    if phase.ready_items(now) <= 0:
        return Claimed([], Reason.RETRY_WAIT, phase.next_due_at)
    return claim_limits.at_limit(phase)


def _unfinished(code: str, *, kind: str, projects: Collection[str] | None) -> PhaseQuerySet:
    phases = Phase.objects.claimable(code=code, kind=kind)
    return phases if projects is None else phases.filter(job__project__in=projects)


def _take(change: Change, ids: Sequence[int], takers: Sequence[Taker]) -> list[ClaimedItem]:
    """Lease these pending items of the locked jobs: to each taker as many as it takes, in their order."""
    if not ids:
        return []
    place = {pk: number for number, pk in enumerate(ids)}
    found = sorted(bulk_load.values(Item, ids, fields=CLAIM_FIELDS), key=lambda row: place[row[0]])
    leased_by = [taker for taker in takers for _ in range(taker.limit)][: len(found)]
    leases = {taker: taker.lease(change.now) for taker in takers}
    attempt = CLAIM_FIELDS.index("attempt")
    began = (ItemStatus.PROCESSING, change.now, None, None)
    values = [
        (row[0], ItemStatus.PENDING, row[attempt], row[attempt] + 1, *began, *leases[taker])
        for row, taker in zip(found, leased_by, strict=True)
    ]
    if len(bulk_sql.update(Item, values, match=("id", "status", "attempt"), fields=TAKEN_FIELDS)) != len(ids):
        raise ConcurrentModification("item")
    taken = Counter(row[1] for row in found)
    waited = Counter(row[1] for row in found if row[-1] is not None)
    phases = {pk: _taken(change, change.phase(pk), number, waited=waited[pk]) for pk, number in taken.items()}
    for taker, phase_id in dict.fromkeys((taker, row[1]) for row, taker in zip(found, leased_by, strict=True)):
        change.record_worker(taker.worker, job=phases[phase_id].job, by=taker.by)
    return [
        ClaimedItem(
            *(pk, key, label, split, payload, attempt + 1, leases[taker][-1]),
            *(phases[of].job_id, phases[of].code, failures, error),
        )
        for (pk, of, key, label, split, payload, attempt, failures, error, _), taker in zip(
            found, leased_by, strict=True
        )
    ]


def _taken(change: Change, phase: Phase, number: int, *, waited: int) -> Phase:
    """Move the counters of a phase; `waited` of its items had waited for their retry."""
    change.begin(phase)
    if waited:
        change.wait(phase, -waited)
        phase.job.watched_from = change.now  # no progress was expected while they waited
    change.count(phase, was=ItemStatus.PENDING, now=ItemStatus.PROCESSING, number=number)
    change.record_heartbeat(phase.job)
    return phase
