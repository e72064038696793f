"""The acts that end a job: `force-complete`, `fail`, `cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.change.new_run import revoke_leases
from jobs.change.phase_life import Life
from jobs.models import Phase
from jobs.models.texts import fit
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import UNFINISHED, Act, ButtonText, Confirmation, Lines, Operation, chosen_phases
from jobs.operations.confirmation_text import revoked_leases
from jobs.operations.registry import register
from jobs.rules.errors import WrongState
from jobs.rules.field_types import AnyCode
from jobs.rules.formatting import format_number, pluralize, pluralize_with_verb
from jobs.rules.statuses import CompletedBy, Held, JobStatus

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot


class ForceInput(ActInput, kw_only=True, frozen=True):
    """The phase to complete with its current results; every open one where none is given."""

    phase: AnyCode = ""


class ForceComplete(Operation):
    """Complete the open and failed phases, or one of them, with what they have.

    Each sends one completed event that is marked as forced; an unknown total becomes what is settled. Leases
    are revoked, and the phases are closed for good except by restart. `changed` counts phases.
    """

    name, label, past = "force-complete", "Force-complete", "force-completed"
    summary = "Force-complete a job or a phase"
    help = "complete open and failed phases with what they have; needs --reason"
    states = (*UNFINISHED, JobStatus.FAILED)
    grave = reason_required = ends_job = True
    counts = "phase"
    Arguments = ForceInput
    example = {"reason": "The last two files are broken."}
    nothing = "Every chosen phase is completed."
    type_name = type_count = True

    def unchanged(self, change: Change, arguments: ForceInput) -> str:
        """Do nothing where the chosen phases were force-completed before."""
        chosen = chosen_phases(change, arguments.phase)
        if all(phase.is_completed for phase in chosen) and any(phase.forced for phase in chosen):
            what = f"Phase {arguments.phase}" if arguments.phase else f"Job {change.job.name}"
            return f"{what} has been force-completed already."
        return ""

    def execute(self, change: Change, arguments: ForceInput) -> Act:
        """Revoke the leases and complete the phases."""
        code = arguments.phase
        open_phases = [phase for phase in chosen_phases(change, code) if not phase.is_completed]
        if not open_phases:
            raise WrongState(f"Phase {code} is completed; force-complete is for pending, processing or failed ones.")
        revoke_leases(change, open_phases)
        for phase in open_phases:
            change.complete(phase, by=CompletedBy.FORCED, forced=True)
        detail = f"{pluralize_with_verb(len(open_phases), 'phase')} completed with what is there."
        audit(change, self.verb, detail, phase=open_phases[0] if code else None)
        return Act(len(open_phases), change.job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the counts of the first phases."""
        open_phases = snapshot.unfinished
        effect = "; ".join(f"{phase.code} with {_done(phase)}" for phase in open_phases[:2])
        more = f" and {len(open_phases) - 2} more" if len(open_phases) > 2 else ""
        return ButtonText("Force-complete…", f"Completes {effect}{more}; cannot be undone")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Show the events with their figures, and the items that stay undone."""
        closing = [phase for phase in snapshot.chosen(scope.phase) if not phase.is_completed]
        whole = all(phase in closing for phase in snapshot.unfinished)
        events = [f"{phase.code}.completed once, {_event_figures(phase)}" for phase in closing]
        names = ", ".join(phase.label for phase in closing)
        lines: Lines = [
            ("Will complete", [f"{pluralize(len(closing), 'phase')}: {names}"]),
            ("Will be sent", events + (["job.completed, once"] if whole else [])),
            ("Left behind", [_left(phase) for phase in closing]),
            revoked_leases(snapshot, closing),
            (
                "Undo",
                ["Not possible: subscribers will have received the event. Only a restart opens a phase, as a new run."],
            ),
        ]
        return Confirmation(lines, len(closing), "" if closing else self.nothing)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count the phases that would complete."""
        code = query.scope.phase
        return [sum(not phase.is_completed for phase in each.chosen(code)) for each in query.snapshots]

    def outcome_text(self, act: Act) -> str:
        """Say how many phases were completed."""
        return f"{pluralize(act.changed, 'phase')} force-completed" if act.changed else super().outcome_text(act)


class FailJob(Operation):
    """Fail the job and its open phases; leases are revoked. A restart opens it again."""

    name, label, past = "fail", "Fail", "failed"
    summary = "Fail a job"
    help = "give the job up; a restart opens it again"
    states = UNFINISHED
    grave = ends_job = True

    def unchanged(self, change: Change, arguments: ActInput) -> str:
        """Do nothing on a failed job."""
        return f"Job {change.job.name} is failed already." if change.job.status == JobStatus.FAILED else ""

    def execute(self, change: Change, arguments: ActInput) -> Act:
        """Fail the open phases."""
        open_phases = [phase for phase in change.phases[change.job.pk] if phase.is_open]
        audit(change, self.verb, f"{pluralize_with_verb(len(open_phases), 'open phase')} failed.")
        revoke_leases(change, open_phases)
        change.job.held = ""
        for phase in open_phases:
            change.fail(phase, error=fit(Phase, "error", change.reason) or "failed by an operator")
        return Act(1, change.job, f"Job {change.job.name} is failed.")

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button."""
        open_phases = sum(phase.is_open for phase in snapshot.phases)
        return ButtonText("Fail…", f"{pluralize(open_phases, 'open phase')} fail; leases are revoked")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the events."""
        open_phases = [phase for phase in snapshot.phases if phase.is_open]
        lines: Lines = [
            ("Will fail", [f"the job and {pluralize(len(open_phases), 'open phase')}"]),
            ("Will be sent", [f"{phase.code}.failed" for phase in open_phases] + ["job.failed"]),
            ("Left behind", ["Finished items stay counted; workers get the answer “closed”."]),
            revoked_leases(snapshot, open_phases),
            ("Undo", ["A restart of a phase opens it again; subscribers will have received the events."]),
        ]
        return Confirmation(lines, 1)


class Cancel(Operation):
    """Cancel the job: no more claims, reports or completed events. Finished items stay counted."""

    name, label, past = "cancel", "Cancel", "cancelled"
    summary = "Cancel a job"
    help = "cancel the job: no more claims, reports or completed events"
    states = (*UNFINISHED, JobStatus.FAILED)
    grave = ends_job = type_count = True

    def unchanged(self, change: Change, arguments: ActInput) -> str:
        """Do nothing on a cancelled job."""
        return f"Job {change.job.name} is cancelled already." if change.job.status == JobStatus.CANCELLED else ""

    def execute(self, change: Change, arguments: ActInput) -> Act:
        """Cancel the unfinished phases."""
        unfinished = [phase for phase in change.phases[change.job.pk] if not phase.is_completed]
        audit(change, self.verb, f"{pluralize_with_verb(len(unfinished), 'unfinished phase')} cancelled.")
        revoke_leases(change, change.phases[change.job.pk])
        change.job.held = Held.CANCELLED
        for phase in unfinished:
            change.apply_life_event(phase, Life.CANCEL)
        return Act(1, change.job, f"Job {change.job.name} is cancelled.")

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button."""
        return ButtonText("Cancel…", "No more claims, reports or events; finished items stay counted")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Describe the effects of cancelling."""
        lines: Lines = [
            ("Will be cancelled", [f"the job and {pluralize(len(snapshot.unfinished), 'unfinished phase')}"]),
            ("Will be sent", ["job.cancelled, once; no completed event"]),
            ("Left behind", ["Finished items stay counted; late reports get the answer “closed” and count nothing."]),
            revoked_leases(snapshot, snapshot.unfinished),
            ("Undo", ["A restart of a phase opens the job again; subscribers will have received the event."]),
        ]
        return Confirmation(lines, 1)


def _done(phase: Phase) -> str:
    done = format_number(phase.counts.processed)
    return f"{done} done" if phase.expected is None else f"{done} of {format_number(phase.expected)}"


def _event_figures(phase: Phase) -> str:
    counts = phase.counts
    total = counts.settled if counts.expected is None else counts.expected
    partial = "true" if counts.processed < total else "false"
    return (
        f"with total_assets={total}, processed_assets={counts.processed}, has_partial_completion={partial}, forced=true"
    )


def _left(phase: Phase) -> str:
    counts = phase.counts
    if counts.expected is None:
        return f"{phase.label}: the total was never announced; it becomes {format_number(counts.settled)}."
    open_items = max(0, counts.expected - counts.settled)
    return (
        f"{phase.label}: {pluralize(open_items, 'item')} without an outcome and {format_number(counts.failed)} failed"
        " stay undone; they can no longer be claimed, reported or retried."
    )


force_complete = register(ForceComplete())
fail = register(FailJob())
cancel = register(Cancel())
