"""The act `restart`: a new run of a phase and of every later gated one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.change.new_run import begin_large, gated_after, items_to_redo, rerun
from jobs.change.refusals import Call, require_open
from jobs.models import Phase
from jobs.operations import portions
from jobs.operations.arguments import ActInput, RestartScope, Scope
from jobs.operations.base import Act, ButtonText, Confirmation, Lines, Operation
from jobs.operations.confirmation_text import revoked_leases
from jobs.operations.registry import register
from jobs.rules.field_types import Code
from jobs.rules.formatting import pluralize, pluralize_with_verb
from jobs.rules.statuses import Held, Moving, PhaseStatus

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot


class RestartInput(ActInput, kw_only=True, frozen=True):
    """A new run of a phase, over all of its items or the failed ones."""

    phase: Code
    only: RestartScope = "all"


class Restart(Operation):
    """Start a new run of a phase, and of every later gated phase.

    All its items but the skipped ones become pending, or with `failed` only the failed and the held ones
    (nothing, where an open or completed phase has none failed). Later gated phases start from nothing.
    Totals are kept, leases revoked, watermarks and tallies cleared; a cancelled job is open again.
    `changed` counts items; a phase without items counts as one.
    """

    name, label, past = "restart", "Restart", "restarted"
    summary = "Restart a phase and the gated ones after it"
    help = "start a new run of a phase and of the gated ones after it"
    grave = True
    counts = "item"
    Arguments = RestartInput
    example = {"phase": "items", "only": "failed", "reason": "Storage is back."}
    form_fields = ("phase", "only")
    nothing = "No phase has started yet."

    def execute(self, change: Change, arguments: RestartInput) -> Act:
        """Start the new runs."""
        first = change.phase_by_code(arguments.phase)
        if _nothing_to_restart(first, only=arguments.only):
            return Act(0, change.job, f"Phase {first.code} has nothing to restart.")
        later = gated_after(change.phases[change.job.pk], first)
        for phase in [first, *later]:
            require_open(phase, Call.RESTART)
        changed, how = _start(change, first, later, only=arguments.only)
        if change.job.held == Held.CANCELLED:
            change.job.held = ""
        change.job.watched_from = change.now
        change.errors_stale.add(change.job.pk)
        names = ", ".join(phase.code for phase in [first, *later])
        detail = how or f"{pluralize_with_verb(changed, 'item')} pending again."
        audit(change, self.verb, f"A new run of {names}: {detail}", phase=first)
        return Act(changed, change.job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button."""
        why_not = "" if snapshot.begun else self.nothing
        return ButtonText("Restart a phase…", "A new run; every later gated phase starts again too", why_not)

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the phases and count the items."""
        first, later = _restarted(snapshot, scope)
        count = _redone_items(snapshot, scope)
        lines: Lines = [
            ("Will start again", [f"{phase.label}: run {phase.run + 1}" for phase in [*first, *later]]),
            ("Pending again", [pluralize(count, "item")]),
            ("Will be sent", ["nothing now; each phase sends a new completed event when it completes again"]),
            ("Left behind", ["Totals and skipped items stay; results, watermarks and rates of the old run go."]),
            revoked_leases(snapshot, [*first, *later]),
            ("Undo", ["Not possible: the results of the old run are gone."]),
        ]
        return Confirmation(lines, count, "" if snapshot.begun else self.nothing)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count the items of the new runs."""
        return [_redone_items(each, query.scope) if each.begun else 0 for each in query.snapshots]

    def choosable_phases(self, snapshot: JobSnapshot) -> list[Phase]:
        """Return the phases that have started."""
        return snapshot.begun

    def outcome_text(self, act: Act) -> str:
        """Say how many items are pending again."""
        return f"{pluralize(act.changed, 'item')} pending again" if act.changed else super().outcome_text(act)

    def confirm_label(self, changes: int) -> str:
        """Return the label of the confirming button."""
        return f"{self.label} job"

    def bulk_outcome_text(self, changed: int, jobs: str) -> str:
        """Say how many jobs and items."""
        return f"{jobs} restarted, {pluralize(changed, 'item')} pending again"


def _start(change: Change, first: Phase, later: Sequence[Phase], *, only: RestartScope) -> tuple[int, str]:
    """Start the runs; return the number of items, and a sentence where they become pending in portions."""
    changed = items_to_redo(first, only=only) + sum(items_to_redo(phase, only="all") for phase in later)
    if changed <= portions.LARGE:
        return rerun(change, [first], only=only) + rerun(change, later), ""
    begin_large(change, [first, *later])
    marks = dict.fromkeys([first, *later], Moving.RESTART)
    if only == "failed":
        marks[first] = Moving.RESTART_FAILED
    return changed, portions.begin(
        change, restart.name, marks, planned=changed, scope=Scope(phase=first.code, only=only)
    )


def _nothing_to_restart(phase: Phase, *, only: str) -> bool:
    if only == "failed":
        return not phase.failed and (phase.is_completed or phase.is_open)
    return phase.status == PhaseStatus.PENDING and not phase.started_at and not phase.counts.settled


def _restarted(snapshot: JobSnapshot, scope: Scope) -> tuple[list[Phase], list[Phase]]:
    """Return the phase to restart (none where the job has no such phase), and the later gated ones."""
    first = (snapshot.chosen(scope.phase) if scope.phase else snapshot.begun or snapshot.phases)[:1]
    return first, gated_after(snapshot.phases, first[0]) if first else []


def _redone_items(snapshot: JobSnapshot, scope: Scope) -> int:
    first, later = _restarted(snapshot, scope)
    redone = [items_to_redo(phase, only=scope.only) for phase in first]
    return sum(redone) + sum(items_to_redo(phase, only="all") for phase in later)


restart = register(Restart())
