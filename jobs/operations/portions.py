"""Large acts: the act itself is one short transaction, and the items move in portions after it.

A transaction over a million items would hold the lock of its job for many seconds, and on SQLite that of every job. So
the act marks its phases and stores a bulk act of one job; the runner of bulk acts moves the items. Each portion is a
transaction that moves the counters too. Until the last one the phase is not evaluated, and a phase that restarts is
closed to workers. The act that ends a phase or starts another run removes the mark, which ends the portions.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from jobs.change import COUNTERS, Actor, Change, change_jobs
from jobs.change.item_columns import RENEWED, TAKEN_BACK
from jobs.change.phase_life import Life
from jobs.models import BulkAct, BulkTarget, Item, Phase
from jobs.models.bulk import TargetOutcome
from jobs.models.items import ItemQuerySet
from jobs.models.texts import fit
from jobs.operations import item_moves
from jobs.operations.arguments import Scope
from jobs.rules.errors import NotFound
from jobs.rules.formatting import format_number, pluralize
from jobs.rules.statuses import RESTARTING, ItemStatus, Moving

# Up to this number an act moves its items in its own transaction: about 0.2 s of SQLite's write lock.
LARGE = 10_000
# About 0.1 s of that lock.
PORTION = 2_000

# The statuses of the items that an act moves. Pending ones are those that have failed before, and wait or do not.
MOVED: dict[str, tuple[ItemStatus, ...]] = {
    Moving.RESTART: (ItemStatus.FAILED, ItemStatus.PENDING, ItemStatus.COMPLETED),
    Moving.RESTART_FAILED: (ItemStatus.FAILED, ItemStatus.PENDING),
    Moving.RETRY: (ItemStatus.FAILED, ItemStatus.PENDING),
    Moving.RELEASE: (ItemStatus.PROCESSING,),
}


def begin(change: Change, name: str, phases: dict[Phase, Moving], *, planned: int, scope: Scope) -> str:
    """Mark these phases and store the bulk act that moves their items; return a sentence on it."""
    job, account = change.job, change.by.account
    bulk = BulkAct.objects.create(
        account=account,
        actor=fit(BulkAct, "actor", change.by.label),
        act=name,
        scope=scope.stored(),
        chosen=fit(BulkAct, "chosen", f"job {job.name}, in portions"),
        reason=change.reason,
        total=1,
        created_at=change.now,
    )
    BulkTarget.objects.create(bulk=bulk, job_id=job.pk, name=job.name, states="", was=job.status, planned=planned)
    for phase, moving in phases.items():
        phase.moving, phase.moving_act = moving, bulk.pk
    return f"Bulk act {bulk.pk} makes {pluralize(planned, 'item')} pending, in portions."


def move_next(bulk: BulkAct, target: BulkTarget) -> dict[str, Any]:
    """Move the next portion; return the columns of the target. It has an outcome after the last portion."""
    with _changing(bulk, target) as change:
        phases = _marked(change, bulk)
        if phases:
            after, moved = _move(change, phases[0], bulk, target)
            if not after:
                change.apply_life_event(phases[0], Life.MOVED)
            if after or len(phases) > 1:
                return {"changed": target.changed + moved, "after": after}
        detail = f"{format_number(target.changed)} of {pluralize(target.planned, 'item')} pending again."
        change.record(change.job, f"{bulk.act}.moved", detail=detail)
    outcome = TargetOutcome.CHANGED if target.changed else TargetOutcome.UNCHANGED
    return {"outcome": outcome, "changed": target.changed, "detail": detail, "became": change.job.status}


def stop(bulk: BulkAct) -> None:
    """End the portions of a bulk act. The items that are left stay as they are, and their phases continue."""
    for target in bulk.targets.open().filter(planned__gt=0):
        with suppress(NotFound), _changing(bulk, target) as change:
            for phase in _marked(change, bulk):
                if phase.moving in RESTARTING:
                    # With what is left of the run before, the threshold may be met at once.
                    change.apply_life_event(phase, Life.AWAIT_NEW)
                change.apply_life_event(phase, Life.MOVED)


def _changing(bulk: BulkAct, target: BulkTarget) -> Any:
    return change_jobs([target.job_id], by=Actor(account=bulk.account, name=bulk.actor), reason=bulk.reason)


def _marked(change: Change, bulk: BulkAct) -> Sequence[Phase]:
    return [phase for phase in change.phases[change.job.pk] if phase.moving_act == bulk.pk]


def _move(change: Change, phase: Phase, bulk: BulkAct, target: BulkTarget) -> tuple[int, int]:
    """Move the next items; return the id to continue after (0 at the end) and the number of those that count.

    Items of an open phase may come back to their status, so all are moved once, in the order of their ids.
    """
    found = sorted(
        (pk, status)
        for status in MOVED[phase.moving]
        if _may_have(phase, status)
        for pk in _after(phase, status, bulk, target, change)
    )[:PORTION]
    moved = 0
    for status in MOVED[phase.moving]:
        ids = [pk for pk, of in found if of == status]
        chosen = Item.objects.filter(status=status).with_ids(ids)
        values = TAKEN_BACK if phase.moving == Moving.RELEASE else RENEWED
        number = item_moves.move(change, chosen, was=status, now=ItemStatus.PENDING, values=values) if ids else 0
        # What a restart finds pending is part of the new run already.
        moved += 0 if phase.moving in RESTARTING and status == ItemStatus.PENDING else number
    return (found[-1][0] if found else 0), moved


def _may_have(phase: Phase, status: ItemStatus) -> bool:
    """Return from its counters whether the phase may have such items."""
    if status == ItemStatus.PENDING:
        return phase.waiting > 0 or (phase.moving in RESTARTING and phase.retries > 0)
    return bool(getattr(phase, COUNTERS[status]))


def _after(phase: Phase, status: ItemStatus, bulk: BulkAct, target: BulkTarget, change: Change) -> list[int]:
    """Return the ids of the next items of one status."""
    rows = _chosen(Item.objects.in_status_after(phase.pk, status, target.after), bulk, change)
    if status == ItemStatus.PENDING:
        is_meant = {"failures__gt": 0} if phase.moving in RESTARTING else {"available_at__isnull": False}
        rows = rows.filter(**is_meant)
    return list(rows.values_list("pk", flat=True)[:PORTION])


def _chosen(items: ItemQuerySet, bulk: BulkAct, change: Change) -> ItemQuerySet:
    """Return the items that the act is about: those of its signature, or those that a release may free."""
    if bulk.scope["signature"]:
        items = items.with_signature(bulk.scope["signature"])
    if bulk.act == Moving.RELEASE and not bulk.scope["all"]:
        items = items.without_live_lease(change.now)
    return items
