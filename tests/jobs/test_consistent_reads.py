"""A job and its phases as of one moment, whatever is committed between two statements."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from jobs.live.job_messages import load
from jobs.models import Job
from jobs.models.phases import phases_of
from jobs.operations.estimate import snapshots_of
from jobs.operations.snapshot import snapshot_of
from jobs.serializers import job_bodies, job_body, progress_body
from tests.factories import complete, make_job, phase_of
from tests.interleaving import before_the_phases_are_read
from tests.jobs.api.conftest import Api, worker

__all__ = ["worker"]
pytestmark = pytest.mark.django_db


def half_done() -> Job:
    """Make a job of two items of which one is done, and return it as read before."""
    return Job.objects.get(pk=make_job(items=2, done=1).pk)


def finish(job: Job) -> Callable[[], object]:
    """Report the last item of this job."""
    return lambda: complete(phase_of(job), 1, start=1)


def test_the_body_of_a_job_is_of_one_moment() -> None:
    job = half_done()
    with before_the_phases_are_read(finish(job)):
        body = job_body(job)
    [phase] = body["phases"]
    assert (body["status"], body["percent"], phase["status"], phase["percent"]) == ("completed", 100, "completed", 100)
    assert body["revision"] == Job.objects.get(pk=job.pk).revision


def test_the_entity_tag_is_that_of_the_revision_in_the_body(worker: Api) -> None:
    job = half_done()
    with before_the_phases_are_read(finish(job)):
        answer = worker.get(f"/jobs/{job.pk}")
    assert answer["ETag"] == f'"{answer.json()["revision"]}"'
    assert answer.json()["status"] == "completed"


def test_the_figures_of_an_act_are_of_one_moment() -> None:
    for read in (snapshot_of, lambda job: snapshots_of([job])[0]):
        job = half_done()
        with before_the_phases_are_read(finish(job)):
            figures = read(job)
        assert (figures.job.status, figures.phases[0].status) == ("completed", "completed")


def test_the_counts_of_a_job_are_of_one_moment() -> None:
    job = half_done()
    with before_the_phases_are_read(finish(job)):
        body = progress_body(job, phases=phases_of([job])[job.pk])
    assert (body["processed"], job.percent) == (2, 100)


def test_a_frame_has_the_revision_that_its_body_shows() -> None:
    job = half_done()
    with before_the_phases_are_read(finish(job)):
        [frame] = load([job.pk])
    assert (frame.is_over, frame.revision) == (True, Job.objects.get(pk=job.pk).revision)
    assert f'"revision":{frame.revision}' in frame.body


def test_a_body_of_a_deleted_job_has_no_phases() -> None:
    job = half_done()
    Job.objects.filter(pk=job.pk).delete()
    [body] = job_bodies([job], now=timezone.now())
    assert body["phases"] == []
