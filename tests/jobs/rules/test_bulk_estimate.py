"""The confirmation of a bulk act: its numbers are the numbers of the act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Item, Job
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.estimate import estimates
from jobs.operations.registry import ACTS
from tests.factories import job_in, make_job, operator, phase_of, take
from tests.jobs.bulk_acts import begun

pytestmark = pytest.mark.django_db


VARIETY: list[tuple[str, dict[str, Any]]] = [
    ("retry", {}),
    ("retry", {"signature": "error"}),
    ("retry", {"phase": "items"}),
    ("retry", {"phase": "nowhere"}),
    ("release", {}),
    ("release", {"all": True}),
    ("skip", {}),
    ("pause", {}),
    ("resume", {}),
    ("threshold", {"phase": "items", "threshold": 7}),
    ("restart", {"phase": "items"}),
    ("restart", {"phase": "items", "only": "failed"}),
    ("force-complete", {}),
    ("fail", {}),
    ("cancel", {}),
]


def variety() -> list[Job]:
    """Make a job in every state, with failures and leases."""
    jobs = [job_in(status) for status in ("pending", "processing", "paused", "completed", "failed", "cancelled")]
    held = make_job(items=6, done=1, failed=2)
    take(phase_of(held), 2)
    Item.objects.filter(pk__in=Item.objects.held().order_by("pk").values("pk")[:1]).update(
        lease_expires_at=timezone.now() - timedelta(seconds=5)
    )
    return [*jobs, held]


@pytest.mark.parametrize("with_items", [True, False], ids=["items", "whole"])
@pytest.mark.parametrize(("slug", "scope"), VARIETY, ids=[f"{slug}-{n}" for n, (slug, _) in enumerate(VARIETY)])
def test_what_is_forecast_is_what_is_done(slug: str, scope: dict[str, Any], with_items: bool) -> None:
    olga, jobs = operator(ACTS[slug].verb), variety()
    jobs = list(Job.objects.filter(pk__in=[job.pk for job in jobs]).order_by("pk"))
    items = None
    if with_items and slug in ("retry", "release", "skip"):
        items = {job.pk: tuple(Item.objects.filter(phase__job=job).values_list("pk", flat=True)) for job in jobs}
    found = estimates(ACTS[slug], jobs, olga, Scope(**scope), items)
    act = begun(slug, jobs, actor=olga, items=items, **scope)
    bulk.run_bulk_act(act, seconds=60)
    done = dict(act.targets.values_list("job_id", "changed"))
    assert {each.job.pk: each.changes for each in found} == done
    assert all(each.why_not for each in found if not done[each.job.pk])
