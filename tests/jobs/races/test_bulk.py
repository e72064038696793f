"""Bulk acts in several processes: every job is done, and done once."""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

import pytest
from django.db import transaction

from jobs.models import BulkAct, Job
from jobs.models.bulk import BulkTargetQuerySet
from jobs.operations import bulk
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection
from jobs.operations.estimate import snapshots_of
from jobs.operations.registry import ACTS
from tests.factories import make_job, operator, types
from tests.jobs.races.concurrency import threads

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = 12


def begun() -> BulkAct:
    """Make a retry of jobs that have a failed item each."""
    jobs = [make_job(items=2, failed=1) for _ in range(JOBS)]
    marks = [TargetSelection(figures.job, bulk.expected_state(figures).states) for figures in snapshots_of(jobs)]
    return bulk.create_bulk_act(ActRequest(ACTS["retry"], Scope(), "why"), marks, actor=operator("retry"))


def go_on(act: BulkAct) -> None:
    """Run bulk acts as the watchdog of one process does."""
    bulk.run_bulk_act(BulkAct.objects.get(pk=act.pk), seconds=60)


def retries(act: BulkAct) -> list[int]:
    """Count the retries of each job."""
    jobs = Job.objects.filter(pk__in=act.targets.values("job_id"))
    return [types(job).count("operator.retry") for job in jobs]


def test_four_at_once_do_every_job_once() -> None:
    act = begun()
    with threads(4) as team:
        team.at_once(*[partial(go_on, act)] * 4)
    act.refresh_from_db()
    assert (act.status, act.done, act.changed, act.refused) == ("finished", JOBS, JOBS, 0)
    assert retries(act) == [1] * JOBS


@pytest.mark.postgres
def test_without_the_lock_on_the_target_the_guard_of_its_outcome_takes_a_second_act_back() -> None:
    act = begun()
    with patch.object(BulkTargetQuerySet, "select_for_update", lambda found, **_: found), threads(4) as team:
        team.at_once(*[partial(go_on, act)] * 4)
    bulk.run_bulk_act(act, seconds=60)
    assert (act.status, act.done, act.changed) == ("finished", JOBS, JOBS)
    assert retries(act) == [1] * JOBS


@pytest.mark.postgres
def test_a_job_that_is_locked_for_long_holds_up_no_other_of_the_act() -> None:
    act = begun()
    first = act.targets.order_by("pk")[0]
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=first.job_id)
        with threads(1) as team:
            [over] = team.at_once(partial(bulk.run_bulk_act, act, seconds=60))
    assert not over
    assert (act.done, act.targets.open().get().pk) == (JOBS - 1, first.pk)
    assert bulk.run_bulk_act(act, seconds=60)
    assert retries(act) == [1] * JOBS
