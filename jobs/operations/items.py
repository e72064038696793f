"""Acts upon items: retry, release, skip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from jobs.change import Change, ConcurrentModification, event_factory
from jobs.change.audit import audit
from jobs.change.item_columns import CLEARED, RENEWED, TAKEN_BACK
from jobs.change.refusals import Call, closed_to, not_cancelled, require_open
from jobs.models import Item, Job, Phase
from jobs.models.items import ItemQuerySet
from jobs.operations.base import Act, Refusal, acting, chosen_phases, refuse_others
from jobs.rules.formatting import pluralize_with_verb
from jobs.rules.statuses import ItemStatus, PhaseStatus

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
    with acting(job, "retry", actor=actor, reason=reason, revision=revision) as change:
        not_cancelled(change.job, "retry")
        phases = _takes_items(change, phase, Call.RETRY)
        failed = Item.objects.failed().filter(phase__in=phases)
        failed = _narrow(failed.alike(error_signature) if error_signature else failed, items=items)
        keys = list(failed.order_by("pk").values_list("key", flat=True)[:KEYS_IN_EVENT])
        refused = _not_failed(change, failed, items)
        moved = _move(change, failed, was=ItemStatus.FAILED, now=ItemStatus.PENDING, values=RENEWED)
        if not moved:
            return Act(0, change.job, "There are no failed items to retry.", refused)
        affected = _only([p for p in phases if change.has_moved(p)])
        _reopen(change, phases)
        change.emit(event_factory.retry_requested(change.job, phase=affected, keys=keys, count=moved))
        detail = f"{pluralize_with_verb(moved, 'failed item')} pending again."
        audit(change, "retry", detail, phase=affected)
        return Act(moved, change.job, detail, refused)


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
    with acting(job, "release", actor=actor, reason=reason, revision=revision) as change:
        phases = chosen_phases(change, phase)
        held = Item.objects.held().filter(phase__in=phases)
        free = _narrow(held if all else held.without_live_lease(change.now), items=items)
        refused = _still_held(change, free, items)
        moved = _move(change, free, was=ItemStatus.PROCESSING, now=ItemStatus.PENDING, values=TAKEN_BACK)
        if not moved:
            return Act(
                0, change.job, "No item is held without a live lease." if not all else "No item is held.", refused
            )
        detail = f"{pluralize_with_verb(moved, 'item')} claimable again."
        audit(change, "release", detail, phase=_only(phases) if phase else None)
        return Act(moved, change.job, detail, refused)


def skip(job: Job, *, items: Sequence[int], actor: By, reason: str = "", revision: int | None = None) -> Act:
    """Pending, failed and abandoned items count as done work from now on.

    An item under a live lease or already settled otherwise is refused. A failed phase goes on, and
    is judged anew. `changed` is the number of items.
    """
    with acting(job, "skip", actor=actor, reason=reason, revision=revision) as change:
        not_cancelled(change.job, "skip")
        phases = _takes_items(change, "", Call.SKIP)
        every = Item.objects.filter(phase__in=phases)
        moved = 0
        free = every.without_live_lease(change.now).with_ids(items).values_list("pk", flat=True)
        waiting = every.filter(status__in=(ItemStatus.PENDING, ItemStatus.FAILED)).with_ids(items)
        fit = [*waiting.values_list("pk", flat=True), *free]
        refused = refuse_others(fit, items, _states(change, every.with_ids(items), "skipped"))
        values = CLEARED | {"status": ItemStatus.SKIPPED, "finished_at": change.now}
        for was in (ItemStatus.PENDING, ItemStatus.FAILED, ItemStatus.PROCESSING):
            chosen = Item.objects.filter(status=was).with_ids(fit)
            moved += _move(change, chosen, was=was, now=ItemStatus.SKIPPED, values=values)
        if not moved:
            return Act(0, change.job, "None of these items can be skipped.", refused)
        _reopen(change, phases)
        detail = f"{pluralize_with_verb(moved, 'item')} skipped."
        audit(change, "skip", detail)
        return Act(moved, change.job, detail, refused)


# --- the parts ---------------------------------------------------------------------------------------


def _takes_items(change: Change, code: str, call: Call) -> list[Phase]:
    """The chosen phases that are not closed for good; a single closed one is refused by name."""
    phases = chosen_phases(change, code)
    if code:
        require_open(phases[0], call)
    return [phase for phase in phases if closed_to(phase, call) is None]


def _narrow(found: ItemQuerySet, *, items: Sequence[int] | None) -> ItemQuerySet:
    return found if items is None else found.with_ids(items)


def _move(change: Change, found: ItemQuerySet, *, was: ItemStatus, now: ItemStatus, values: dict[str, Any]) -> int:
    """Move items that are all of the status `was`, with their counters; how many there were."""
    per_phase = dict(found.order_by().values_list("phase").annotate(number=Count("pk")))
    if not per_phase:
        return 0
    if found.update(**values) != sum(per_phase.values()):
        raise ConcurrentModification("An item was moved by somebody who did not hold the lock of its job.")
    for phase_id, number in per_phase.items():
        change.count(change.phase(phase_id), was=was, now=now, number=number)
    if was == ItemStatus.FAILED:
        change.errors_stale.add(change.job.pk)
    return sum(per_phase.values())


def _reopen(change: Change, phases: Sequence[Phase]) -> None:
    """A failed phase that has lost failed items goes on."""
    for phase in phases:
        if phase.status == PhaseStatus.FAILED and change.has_moved(phase):
            change.reopen(phase)
    change.job.watched_from = change.now


def _states(change: Change, found: ItemQuerySet, wish: str) -> dict[int, str]:
    rows = found.values_list("pk", "status", "worker", "lease_expires_at")
    return {pk: f"is {status}{_holder(worker, until)}; it cannot be {wish}." for pk, status, worker, until in rows}


def _holder(worker: str, until: Any) -> str:
    return f" by {worker or 'a worker'} until {until:%H:%M:%S} UTC" if until else ""


def _not_failed(change: Change, failed: ItemQuerySet, items: Sequence[int] | None) -> list[Refusal]:
    if items is None:
        return []
    every = Item.objects.filter(phase__in=change.phases[change.job.pk]).with_ids(items)
    return refuse_others(list(failed.values_list("pk", flat=True)), items, _states(change, every, "retried"))


def _still_held(change: Change, free: ItemQuerySet, items: Sequence[int] | None) -> list[Refusal]:
    if items is None:
        return []
    every = Item.objects.filter(phase__in=change.phases[change.job.pk]).with_ids(items)
    return refuse_others(list(free.values_list("pk", flat=True)), items, _states(change, every, "released"))


def _only(phases: Sequence[Phase]) -> Phase | None:
    return phases[0] if len(phases) == 1 else None
