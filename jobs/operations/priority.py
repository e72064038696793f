"""The act `priority`: the place of a job in the order of the common claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import UNFINISHED, Act, ButtonText, Confirmation, Lines
from jobs.operations.registry import register
from jobs.operations.setting import Setting
from jobs.rules.field_types import PriorityNumber
from jobs.rules.statuses import JobStatus

if TYPE_CHECKING:
    from jobs.operations.snapshot import JobSnapshot


class PriorityInput(ActInput, kw_only=True, frozen=True):
    """The priority of the job, from -100 to 100; the highest is claimed first."""

    priority: PriorityNumber


class Priority(Setting):
    """Change the priority of a job for claims over all jobs. `changed` is 1 or 0."""

    name, label, subject = "priority", "Change priority", "Priority"
    call = "setPriority"
    summary = "Change the priority of a job"
    help = "change which job is claimed first: -100 to 100, the highest first"
    states = (*UNFINISHED, JobStatus.FAILED)
    Arguments = PriorityInput
    example = {"priority": 50, "reason": "The hearing is tomorrow."}
    form_fields = ("priority",)

    def execute(self, change: Change, arguments: PriorityInput) -> Act:
        """Change the job and its phases."""
        job, priority = change.job, arguments.priority
        if job.priority == priority:
            return Act(0, job, f"The priority is {priority} already.")
        detail = f"The priority is {priority} (was {job.priority})."
        job.priority = priority
        for phase in change.phases[job.pk]:
            phase.priority = priority
        audit(change, self.verb, detail)
        return Act(1, job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the present priority."""
        return ButtonText("Change priority…", f"The priority is {snapshot.job.priority} now")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Show the present priority."""
        lines: Lines = [
            ("Will change", ["The order in which workers that serve all jobs claim items: the highest first."]),
            ("Now", [f"priority {snapshot.job.priority}"]),
            ("Will be sent", ["nothing"]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Change it back."]),
        ]
        return Confirmation(lines, 1)


set_priority = register(Priority())
