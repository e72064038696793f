"""Handlers of inbound events, and the effects that they are made of.

A pipeline lists the types of events that it accepts in `Kind.inbound`, each with an `EventHandler`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from jobs.change import Change
from jobs.change.refusals import Call, closed_to
from jobs.inbox.messages import Inbound
from jobs.models import Phase
from jobs.rules.errors import BadInput
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Held, ItemStatus, Outcome
from jobs.tracking import Batch, NewItem, Result
from jobs.tracking.announce import announce_total
from jobs.tracking.create import add_phases, list_items
from jobs.tracking.report import accepted, apply_results

Unapplied = Literal["duplicate", "same_total", "closed"]
UNAPPLIED: tuple[Unapplied, ...] = ("same_total", "duplicate", "closed")


@dataclass(frozen=True, slots=True)
class Effect:
    """The result of an event: why it changed nothing (None: it changed something), and its phases.

    An event that is not `kept` left no trace. Its id stays free, so it may be sent again once the phase is open.
    """

    reason: Unapplied | None
    phases: Sequence[Phase]
    kept: bool = True


@dataclass(frozen=True, slots=True)
class EventHandler:
    """The handling of one type of event.

    `missing_phases` gets the phases of a job, none for a job that the event creates. It returns those that the
    event needs and the job lacks. `addressed` returns the phases that the event is about. `apply` changes them.
    `repeatable_by_id` says that an event is the same as an earlier one by its id alone, whatever else it says now.
    """

    missing_phases: Callable[[Sequence[Phase]], list[PhaseSpec]]
    addressed: Callable[[Sequence[Phase]], list[Phase]]
    apply: Callable[[Change, Inbound, list[Phase]], Effect]
    repeatable_by_id: bool = False


def handle(change: Change, event: Inbound, handler: EventHandler) -> Effect:
    """Apply an event to the one job of this change, and add the phases that it needs and the job lacks."""
    missing = handler.missing_phases(change.phases[change.job.pk])
    if missing and change.job.held == Held.CANCELLED:
        return Effect("closed", [], kept=False)
    if missing:
        add_phases(change, missing)
    change.record_heartbeat(change.job)
    return handler.apply(change, event, handler.addressed(change.phases[change.job.pk]))


def announce(change: Change, event: Inbound, phases: Sequence[Phase], *, total: int) -> Effect:
    """Announce the total of these phases; those that are over record it."""
    answers = [announce_total(change, phase, expected=total, event_id=event.event_id) for phase in phases]
    applied = [answer.phase for answer in answers if answer.applied]
    if applied:
        return Effect(None, applied)
    reasons = {answer.reason for answer in answers}
    return Effect(next(reason for reason in UNAPPLIED if reason in reasons), phases)


def add_pending(change: Change, phases: Sequence[Phase], items: Sequence[NewItem]) -> Effect:
    """Add pending items to those of the phases that are not over; their totals stay as they are."""
    takers = [phase for phase in phases if closed_to(phase, Call.ADD) is None]
    if not takers:
        return Effect("closed", phases, kept=False)
    added = [list_items(change, phase, items, listing=False).added for phase in takers]
    return Effect(None if any(added) else "duplicate", takers)


def complete_item(change: Change, phase: Phase, key: str, *, field: str) -> Effect:
    """Report the item of this key as completed; `field` names the key in an error.

    Events carry no attempt and no checksum, so an event about a settled item changes nothing.
    """
    batch = Batch(phase, "", [Result(key, ItemStatus.COMPLETED)], change.by)
    [answer] = accepted(apply_results(change, [batch])[0]).results
    if answer.outcome == Outcome.INVALID:
        raise BadInput({field: answer.detail})
    if answer.outcome == Outcome.CLOSED:
        return Effect("closed", [phase], kept=False)
    return Effect(None if answer.outcome == Outcome.APPLIED else "duplicate", [phase])
