"""Bulk acts in the state that a test needs, begun as the page that asks begins them."""

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
    """A bulk act on these jobs as they are now."""
    order = ActRequest(ACTS[slug], Scope(**scope), reason)
    marks = [
        TargetSelection(figures.job, bulk.expected_state(figures).states, tuple((items or {}).get(figures.job.pk, ())))
        for figures in snapshots_of(jobs)
    ]
    return bulk.create_bulk_act(order, marks, actor=actor, words="all of them")


def outcomes(act: BulkAct) -> dict[str, str]:
    """What became of each job."""
    return dict(act.targets.values_list("name", "outcome"))


def details(act: BulkAct) -> set[str]:
    """Why jobs were refused."""
    return set(act.targets.filter(outcome="refused").values_list("detail", flat=True))
