"""The act `lift`: quarantines of workers end before their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from jobs.change import Change
from jobs.change.audit import audit
from jobs.models import Phase, Quarantine
from jobs.operations import item_moves
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import UNFINISHED, Act, ButtonText, Confirmation, Lines, Operation, chosen_phases
from jobs.operations.registry import register
from jobs.rules.field_types import AnyCode
from jobs.rules.formatting import format_clock, pluralize
from jobs.rules.limits import WORKER_LENGTH
from jobs.tracking import quarantine

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot

NOTHING = "No worker is quarantined."


class LiftInput(ActInput, kw_only=True, frozen=True):
    """The phase and the worker whose quarantines end; all of the job where none is given."""

    phase: AnyCode = ""
    worker: Annotated[str, Meta(max_length=WORKER_LENGTH)] = ""


class Lift(Operation):
    """End quarantines at once: the workers may claim again, and their earlier failures no longer count.

    `changed` counts the quarantines.
    """

    name, label, past = "lift", "Lift quarantine", "lifted"
    call = "liftQuarantine"
    summary = "Lift the quarantine of workers"
    help = "let quarantined workers claim again"
    states = UNFINISHED
    Arguments = LiftInput
    example = {"worker": "gpu-1", "reason": "The disk is replaced."}
    query_fields = ("worker",)
    nothing = NOTHING

    def execute(self, change: Change, arguments: LiftInput) -> Act:
        """Delete the rows, and forget the failures in a row."""
        phases = chosen_phases(change, arguments.phase)
        lifted = quarantine.lift(phases, arguments.worker)
        if not lifted:
            return Act(0, change.job, NOTHING)
        workers = ", ".join(sorted({row.worker for row in lifted}))
        detail = f"{pluralize(len(lifted), 'quarantine')} lifted: {workers} may claim again."
        audit(change, self.verb, detail, phase=item_moves.single(phases) if arguments.phase else None)
        return Act(len(lifted), change.job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the number of quarantines."""
        number = sum(phase.quarantined for phase in snapshot.phases)
        if not number:
            return ButtonText("Lift quarantine…", "", NOTHING)
        return ButtonText(f"Lift {pluralize(number, 'quarantine')}…", "The worker may claim again at once")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Name the workers, their phases and the end of each quarantine."""
        rows = _rows(snapshot.chosen(scope.phase), dict(scope.extra).get("worker", ""))
        named = [f"{row.worker} in {row.phase.label}, until {format_clock(row.until)} UTC" for row in rows]
        lines: Lines = [
            ("Will be lifted", named or ["nothing"]),
            ("Will be sent", ["nothing"]),
            ("Left behind", ["Failed items stay failed; retry them if they are not to blame."]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Not possible; a worker that only fails is quarantined again."]),
        ]
        return Confirmation(lines, len(rows), "" if rows else NOTHING)

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count quarantines."""
        code = query.scope.phase
        return [sum(p.quarantined for p in each.phases if code in ("", p.code)) for each in query.snapshots]

    def confirm_label(self, changes: int) -> str:
        """Return the label of the confirming button."""
        return f"Lift {pluralize(changes, 'quarantine')}"

    def bulk_outcome_text(self, changed: int, jobs: str) -> str:
        """Say how many ended in how many jobs."""
        return f"{pluralize(changed, 'quarantine')} lifted in {jobs}"


def _rows(phases: list[Phase], worker: str) -> list[Quarantine]:
    asked = [phase.pk for phase in phases if phase.quarantined]
    rows = Quarantine.objects.filter(phase__in=asked).select_related("phase").order_by("pk") if asked else []
    return [row for row in rows if worker in ("", row.worker)]


lift = register(Lift())
