"""The act `threshold`: the percentage of successful items that completes a phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.models import Phase
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import Act, ButtonText, Confirmation, Lines
from jobs.operations.registry import register
from jobs.operations.setting import PhaseSetting
from jobs.rules import progress
from jobs.rules.errors import WrongState
from jobs.rules.field_types import Code, Percentage
from jobs.rules.statuses import CompletedBy, PhaseStatus, Trigger

if TYPE_CHECKING:
    from jobs.operations.snapshot import JobSnapshot


class ThresholdInput(ActInput, kw_only=True, frozen=True):
    """The percent of a phase's expected items that must succeed."""

    phase: Code
    threshold: Percentage


class Threshold(PhaseSetting):
    """Change the threshold of one phase and evaluate the phase at once.

    A failed phase that meets the new threshold completes. `changed` is 1 or 0.
    """

    name, label, subject = "threshold", "Change threshold", "Threshold"
    call = "setThreshold"
    summary = "Change the threshold of a phase"
    help = "change how many percent complete a phase"
    grave = True
    Arguments = ThresholdInput
    example = {"phase": "items", "threshold": 80, "reason": "Storage is back."}
    form_fields = ("phase", "threshold")
    nothing = "Every phase is completed or cancelled; a threshold can change before that."

    def execute(self, change: Change, arguments: ThresholdInput) -> Act:
        """Change and evaluate."""
        phase, threshold = change.phase_by_code(arguments.phase), arguments.threshold
        if phase.status in (PhaseStatus.COMPLETED, PhaseStatus.CANCELLED):
            raise WrongState(
                f"Phase {phase.code} is {phase.status};"
                " its threshold can change while it is pending, processing or failed."
            )
        if phase.threshold == threshold:
            return Act(0, change.job, f"The threshold of {phase.code} is {threshold} % already.")
        detail = f"The threshold of {phase.code} is {threshold} % (was {phase.threshold} %)."
        phase.threshold = threshold
        audit(change, self.verb, detail, phase=phase)
        if phase.status == PhaseStatus.FAILED and progress.threshold_met(phase.counts, threshold):
            _complete_failed(change, phase)
        return Act(1, change.job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the percent that is met now."""
        met = [
            f"{phase.code}: {phase.counts.processed * 100 // phase.expected} % is met now"
            for phase in snapshot.judged
            if phase.expected and phase.counts.processed
        ]
        effect = "; ".join(met[:2]) or "Evaluates the phase at once"
        why_not = "" if snapshot.judged else "Every phase is completed or cancelled."
        return ButtonText("Change threshold…", effect, why_not)

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Show the threshold that each phase meets now."""
        lines: Lines = [
            ("Will change", ["How many percent complete the chosen phase; it is evaluated at once."]),
            ("Met now", [_met(phase) for phase in snapshot.judged]),
            ("Will be sent", ["the completed event of the phase, if the new threshold is met"]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Change it back, as long as the phase has not completed."]),
        ]
        return Confirmation(lines, 1, "" if snapshot.judged else self.nothing)

    def choosable_phases(self, snapshot: JobSnapshot) -> list[Phase]:
        """Return the phases whose threshold can change."""
        return snapshot.judged


def _complete_failed(change: Change, phase: Phase) -> None:
    """Complete a failed phase whose threshold is met now. Its trigger is ignored, because the phase was over."""
    change.reopen(phase)
    if phase.gate_open:
        by_threshold = progress.completion(phase.counts, by=CompletedBy.THRESHOLD)
        change.close(phase, progress.judge(phase.state) or by_threshold)


def _met(phase: Phase) -> str:
    expected = phase.counts.expected
    if not expected:
        return f"{phase.label}: nothing is evaluated before the total is announced"
    met = min(100, phase.counts.processed * 100 // expected)
    waits = "" if phase.trigger == Trigger.AT_THRESHOLD else ", and it completes when every item has an outcome"
    return f"{phase.label}: a threshold up to {met} % is met{waits}"


set_threshold = register(Threshold())
