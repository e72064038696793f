"""Bulk acts in the state that a test needs, created like those of the confirmation page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.models import BulkAct, Job
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS


def begun(
    slug: str, jobs: Sequence[Job], *, actor: Any, reason: str = "why", items: Any = None, **scope: Any
) -> BulkAct:
    """Create a bulk act on these jobs in their present state."""
    order = ActRequest(ACTS[slug], Scope(**scope), reason)
    marks = [
        TargetSelection(figures.job, bulk.expected_state(figures).states, tuple((items or {}).get(figures.job.pk, ())))
        for figures in snapshots_of(jobs)
    ]
    return bulk.create_bulk_act(order, marks, actor=actor, words="all of them")


def outcomes(act: BulkAct) -> dict[str, str]:
    """Return the outcome of each job."""
    return dict(act.targets.values_list("name", "outcome"))


def details(act: BulkAct) -> set[str]:
    """Return the reasons of refusals."""
    return set(act.targets.filter(outcome="refused").values_list("detail", flat=True))
