"""The last act of an operator on a job, and the one that force-completed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobs.models import Event
from jobs.operations.registry import ACTS
from jobs.operations.snapshot import JobSnapshot

PREFIX = "operator."
FORCED = f"{PREFIX}force_complete"


@dataclass(frozen=True, slots=True)
class LastAct:
    """An act in the timeline: `Force-completed` by an account, when and why; `left` items stay undone by it."""

    past: str
    actor: str
    at: datetime
    reason: str
    detail: str
    left: int = 0


def last_acts(snapshot: JobSnapshot) -> dict[str, LastAct | None]:
    """Return the context of the head: the last act, and the force-completion that is in effect; two queries at most.

    An act that is shown as the force-completion is not repeated as the last one.
    """
    acts = Event.objects.filter(job=snapshot.job, type__startswith=PREFIX).order_by("-id")
    newest = acts.first()
    forced = next((phase for phase in snapshot.phases if phase.forced and phase.is_completed), None)
    by = None if forced is None else newest if newest and newest.type == FORCED else acts.filter(type=FORCED).first()
    return {
        "last_act": _act(newest) if newest and newest != by else None,
        "forced_by": _act(by, left=_left(snapshot)) if by else None,
    }


def _act(event: Event, *, left: int = 0) -> LastAct:
    name = event.type.removeprefix(PREFIX).replace("_", "-")
    past = ACTS[name].past if name in ACTS else name.replace("-", " ")
    return LastAct(past[:1].upper() + past[1:], event.actor, event.at, event.reason, event.detail, left)


def _left(snapshot: JobSnapshot) -> int:
    forced = [phase for phase in snapshot.phases if phase.forced and phase.is_completed]
    return sum(max(0, (phase.expected or 0) - phase.counts.processed) for phase in forced)
