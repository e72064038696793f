"""New runs of phases: items pending again, leases revoked, rates reset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from jobs.change import attempt_history
from jobs.change.fields import ConcurrentModification
from jobs.change.item_columns import RENEWED, TAKEN_BACK
from jobs.change.job_change import Change
from jobs.change.phase_life import Life
from jobs.models import Item, Phase, Tally
from jobs.rules.statuses import ItemStatus

Scope = Literal["all", "failed"]
REDONE = {"all": (ItemStatus.FAILED, ItemStatus.COMPLETED), "failed": (ItemStatus.FAILED,)}


def gated_after(phases: Sequence[Phase], first: Phase) -> list[Phase]:
    """Return the gated phases behind the first; their results depend on the phase that is about to change."""
    return [phase for phase in phases if phase.position > first.position and phase.gated]


def items_to_redo(phase: Phase, *, only: Scope) -> int:
    """Return how many items a new run makes pending again; a phase without items counts as one."""
    if not phase.items_total:
        return 1
    return phase.failed + phase.processing + (phase.done if only == "all" else 0)


def rerun(change: Change, phases: Sequence[Phase], *, only: Scope = "all") -> int:
    """Begin a new run of each phase; return how many items are pending again (a phase without items counts as one).

    All items but the skipped ones are pending again, or with `failed` only the failed and the leased ones.
    """
    if not phases:
        return 0
    changed = sum(items_to_redo(phase, only=only) for phase in phases)
    # Pending items with failures are part of the new run from its beginning: they no longer wait for a retry.
    pending = Item.objects.filter(phase__in=phases).in_status(ItemStatus.PENDING)
    pending.filter(failures__gt=0).update(**RENEWED)
    revoke_leases(change, phases, values=RENEWED)
    Item.objects.filter(phase__in=phases, status__in=REDONE[only]).update(**RENEWED)
    Tally.objects.filter(phase__in=phases).delete()
    for phase in phases:
        change.apply_life_event(phase, Life.RESTART if only == "all" else Life.RESTART_FAILED)
    return changed


def begin_large(change: Change, phases: Sequence[Phase]) -> None:
    """Begin new runs whose items become pending later, in portions. Leases are revoked at once: they are the fence."""
    revoke_leases(change, phases, values=RENEWED)
    Tally.objects.filter(phase__in=phases).delete()
    for phase in phases:
        change.apply_life_event(phase, Life.RESTART_LARGE)


def revoke_leases(change: Change, phases: Sequence[Phase], *, values: dict[str, Any] = TAKEN_BACK) -> int:
    """Release every leased item of these phases and return their number. Two statements for any number of phases."""
    holding = [phase for phase in phases if phase.processing and not phase.counted]
    if not holding:
        return 0
    held = Item.objects.held().filter(phase__in=holding)
    attempt_history.write_released(held, now=change.now)
    revoked = held.update(**values)
    if revoked != sum(phase.processing for phase in holding):
        raise ConcurrentModification("item")
    for phase in holding:
        phase.processing = 0
    return revoked
