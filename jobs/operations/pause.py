"""The acts `pause` and `resume`: claims of a job's items stop and start again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import Act, ButtonText, Confirmation, Lines, Operation
from jobs.operations.registry import register
from jobs.rules.formatting import pluralize
from jobs.rules.statuses import Held, JobStatus

if TYPE_CHECKING:
    from jobs.operations.snapshot import JobSnapshot


class Pause(Operation):
    """Stop new claims. Held items may still be reported; watermarks keep the time they had left."""

    name, label, past = "pause", "Pause", "paused"
    summary = "Pause a job"
    help = "stop new claims; watermarks keep the time they had left"
    states = (JobStatus.PENDING, JobStatus.PROCESSING)

    def unchanged(self, change: Change, arguments: ActInput) -> str:
        """Do nothing on a paused job."""
        return f"Job {change.job.name} is paused already." if change.job.status == JobStatus.PAUSED else ""

    def execute(self, change: Change, arguments: ActInput) -> Act:
        """Pause the job."""
        change.job.held = Held.PAUSED
        audit(change, self.verb, "No new claims.")
        return Act(1, change.job, f"Job {change.job.name} is paused.")

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button."""
        return ButtonText("Pause…", "No new claims; held items may still be reported")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Describe the effects of a pause."""
        lines: Lines = [
            ("Will stop", ["New claims; watermarks keep the time they have left."]),
            ("Will be sent", ["nothing"]),
            ("Left behind", [f"{pluralize(snapshot.live + snapshot.free, 'held item')} may still be reported."]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Resume."]),
        ]
        return Confirmation(lines, 1)


class Resume(Operation):
    """Allow claims again. Watermarks continue with the time they had left."""

    name, label, past = "resume", "Resume", "resumed"
    summary = "Resume a paused job"
    help = "allow claims of a paused job again"
    states = (JobStatus.PAUSED,)

    def unchanged(self, change: Change, arguments: ActInput) -> str:
        """Do nothing on a job that is not paused."""
        running = change.job.status in (JobStatus.PENDING, JobStatus.PROCESSING)
        return f"Job {change.job.name} is not paused." if running else ""

    def execute(self, change: Change, arguments: ActInput) -> Act:
        """Let the job run."""
        change.job.held, change.job.watched_from = "", change.now
        audit(change, self.verb, "Items can be claimed again.")
        return Act(1, change.job, f"Job {change.job.name} runs again.")

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button."""
        return ButtonText("Resume…", "Items can be claimed again; watermarks continue with the time they had left")

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Describe the effects of resuming."""
        lines: Lines = [
            ("Will run again", ["Items can be claimed; watermarks continue with the time they had left."]),
            ("Will be sent", ["nothing"]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Pause."]),
        ]
        return Confirmation(lines, 1)


pause = register(Pause())
resume = register(Resume())
