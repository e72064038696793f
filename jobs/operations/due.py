"""The act `due`: the time at which an unfinished job is late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.models import Job
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import UNFINISHED, Act, ButtonText, Confirmation, Lines
from jobs.operations.registry import register
from jobs.operations.setting import Setting
from jobs.rules.field_types import Moment, Seconds
from jobs.rules.formatting import format_datetime, format_duration
from jobs.tracking.types import check_due

if TYPE_CHECKING:
    from jobs.operations.snapshot import JobSnapshot


class DueInput(ActInput, kw_only=True, frozen=True):
    """The due time, or the seconds from the start until it; neither removes it."""

    due_at: Moment | None = None
    expected_seconds: Seconds | None = None


class Due(Setting):
    """Change or remove the due time of a job. A late job that gets time again is late no longer.

    With `expected_seconds` the due time counts from the start of the job. `changed` is 1 or 0.
    """

    name, label, subject = "due", "Change due time", "Due time"
    call = "setDueTime"
    summary = "Change or remove the due time of a job"
    help = "change the time at which an unfinished job is late; without a time, remove it"
    states = UNFINISHED
    Arguments = DueInput
    example = {"due_at": "2026-11-21T18:00:00Z", "reason": "The customer agreed."}
    form_fields = ("due_at", "expected_seconds")
    nothing = "The job is finished; a due time can change before that."

    def execute(self, change: Change, arguments: DueInput) -> Act:
        """Set both columns; the commit derives the due time that counts from the start, and whether the job is late."""
        job = change.job
        check_due(arguments.due_at, arguments.expected_seconds)
        counted = job.expected_seconds is not None
        before = None if counted else job.due_at
        if (arguments.due_at, arguments.expected_seconds) == (before, job.expected_seconds):
            return Act(0, job, f"The due time of {job.name} is {due_text(job)} already.")
        was = due_text(job)
        job.due_at, job.expected_seconds = arguments.due_at, arguments.expected_seconds
        detail = f"The due time of {job.name} is {due_text(job)} (was {was})."
        audit(change, self.verb, detail)
        return Act(1, job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the present due time."""
        return ButtonText("Change due time…", f"The due time is {due_text(snapshot.job)}")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Show the present due time and the effect of another one."""
        lines: Lines = [
            ("Due now", [due_text(snapshot.job)]),
            (
                "Will change",
                ["The time after which an unfinished job is late. Leave both empty to remove it."],
            ),
            ("Will be sent", ["job.on_time_again, if the job is late and gets time again"]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Change it back."]),
        ]
        return Confirmation(lines, 1)


def due_text(job: Job) -> str:
    """Describe the due time of a job: `2026-11-21 18:00:00 UTC`, `2 h after the start` or `none`."""
    if job.expected_seconds is not None:
        return f"{format_duration(job.expected_seconds)} after the start"
    return format_datetime(job.due_at) if job.due_at else "none"


set_due = register(Due())
