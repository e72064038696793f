"""Confirmation pages: their common lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.models import Phase
from jobs.operations.arguments import Scope
from jobs.operations.base import Confirmation, Lines, Operation
from jobs.operations.registry import refusal
from jobs.operations.snapshot import JobSnapshot
from jobs.rules import progress
from jobs.rules.formatting import format_number, pluralize

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models.items import ItemQuerySet

ITEMS_NAMED = 8


def confirmation(act: Operation, snapshot: JobSnapshot, user: User | AnonymousUser, scope: Scope) -> Confirmation:
    """Return the confirmation of an act on a job, with the reason if this account cannot do it."""
    described = act.describe(snapshot, scope)
    why_not = refusal(act, snapshot.job, user) or described.why_not
    now = ("Now", [_phase_now(phase) for phase in snapshot.chosen(scope.phase)])
    return Confirmation([now, *described.lines], described.changes, why_not)


def _phase_now(phase: Phase) -> str:
    counts = phase.counts
    done, failed = format_number(counts.processed), format_number(counts.failed)
    if counts.expected is None:
        return f"{phase.label}: {done} done, {failed} failed, total not announced"
    percent = progress.percent(counts, completed=phase.is_completed)
    return (
        f"{phase.label}: {done} of {format_number(counts.expected)} done ({percent} %), {failed} failed;"
        f" completes at {phase.threshold} % = {format_number(progress.needed(counts.expected, phase.threshold))}"
    )


def scoped(items: ItemQuerySet, phases: list[Phase], scope: Scope) -> ItemQuerySet:
    """Narrow items to phases and to the items of a scope."""
    found = items.filter(phase__in=[phase.pk for phase in phases])
    return found.with_ids(scope.items) if scope.items else found


def names_of(items: ItemQuerySet) -> str:
    """Name the first few items."""
    named = [str(item) for item in items.only("label", "key").order_by("pk")[: ITEMS_NAMED + 1]]
    return ", ".join(named[:ITEMS_NAMED]) + (" …" if len(named) > ITEMS_NAMED else "")


def with_refused(lines: Lines, refused: int, state: str) -> Lines:
    """Insert a line about selected items that the act refuses, if there are any."""
    if refused > 0:
        lines.insert(1, ("Will be refused", [f"{pluralize(refused, 'item')}: {state}"]))
    return lines


def revoked_leases(snapshot: JobSnapshot, phases: list[Phase]) -> tuple[str, list[str]]:
    """Return the line about the leases that the act revokes."""
    held = sum(phase.processing for phase in phases if not phase.counted)
    holders = ", ".join(snapshot.holders) or "?"
    return "Leases revoked", [f"{pluralize(held, 'held item')} taken from {holders}" if held else "none"]
