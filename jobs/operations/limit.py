"""The act `limit`: the largest number of items of a phase that may be leased at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.change import Change
from jobs.change.audit import audit
from jobs.models import Phase
from jobs.operations.arguments import ActInput, Scope
from jobs.operations.base import NOT_CANCELLED, Act, ButtonText, Confirmation, Lines
from jobs.operations.registry import register
from jobs.operations.setting import PhaseSetting
from jobs.rules.errors import WrongState
from jobs.rules.field_types import Code, MaxLeased
from jobs.rules.formatting import format_number, pluralize

if TYPE_CHECKING:
    from jobs.operations.snapshot import JobSnapshot


class LimitInput(ActInput, kw_only=True, frozen=True):
    """The largest number of items of a phase that are leased at once; null removes the limit."""

    phase: Code
    max_leased: MaxLeased | None


class Limit(PhaseSetting):
    """Limit how many items of a phase are leased at once. Leases that exist stay. `changed` is 1 or 0."""

    name, label, subject = "limit", "Limit leases", "Limit"
    call = "setLeaseLimit"
    summary = "Limit the leased items of a phase"
    help = "limit how many items of a phase are leased at once; `none` removes the limit"
    states = NOT_CANCELLED
    Arguments = LimitInput
    example = {"phase": "items", "max_leased": 8, "reason": "The scanner serves eight."}
    form_fields = ("phase", "max_leased")

    def execute(self, change: Change, arguments: LimitInput) -> Act:
        """Change the limit of the phase."""
        phase = change.phase_by_code(arguments.phase)
        if phase.counted:
            raise WrongState(f"Phase {phase.code} is counted without items, so nothing of it is leased.")
        if phase.max_leased == arguments.max_leased:
            return Act(0, change.job, f"The limit of {phase.code} is {limit_text(phase.max_leased)} already.")
        detail = (
            f"The limit of {phase.code} is {limit_text(arguments.max_leased)} (was {limit_text(phase.max_leased)})."
        )
        phase.max_leased = arguments.max_leased
        audit(change, self.verb, detail, phase=phase)
        return Act(1, change.job, detail)

    def button(self, snapshot: JobSnapshot) -> ButtonText:
        """Return the button with the present limits."""
        phases = self.choosable_phases(snapshot)
        return ButtonText(
            "Limit leases…", "; ".join(_now(phase) for phase in phases[:2]), "" if phases else self.nothing
        )

    def describe(self, snapshot: JobSnapshot, scope: Scope) -> Confirmation:
        """Show the present limit of each phase."""
        phases = self.choosable_phases(snapshot)
        lines: Lines = [
            ("Will change", ["How many items of the chosen phase are leased at once; empty for no limit."]),
            ("Now", [_now(phase) for phase in phases]),
            ("Left behind", ["Leases that exist stay, also those above the limit."]),
            ("Will be sent", ["nothing"]),
            ("Leases revoked", ["none"]),
            ("Undo", ["Change it back."]),
        ]
        return Confirmation(lines, 1, "" if phases else self.nothing)


def limit_text(max_leased: int | None) -> str:
    """Return a limit in words: `8 leased items`, or `none`."""
    return "none" if max_leased is None else pluralize(max_leased, "leased item")


def _now(phase: Phase) -> str:
    return f"{phase.label}: {format_number(phase.processing)} leased, limit {limit_text(phase.max_leased)}"


set_limit = register(Limit())
