"""Base of the acts that change a value of a job, or of one of its phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from jobs.models import Phase
from jobs.operations.base import Operation

if TYPE_CHECKING:
    from jobs.operations.estimate import EstimateQuery
    from jobs.operations.snapshot import JobSnapshot


class Setting(Operation):
    """An act that changes a value. `subject` names the value: `Priority`."""

    past = "changed"
    subject: ClassVar[str]

    @property
    def verb(self) -> str:
        """The name in permissions and timeline: `set_priority`. The path of the REST call has no `set`."""
        return f"set_{self.name}"

    def confirm_label(self, changes: int) -> str:
        """Return the label of the confirming button."""
        return self.label

    def bulk_outcome_text(self, changed: int, jobs: str) -> str:
        """Say in how many jobs it changed."""
        return f"{self.subject} changed in {jobs}"


class PhaseSetting(Setting):
    """An act that changes a value of one phase with items."""

    nothing = "No phase has items."

    def estimate(self, query: EstimateQuery) -> list[int]:
        """Count jobs with such a phase."""
        code = query.scope.phase
        return [int(any(code in ("", p.code) for p in self.choosable_phases(each))) for each in query.snapshots]

    def choosable_phases(self, snapshot: JobSnapshot) -> list[Phase]:
        """Return the phases that may have items."""
        return [phase for phase in snapshot.phases if not phase.counted]
