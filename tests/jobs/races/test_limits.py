"""Races of limits: never more leased items than a limit allows, and a deletion against a report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import override_settings
from django.utils import timezone

from jobs import operations, tracking
from jobs.models import Item, Job, Phase
from jobs.rules.errors import NotFound
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Claimed, Reported, Result
from tests.factories import WORKER, make_job
from tests.jobs.races.concurrency import assert_whole, fresh, threads
from tests.jobs.test_sql_pins import analyze, plan_of, statements

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 4


def by_name(job: Job, worker: str) -> Claimed:
    return tracking.claim(fresh(job), worker=worker, limit=3, by=WORKER)


def from_any(job: Job, worker: str) -> Claimed:
    return tracking.claim_any(worker=worker, phase=fresh(job).code, limit=3, by=WORKER)


@pytest.mark.parametrize("claim", [by_name, from_any])
def test_no_race_of_claims_exceeds_the_limit_of_a_phase(claim: Callable[[Job, str], Claimed]) -> None:
    with threads(THREADS) as team:
        for number in range(4):
            job = make_job(items=30, phases=[PhaseSpec(code=f"phase-limit-{number}", max_leased=7)])
            claims = team.at_once(*[partial(claim, job, f"w{n}") for n in range(THREADS)])
            assert sum(len(claimed.items) for claimed in claims) == 7
            assert assert_whole(job).processing == 7


@pytest.mark.parametrize("claim", [by_name, from_any])
def test_no_race_of_claims_in_several_jobs_exceeds_the_limit_of_their_project(
    claim: Callable[[Job, str], Claimed],
) -> None:
    with threads(THREADS) as team:
        for number in range(4):
            project = f"limited-{claim.__name__}-{number}"
            operations.set_project_limit(project, 7, actor=None)
            specs = [PhaseSpec(code=f"{project}-items")]
            jobs = [make_job(items=30, project=project, phases=specs) for _ in range(THREADS)]
            claims = team.at_once(*[partial(claim, job, f"w{n}") for n, job in enumerate(jobs)])
            assert sum(len(claimed.items) for claimed in claims) == 7
            leased = Phase.objects.filter(job__in=jobs).aggregate(leased=Sum("processing"))["leased"]
            assert leased == Item.objects.held().filter(phase__job__in=jobs).count() == 7


def test_a_limit_that_is_lowered_while_workers_claim_and_report_is_exceeded_by_no_later_claim() -> None:
    """A quarantined worker begins in the same moment; what it held counts no more."""

    def work(job: Job, worker: str) -> None:
        for _ in range(6):
            items = by_name(job, worker).items
            status = "failed" if worker == "bad" else "completed"
            results = [Result(item.key, status, attempt=item.attempt) for item in items[:2]]
            if results:
                tracking.report(fresh(job), worker=worker, results=results, by=WORKER)

    with threads(THREADS) as team, override_settings(WORKER_FAILURE_LIMIT=4):
        for number in range(3):
            project = f"lowered-{number}"
            operations.set_project_limit(project, 9, actor=None)
            job = make_job(items=60, project=project)
            lower = partial(operations.set_limit, job, phase="items", max_leased=3, actor=None)
            team.at_once(lower, *[partial(work, job, worker) for worker in ("good", "bad", "better")])
            before = assert_whole(job).processing
            assert before <= 9
            claims = team.at_once(*[partial(by_name, job, f"late-{n}") for n in range(THREADS)])
            assert sum(len(claimed.items) for claimed in claims) == max(0, min(3 - before, fresh(job).pending_items))
            assert assert_whole(job).processing == max(before, 3)


def test_claims_of_two_limited_projects_in_both_orders_never_wait_for_each_other() -> None:
    for name in ("left", "right"):
        operations.set_project_limit(name, 1000, actor=None)
    with threads(THREADS) as team:
        for number in range(6):
            code = f"two-projects-{number}"
            for place in range(8):
                make_job(items=3, project=("left", "right")[(place + number) % 2], phases=[PhaseSpec(code=code)])
            claims = team.at_once(
                *[partial(tracking.claim_any, worker=f"w{n}", phase=code, limit=6, by=WORKER) for n in range(THREADS)]
            )
            assert [len(claimed.items) for claimed in claims] == [6] * THREADS


def test_a_deletion_and_a_late_report_leave_no_rows_behind() -> None:
    with threads(2) as team:
        for number in range(6):
            job = make_job(name=f"deleted-{number}", items=9, done=9)
            tracking.add_items(fresh(job), items=[tracking.NewItem("late")], reopen=True, by=WORKER)
            operations.force_complete(job, actor=None, reason="enough")
            report = partial(tracking.report, fresh(job), results=[Result("late", "completed")], by=WORKER)
            deleted, reported = team.at_once(partial(operations.delete, job, actor=None, reason="over"), report)
            assert deleted.changed == 1
            assert isinstance(reported, Reported | NotFound)
            assert not Job._base_manager.filter(pk=job.pk).exists()
            assert not Item.objects.filter(phase__job=job.pk).exists()


# --- the SQL of claims with priorities and limits ------------------------------------------------------


def test_a_limit_of_a_project_costs_two_statements_and_no_limit_costs_none() -> None:
    job, other = (make_job(items=9, project=project) for project in ("costly", "free"))
    claims = [partial(tracking.claim, fresh(each), worker="w1", limit=1, by=WORKER) for each in (job, other)]
    for claim in claims:  # the first claim begins the phase
        claim()
    before = [len(statements(claim)) for claim in claims]
    operations.set_project_limit("costly", 5, actor=None)
    assert [len(statements(claim)) for claim in claims] == [before[0] + 2, before[1]]
    operations.set_limit(other, phase="items", max_leased=5, actor=None)
    assert len(statements(claims[1])) == before[1]


def test_the_common_claim_reads_the_first_phases_by_their_index() -> None:
    """Among thousands of open phases of this code, in the order of priority, with and without limits."""
    now = timezone.now()
    times = {"created_at": now, "updated_at": now, "watched_from": now}
    names = [(f"many-{n}", f"p{n % 50}", n % 7) for n in range(3000)]
    jobs = [Job(name=name, kind="generic", project=of, priority=priority, **times) for name, of, priority in names]
    Job.objects.bulk_create(jobs)
    shape = {"code": "many", "position": 0, "label": "Many", "stage": "", "threshold": 100, "trigger": "when_settled"}
    shape |= {"on_shortfall": "partial", "watermark_ttl": 900}
    busy, free = {"items_total": 5, "processing": 3}, {"items_total": 1}
    Phase.objects.bulk_create(
        Phase(job=job, priority=job.priority, **shape, **(busy if job.project == "p0" else free)) for job in jobs
    )
    for number in range(20):
        operations.set_project_limit(f"p{number}", 1, actor=None)
    analyze()
    claim = partial(tracking.claim_any, worker="w1", phase="many", limit=5, by=WORKER)
    for sql in [sql for sql in statements(claim) if 'FROM "jobs_phase"' in sql and "LIMIT" in sql][:2]:
        check_plan(plan_of(sql))


def check_plan(plan: str) -> None:
    """Check that the phases come in the order of their index, and their jobs by their ids."""
    assert "phase_open" in plan
    assert "Seq Scan on jobs_job" not in plan
    assert "SCAN jobs_job" not in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan
    assert "Sort" not in plan.splitlines()[1] if connection.vendor == "postgresql" else True
