"""Acts upon items: retry, release, skip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from jobs.change import event_factory
from jobs.change import Change, LostRace
from jobs.change.audit import audit
from jobs.change.item_columns import CLEARED, RENEWED, TAKEN_BACK
from jobs.change.refusals import Call, closed_to, not_cancelled, require_open
from jobs.models import Item, Job, Phase
from jobs.models.items import ItemQuerySet
from jobs.operations.base import Act, Refusal, acting, chosen_phases, refuse_others
from jobs.rules.statuses import ItemStatus, PhaseStatus
from jobs.rules.formatting import things_are

if TYPE_CHECKING:
    from jobs.operations.base import By

KEYS_IN_EVENT = 1000


def retry(
    job: Job,
    *,
    phase: str = "",
    items: Sequence[int] | None = None,
    error_signature: str = "",
    actor: By,
    reason: str = "",
    revision: int | None = None,
) -> Act:
    """Failed items become pending: by ids, by phase, by error signature, or all of the job.

    A failed phase goes on in the same run; in a phase that completed with failures the retried items
    count late. `changed` is the number of items. Refused on a cancelled job and a forced phase.
    """
    with acting(job, "retry", actor=actor, reason=reason, revision=revision) as c:
        not_cancelled(c.job, "retry")
        phases = _takes_items(c, phase, Call.RETRY)
        failed = Item.objects.failed().filter(phase__in=phases)
        failed = _narrow(failed.alike(error_signature) if error_signature else failed, items=items)
        keys = list(failed.order_by("pk").values_list("key", flat=True)[:KEYS_IN_EVENT])
        refused = _not_failed(c, failed, items)
        moved = _move(c, failed, was=ItemStatus.FAILED, now=ItemStatus.PENDING, values=RENEWED)
        if not moved:
            return Act(0, c.job, "There are no failed items to retry.", refused)
        affected = _only([p for p in phases if c.has_moved(p)])
        _reopen(c, phases)
        c.emit(event_factory.retry_requested(c.job, phase=affected, keys=keys, count=moved))
        detail = f"{things_are(moved, 'failed item')} pending again."
        audit(c, "retry", detail, phase=affected)
        return Act(moved, c.job, detail, refused)


def release(
    job: Job,
    *,
    phase: str = "",
    items: Sequence[int] | None = None,
    all: bool = False,
    actor: By,
    reason: str = "",
    revision: int | None = None,
) -> Act:
    """Held items without a live lease become pending under a new attempt; with `all`, live leases too.

    A report under the old attempt is stale from then on. `changed` is the number of items.
    """
    with acting(job, "release", actor=actor, reason=reason, revision=revision) as c:
        phases = chosen_phases(c, phase)
        held = Item.objects.held().filter(phase__in=phases)
        free = _narrow(held if all else held.without_live_lease(c.now), items=items)
        refused = _still_held(c, free, items)
        moved = _move(c, free, was=ItemStatus.PROCESSING, now=ItemStatus.PENDING, values=TAKEN_BACK)
        if not moved:
            return Act(0, c.job, "No item is held without a live lease." if not all else "No item is held.", refused)
        detail = f"{things_are(moved, 'item')} claimable again."
        audit(c, "release", detail, phase=_only(phases) if phase else None)
        return Act(moved, c.job, detail, refused)


def skip(job: Job, *, items: Sequence[int], actor: By, reason: str = "", revision: int | None = None) -> Act:
    """Pending, failed and abandoned items count as done work from now on.

    An item under a live lease or already settled otherwise is refused. A failed phase goes on, and
    is judged anew. `changed` is the number of items.
    """
    with acting(job, "skip", actor=actor, reason=reason, revision=revision) as c:
        not_cancelled(c.job, "skip")
        phases = _takes_items(c, "", Call.SKIP)
        every = Item.objects.filter(phase__in=phases)
        moved = 0
        free = every.without_live_lease(c.now).with_ids(items).values_list("pk", flat=True)
        waiting = every.filter(status__in=(ItemStatus.PENDING, ItemStatus.FAILED)).with_ids(items)
        fit = [*waiting.values_list("pk", flat=True), *free]
        refused = refuse_others(fit, items, _states(c, every.with_ids(items), "skipped"))
        values = CLEARED | {"status": ItemStatus.SKIPPED, "finished_at": c.now}
        for was in (ItemStatus.PENDING, ItemStatus.FAILED, ItemStatus.PROCESSING):
            chosen = Item.objects.filter(status=was).with_ids(fit)
            moved += _move(c, chosen, was=was, now=ItemStatus.SKIPPED, values=values)
        if not moved:
            return Act(0, c.job, "None of these items can be skipped.", refused)
        _reopen(c, phases)
        detail = f"{things_are(moved, 'item')} skipped."
        audit(c, "skip", detail)
        return Act(moved, c.job, detail, refused)


# --- the parts ---------------------------------------------------------------------------------------


def _takes_items(c: Change, code: str, call: Call) -> list[Phase]:
    """The chosen phases that are not closed for good; a single closed one is refused by name."""
    phases = chosen_phases(c, code)
    if code:
        require_open(phases[0], call)
    return [phase for phase in phases if closed_to(phase, call) is None]


def _narrow(found: ItemQuerySet, *, items: Sequence[int] | None) -> ItemQuerySet:
    return found if items is None else found.with_ids(items)


def _move(c: Change, found: ItemQuerySet, *, was: ItemStatus, now: ItemStatus, values: dict[str, Any]) -> int:
    """Move items that are all of the status `was`, with their counters; how many there were."""
    per_phase = dict(found.order_by().values_list("phase").annotate(number=Count("pk")))
    if not per_phase:
        return 0
    if found.update(**values) != sum(per_phase.values()):
        raise LostRace("An item was moved by somebody who did not hold the lock of its job.")
    for phase_id, number in per_phase.items():
        c.count(c.phase(phase_id), was=was, now=now, number=number)
    if was == ItemStatus.FAILED:
        c.errors_stale.add(c.job.pk)
    return sum(per_phase.values())


def _reopen(c: Change, phases: Sequence[Phase]) -> None:
    """A failed phase that has lost failed items goes on."""
    for phase in phases:
        if phase.status == PhaseStatus.FAILED and c.has_moved(phase):
            c.reopen(phase)
    c.job.watched_from = c.now


def _states(c: Change, found: ItemQuerySet, wish: str) -> dict[int, str]:
    rows = found.values_list("pk", "status", "worker", "lease_expires_at")
    return {pk: f"is {status}{_holder(worker, until)}; it cannot be {wish}." for pk, status, worker, until in rows}


def _holder(worker: str, until: Any) -> str:
    return f" by {worker or 'a worker'} until {until:%H:%M:%S} UTC" if until else ""


def _not_failed(c: Change, failed: ItemQuerySet, items: Sequence[int] | None) -> list[Refusal]:
    if items is None:
        return []
    every = Item.objects.filter(phase__in=c.phases[c.job.pk]).with_ids(items)
    return refuse_others(list(failed.values_list("pk", flat=True)), items, _states(c, every, "retried"))


def _still_held(c: Change, free: ItemQuerySet, items: Sequence[int] | None) -> list[Refusal]:
    if items is None:
        return []
    every = Item.objects.filter(phase__in=c.phases[c.job.pk]).with_ids(items)
    return refuse_others(list(free.values_list("pk", flat=True)), items, _states(c, every, "released"))


def _only(phases: Sequence[Phase]) -> Phase | None:
    return phases[0] if len(phases) == 1 else None
