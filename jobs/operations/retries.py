"""The act `retries`: the number of automatic retries of the failed items of a phase, and their delays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.models import Phase
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import Act, ButtonText, Confirmation, Lines
from jobs.operations.registry import register
from jobs.operations.setting import PhaseSetting
from jobs.rules.errors import BadInput
from jobs.rules.field_types import Code, RetryDelay
from jobs.rules.field_types import Retries as Number
from jobs.rules.formatting import format_duration, pluralize

if TYPE_CHECKING:
    from jobs.operations.snapshot import JobSnapshot


class RetriesInput(ActInput, kw_only=True, frozen=True):
    """The automatic retries of each failed item, and their first and longest delay in seconds."""

    phase: Code
    retries: Number
    retry_delay: RetryDelay | None = None
    retry_delay_max: RetryDelay | None = None


class Retries(PhaseSetting):
    """Change the automatic retries of one phase. A delay that is not given stays.

    The new values are for failures from now on: failed items stay failed, and waiting items keep their time. `changed`
    is 1 or 0.
    """

    name, label, subject = "retries", "Change retries", "Retries"
    call = "setRetries"
    summary = "Change the automatic retries of a phase"
    help = "change how often failed items are retried by themselves"
    Arguments = RetriesInput
    example = {"phase": "items", "retries": 3, "retry_delay": 30, "reason": "The storage is flaky."}
    form_fields = ("phase", "retries", "retry_delay", "retry_delay_max")

    def execute(self, change: Change, arguments: RetriesInput) -> Act:
        """Change the policy of the phase."""
        phase = change.phase_by_code(arguments.phase)
        before = phase.retry_policy
        phase.retries = arguments.retries
        phase.retry_delay = arguments.retry_delay or phase.retry_delay
        phase.retry_delay_max = arguments.retry_delay_max or phase.retry_delay_max
        if phase.retry_delay > phase.retry_delay_max:
            raise BadInput({"retry_delay": f"Enter at most the longest delay, which is {phase.retry_delay_max} s."})
        if phase.retry_policy == before:
            return Act(0, change.job, f"The retries of {phase.code} are {_policy(phase)} already.")
        detail = f"The retries of {phase.code}: {_policy(phase)}."
        audit(change, self.verb, detail, phase=phase)
        return Act(1, change.job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the present retries."""
        phases = self.choosable_phases(snapshot)
        now = "; ".join(f"{phase.label}: {_policy(phase)}" for phase in phases[:2])
        return ButtonText("Change retries…", now, "" if phases else self.nothing)

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Show the present retries of each phase."""
        phases = self.choosable_phases(snapshot)
        lines: Lines = [
            ("Will change", ["How often a failed item of the chosen phase is retried by itself, from now on."]),
            ("Now", [f"{phase.label}: {_policy(phase)}" for phase in phases]),
            ("Left behind", ["Failed items stay failed; items that wait for a retry keep their time."]),
            ("Will be sent", ["nothing"]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Change it back."]),
        ]
        return Confirmation(lines, 1, "" if phases else self.nothing)


def _policy(phase: Phase) -> str:
    if not phase.retries:
        return "none"
    longest = format_duration(phase.retry_delay_max)
    return f"{pluralize(phase.retries, 'retry', 'retries')} after {format_duration(phase.retry_delay)} to {longest}"


set_retries = register(Retries())
