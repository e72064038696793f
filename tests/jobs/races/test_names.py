"""Concurrent creations, counts and announcements: one job of a name, each event_id once, no sum lost."""

from __future__ import annotations

from functools import partial
from time import sleep
from uuid import uuid4

import pytest

from jobs import operations, tracking
from jobs.models import Event, Job, Worker
from jobs.rules.errors import Conflict, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Batch, Result
from jobs.tracking.report import report_many
from tests.factories import WORKER, complete, make_job, new_items
from tests.jobs.races.concurrency import assert_whole, fresh, outcomes, threads
from tests.plan import size

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(8)
FRAMES = size(2_400, full=10_000)


def test_creators_of_the_same_name_get_the_same_job_with_the_items_of_all() -> None:
    with threads(4) as team:
        for number in ROUNDS:
            name = f"shared-{number}"
            create = partial(tracking.create_job, name=name, by=WORKER)
            answers = team.at_once(*[partial(create, items=new_items(4, start=2 * n)) for n in range(4)])
            assert {answer.job.pk for answer in answers} == {Job.objects.get(name=name).pk}
            assert sum(answer.created for answer in answers) == 1
            phase = assert_whole(answers[0].job)
            assert (phase.items_total, phase.expected) == (10, 10)
            assert phase.job.events.filter(type="job.created").count() == 1


def test_creators_of_the_same_name_and_another_kind_are_refused_but_one() -> None:
    with threads(2) as team:
        for number in ROUNDS:
            create = partial(tracking.create_job, name=f"kinds-{number}", by=WORKER)
            answers = team.at_once(partial(create, kind="generic"), partial(create, kind="vision"))
            [refusal] = [answer for answer in answers if isinstance(answer, Conflict)]
            assert refusal.code == "name_taken"


def test_new_items_from_many_are_listed_once_each() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job = make_job(items=1)
            add = partial(tracking.add_items, fresh(job), by=WORKER)
            answers = team.at_once(*[partial(add, items=new_items(50, start=n)) for n in range(4)])
            phase = assert_whole(job)
            assert (phase.items_total, phase.expected) == (53, 53)
            assert sum(answer.added for answer in answers) == 52


def test_a_count_that_is_repeated_by_many_counts_once() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job = make_job()
            count = partial(tracking.count, fresh(job), done=5, event_id=uuid4(), by=WORKER)
            assert sum(answer.applied for answer in team.at_once(*[count] * 4)) == 1
            assert fresh(job).done == 5


def test_no_count_is_lost() -> None:
    def count_often(job: Job) -> None:
        for _ in range(20):
            tracking.count(fresh(job), done=1, failed=2, event_id=uuid4(), by=WORKER)

    with threads(4) as team:
        job = make_job(expected=1000)
        team.at_once(*[partial(count_often, job)] * 4)
        phase = fresh(job)
        assert (phase.done, phase.failed) == (80, 160)
        assert sum(phase.tallies.values_list("done", flat=True)) == 80


def test_one_image_each_by_four_workers_a_hundred_times_makes_four_hundred() -> None:
    def report_each(job: Job, worker: int) -> None:
        for n in range(100):
            complete(fresh(job), 1, start=100 * worker + n)

    with threads(4) as team:
        job = make_job(items=400)
        team.at_once(*[partial(report_each, job, n) for n in range(4)])
        phase = assert_whole(job)
        assert (phase.done, phase.status, sum(phase.tallies.values_list("done", flat=True))) == (400, "completed", 400)


@pytest.mark.full
def test_very_many_frames_from_eight_clients_complete_each_consumer_once() -> None:
    codes = ("video.embeddings", "video.keypoints")

    def report_share(job: Job, client: int) -> None:
        for code in codes:
            for portion in range(client, FRAMES // 100, 8):
                complete(fresh(job, code), 100, start=100 * portion)

    with threads(8) as team:
        specs = [PhaseSpec(code=code, expected=FRAMES, threshold=100) for code in codes]
        job = make_job(kind="vision", phases=specs)
        team.at_once(*[partial(report_share, job, n) for n in range(8)])
        assert_whole(job)
        for code in codes:
            phase = fresh(job, code)
            assert (phase.done, phase.items_total, phase.status) == (FRAMES, FRAMES, "completed")
            [event] = job.events.filter(type=f"{code}.completed")
            assert event.data["processed_assets"] == event.data["total_assets"] == FRAMES
        assert job.events.filter(type="job.completed").count() == 1


def test_a_report_that_is_refused_takes_no_other_report_with_it() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            job, counted = make_job(items=3), make_job()
            tracking.count(fresh(counted), done=1, event_id=uuid4(), by=WORKER)
            tell = [partial(complete, fresh(job), 1, start=n) for n in range(3)]
            *reported, refused = team.at_once(*tell, partial(complete, fresh(counted), 1))
            assert outcomes(reported) == ["applied"] * 3
            assert isinstance(refused, WrongState)
            assert (assert_whole(job).status, fresh(counted).done) == ("completed", 1)


def test_workers_on_many_jobs_in_any_order_never_block_each_other_for_good() -> None:
    def report_everywhere(jobs: list[Job], start: int) -> None:
        batches = [Batch(fresh(job), f"w{start % 2}", [Result(f"k{start}", "completed")], WORKER) for job in jobs]
        report_many(batches)
        tracking.claim_any(worker=f"w{1 - start % 2}", phase="shared", limit=50, by=WORKER)
        for job in jobs:
            tracking.heartbeat(job, worker=f"w{start % 2}", message="alive", by=WORKER)

    with threads(4) as team:
        for _ in range(5):
            jobs = [make_job(items=8, phases=[PhaseSpec(code="shared")]) for _ in range(4)]
            orders = [jobs, jobs[::-1], jobs[2:] + jobs[:2], [jobs[1], jobs[3], jobs[0], jobs[2]]]
            team.at_once(*[partial(report_everywhere, order, n) for n, order in enumerate(orders)])
            assert [assert_whole(job).done for job in jobs] == [4] * 4
            operations.cancel(jobs[0], actor=None)
        assert set(Worker.objects.values_list("name", flat=True)) == {"w0", "w1"}


def test_who_reads_events_after_the_last_id_misses_none() -> None:
    done: list[int] = []

    def finish_jobs(number: int) -> None:
        try:
            for _ in range(15):
                complete(fresh(make_job(name=f"reader-{number}-{uuid4()}", items=1)), 1)
        finally:
            done.append(number)

    def read_on() -> list[int]:
        seen: list[int] = []
        while True:
            over = len(done) == 3
            after = seen[-1] if seen else 0
            found = Event.objects.outward().in_feed().filter(pk__gt=after)
            seen += found.order_by("pk").values_list("pk", flat=True)
            if over:
                return seen
            sleep(0.001)  # a reader that spins would keep the interpreter from the writers

    with threads(4) as team:
        seen, *_ = team.at_once(read_on, *[partial(finish_jobs, n) for n in range(3)])
        assert seen == list(Event.objects.outward().order_by("pk").values_list("pk", flat=True))
