"""Parts that the acts on items share: choosing items, moving them with their counters, saying why others stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count

from jobs.change import Change, ConcurrentModification
from jobs.change.refusals import Call, closed_to, require_open
from jobs.models import Item, Phase
from jobs.models.items import ItemQuerySet
from jobs.operations.base import Refusal, chosen_phases, refuse_others
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_clock
from jobs.rules.statuses import ItemStatus, PhaseStatus


def open_to_items(change: Change, code: str, call: Call) -> list[Phase]:
    """Return the chosen phases that are not closed for good; a single closed one is refused by name."""
    phases = chosen_phases(change, code)
    if code:
        require_open(phases[0], call)
    return [phase for phase in phases if closed_to(phase, call) is None]


def narrow(found: ItemQuerySet, *, items: Sequence[int] | None) -> ItemQuerySet:
    """Keep only the named items, where any are named."""
    return found if items is None else found.with_ids(items)


def move(change: Change, found: ItemQuerySet, *, was: ItemStatus, now: ItemStatus, values: dict[str, Any]) -> int:
    """Move items that all have the status `was`, together with the counters of their phases; return how many."""
    per_phase = dict(found.order_by().values_list("phase").annotate(number=Count("pk")))
    if not per_phase:
        return 0
    if found.update(**values) != sum(per_phase.values()):
        raise ConcurrentModification("item")
    for phase_id, number in per_phase.items():
        change.count(change.phase(phase_id), was=was, now=now, number=number)
    if was == ItemStatus.FAILED:
        change.errors_stale.add(change.job.pk)
    return sum(per_phase.values())


def reopen_failed(change: Change, phases: Sequence[Phase]) -> None:
    """Reopen each failed phase whose items have moved."""
    for phase in phases:
        if phase.status == PhaseStatus.FAILED and change.has_moved(phase):
            change.reopen(phase)
    change.job.watched_from = change.now


def states(found: ItemQuerySet, participle: str) -> dict[int, str]:
    """Say for each item which state forbids the act."""
    rows = found.values_list("pk", "status", "worker", "lease_expires_at")
    return {
        pk: f"is {status}{_holder(worker, until)}; it cannot be {participle}." for pk, status, worker, until in rows
    }


def _holder(worker: str, until: Any) -> str:
    return f" by {worker or 'a worker'} until {until:%H:%M:%S} UTC" if until else ""


def refuse_rest(change: Change, found: ItemQuerySet, items: Sequence[int] | None, participle: str) -> list[Refusal]:
    """Return a refusal for each named item that was not found fit."""
    if items is None:
        return []
    every = Item.objects.filter(phase__in=change.phases[change.job.pk]).with_ids(items)
    return refuse_others(list(found.values_list("pk", flat=True)), items, states(every, participle))


def only(phases: Sequence[Phase]) -> Phase | None:
    """Return the phase where there is just one."""
    return phases[0] if len(phases) == 1 else None


# --- one item, on its page ---------------------------------------------------------------------------


def is_live(snapshot: JobSnapshot, item: Item) -> bool:
    """Is the item held under a live lease?"""
    held = item.status == ItemStatus.PROCESSING
    return held and item.lease_expires_at is not None and item.lease_expires_at >= snapshot.now


def live_until(item: Item) -> str:
    """Say who holds the item and until when."""
    assert item.lease_expires_at is not None
    return f"{item.worker or 'A worker'} holds it under a live lease until {format_clock(item.lease_expires_at)} UTC."


def closed_phase(snapshot: JobSnapshot, item: Item) -> str:
    """Say that the item's phase is closed for good; empty where it is not."""
    if item.phase_id in [phase.pk for phase in snapshot.takers]:
        return ""
    return f"{item.phase.label} is closed for good; possible there only after a restart."
