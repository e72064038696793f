"""The last act of a person on a job, and the one that force-completed it."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.console.activity.act_labels import past_of
from jobs.models import Activity
from jobs.operations.snapshot import JobSnapshot

FORCED = "force-complete"


@dataclass(frozen=True, slots=True)
class LastAct:
    """An act with its participle, `Force-completed`; `left` items stay undone by it."""

    row: Activity
    past: str
    left: int = 0


def last_acts(snapshot: JobSnapshot) -> dict[str, LastAct | None]:
    """Return the context of the head: the last act, and the force-completion that is in effect; two queries at most.

    An act that is shown as the force-completion is not repeated as the last one.
    """
    acts = Activity.objects.filter(job_id=snapshot.job.pk).newest_first()
    newest = acts.first()
    forced = any(phase.forced and phase.is_completed for phase in snapshot.phases)
    by = None if not forced else newest if newest and newest.act == FORCED else acts.filter(act=FORCED).first()
    return {
        "last_act": _act(newest) if newest and newest != by else None,
        "forced_by": _act(by, left=_left(snapshot)) if by else None,
    }


def _act(row: Activity, *, left: int = 0) -> LastAct:
    return LastAct(row, past_of(row.act).capitalize(), left)


def _left(snapshot: JobSnapshot) -> int:
    forced = [phase for phase in snapshot.phases if phase.forced and phase.is_completed]
    return sum(max(0, (phase.expected or 0) - phase.counts.processed) for phase in forced)
