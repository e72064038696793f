"""Moves of items between statuses, with the counters of their phases and the reasons of refused items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count

from jobs.change import Change, ConcurrentModification, attempt_history
from jobs.change.refusals import Call, closed_to, require_open
from jobs.models import Item, Phase
from jobs.models.items import ItemQuerySet
from jobs.operations.base import Refusal, chosen_phases, refusals
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import format_clock
from jobs.rules.statuses import ItemStatus, PhaseStatus


def open_to_items(change: Change, code: str, call: Call) -> list[Phase]:
    """Return the chosen phases that are not closed for good; a single closed one is refused by name."""
    phases = chosen_phases(change, code)
    if code:
        require_open(phases[0], call)
    return [phase for phase in phases if closed_to(phase, call) is None]


def narrow(rows: ItemQuerySet, *, items: Sequence[int] | None) -> ItemQuerySet:
    """Keep only the named items, where any are named."""
    return rows if items is None else rows.with_ids(items)


def move(change: Change, rows: ItemQuerySet, *, was: ItemStatus, now: ItemStatus, values: dict[str, Any]) -> int:
    """Move items that all have the status `was`, together with the counters of their phases; return how many."""
    counted = rows.order_by().values_list("phase").annotate(number=Count("pk"), waiting=Count("available_at"))
    per_phase = {change.phase(phase_id): (number, waiting) for phase_id, number, waiting in counted}
    moved = sum(number for number, _ in per_phase.values())
    if not moved:
        return 0
    if was == ItemStatus.PROCESSING:
        attempt_history.write_released(rows, now=change.now)
    if rows.update(**values) != moved:
        raise ConcurrentModification("item")
    for phase, (number, waiting) in per_phase.items():
        change.count(phase, was=was, now=now, number=number)
        change.wait(phase, -waiting)
    if was == ItemStatus.FAILED:
        change.errors_stale.add(change.job.pk)
    return moved


def reopen_failed(change: Change, phases: Sequence[Phase]) -> None:
    """Reopen each failed phase whose items have moved."""
    for phase in phases:
        if phase.status == PhaseStatus.FAILED and change.has_moved(phase):
            change.reopen(phase)
    change.job.watched_from = change.now


def refusal_reasons(rows: ItemQuerySet, past: str) -> dict[int, str]:
    """Return by item the status that forbids the act; `past` is the act's participle."""
    columns = rows.values_list("pk", "status", "worker", "lease_expires_at")
    return {pk: f"is {status}{_holder(worker, until)}; it cannot be {past}." for pk, status, worker, until in columns}


def _holder(worker: str, until: Any) -> str:
    return f" by {worker or 'a worker'} until {until:%H:%M:%S} UTC" if until else ""


def refuse_rest(change: Change, accepted: Iterable[int], items: Sequence[int] | None, past: str) -> list[Refusal]:
    """Return a refusal for each named item that is not accepted."""
    if items is None:
        return []
    every = Item.objects.filter(phase__in=change.phases[change.job.pk]).with_ids(items)
    return refusals(items, accepted=list(accepted), reasons=refusal_reasons(every, past))


def single(phases: Sequence[Phase]) -> Phase | None:
    """Return the phase if there is exactly one."""
    return phases[0] if len(phases) == 1 else None


# --- one item, on its page ---------------------------------------------------------------------------


def is_live(snapshot: JobSnapshot, item: Item) -> bool:
    """Return whether the item is held under a live lease."""
    held = item.status == ItemStatus.PROCESSING
    return held and item.lease_expires_at is not None and item.lease_expires_at >= snapshot.now


def lease_text(item: Item) -> str:
    """Name the holder of the item and the end of its lease."""
    assert item.lease_expires_at is not None
    return f"{item.worker or 'A worker'} holds it under a live lease until {format_clock(item.lease_expires_at)} UTC."


def closed_phase(snapshot: JobSnapshot, item: Item) -> str:
    """Say that the item's phase is closed for good; empty where it is not."""
    if item.phase_id in [phase.pk for phase in snapshot.takers]:
        return ""
    return f"{item.phase.label} is closed for good; possible there only after a restart."
