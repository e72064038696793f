"""REST calls for jobs: create, list, show."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from jobs import tracking
from jobs.api import examples, requests
from jobs.api.base import APIBaseView, created_response, json_response
from jobs.api.cursor_pagination import page
from jobs.api.query_params import JobQuery, PageQuery, ProgressQuery, Query
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.responses import DeletionAnswer, JobPage, TimelinePage
from jobs.api.schema import operation
from jobs.models import Job
from jobs.models.jobs import JobQuerySet
from jobs.models.phases import phases_of
from jobs.operations import ACTS
from jobs.operations.diagnosis import diagnose, diagnosis_body
from jobs.operations.snapshot import snapshot_of
from jobs.rules import pipelines
from jobs.rules.errors import NotFound
from jobs.serializers import (
    DiagnosisBody,
    ErrorGroup,
    JobBody,
    ProgressBody,
    error_groups,
    job_bodies,
    job_body,
    progress_body,
    timeline_row,
)

EXACT = ("status", "kind", "project", "name")


class Jobs(APIBaseView):
    """Jobs that are visible to the account."""

    writes: ClassVar[str] = "add_job"

    @operation(id="listJobs", summary="List jobs", answer=JobPage, errors=(400,), query=JobQuery)
    def get(self, request: Request) -> HttpResponse:
        """Return one page of the jobs that are visible to the account."""
        wanted = decode_query(request, JobQuery)
        jobs = _chosen(self.access.jobs(), wanted)
        return json_response(
            page(request, jobs, wanted, field=wanted.ordering, bodies=lambda rows: job_bodies(rows, now=timezone.now()))
        )

    @operation(
        id="createJob",
        summary="Create a job, or find the one of this name",
        body=requests.JobInput,
        answer=JobBody,
        status=201,
        also={200: "The job existed; its new items were added and the rest was ignored."},
        errors=(409,),
        send=examples.JOB,
        sends={201: ("Location",)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a job with its phases and the items of its first phase."""
        given = decode_body(request, requests.JobInput)
        given.check()
        pipelines.check_open(given.kind)
        made = tracking.create_job(**given.arguments(), by=self.actor())
        return created_response(job_body(made.job), is_new=made.created, page="api-job")


class JobDetail(APIBaseView):
    """One job."""

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permission to see the job, and to delete it the one of that act."""
        return (cls.reads, ACTS["delete"].codename) if method == "DELETE" else super().needs(method)

    @operation(
        id="getJob",
        summary="Get a job",
        answer=JobBody,
        also={304: "The job still has the revision of If-None-Match."},
        errors=(400, 404),
        takes=("If-None-Match",),
        sends={200: ("ETag",), 304: ("ETag",)},
    )
    def get(self, request: Request, job_id: int) -> HttpResponse:
        """Return the job; its revision is the ETag."""
        decode_query(request, Query)
        job = self.job(job_id)
        if _etag(job) in _tags(request):
            return HttpResponse(status=304, headers={"ETag": _etag(job)})
        body = job_body(job)
        return json_response(body, headers={"ETag": _etag(job)})

    @operation(
        id="deleteJob",
        summary="Delete a job",
        tag="acts",
        body=ACTS["delete"].Arguments,
        answer=DeletionAnswer,
        errors=(404, 409),
        send=ACTS["delete"].example,
    )
    def delete(self, request: Request, job_id: int) -> HttpResponse:
        """Delete a job that is over with everything that belongs to it. 409 while it runs.

        With undelivered events it is 409 too, unless `undelivered` is true: they are not sent then.
        """
        job = self.job(job_id)
        act = ACTS["delete"]
        given = decode_body(request, act.Arguments)
        done = act(job, actor=self.account, **msgspec.structs.asdict(given))
        return json_response({"changed": done.changed, "refused": [], "detail": done.detail})


class Timeline(APIBaseView):
    """Timeline of a job."""

    @operation(
        id="listJobEvents",
        summary="Read the timeline of a job",
        answer=TimelinePage,
        errors=(400, 404),
        query=PageQuery,
    )
    def get(self, request: Request, job_id: int) -> HttpResponse:
        """Return one page of the job's events, newest first."""
        wanted = decode_query(request, PageQuery)
        events = self.job(job_id).events.all()
        return json_response(page(request, events, wanted, field="-id", body=timeline_row))


class Progress(APIBaseView):
    """Live counts of a job."""

    @operation(
        id="getJobProgress",
        summary="Get the counts of a job or of one of its phases",
        answer=ProgressBody,
        errors=(400, 404),
        query=ProgressQuery,
    )
    def get(self, request: Request, job_id: int) -> HttpResponse:
        """Return the counts of the whole job or of one phase, and the items of each split by status."""
        code = decode_query(request, ProgressQuery).phase
        job = self.job(job_id)
        chosen = [phase for phase in phases_of([job])[job.pk] if code in ("", phase.code)]
        if not chosen:
            raise NotFound(f"Job {job.name} has no phase {code!r}.")
        return json_response(progress_body(job, phases=chosen))


class Errors(APIBaseView):
    """Errors of a job."""

    @operation(id="listJobErrors", summary="Group the failures of a job", answer=list[ErrorGroup], errors=(400, 404))
    def get(self, request: Request, job_id: int) -> HttpResponse:
        """Group failed items by their error without numbers, paths and ids, the most frequent first."""
        decode_query(request, Query)
        return json_response(error_groups(self.job(job_id)))


class Diagnosis(APIBaseView):
    """Causes why a job is not finished."""

    @operation(id="diagnoseJob", summary="Explain why a job is not finished", answer=DiagnosisBody, errors=(400, 404))
    def get(self, request: Request, job_id: int) -> HttpResponse:
        """Return the causes with their figures, and for each remedy what it would change now."""
        decode_query(request, Query)
        return json_response(diagnosis_body(diagnose(snapshot_of(self.job(job_id)))))


def _chosen(jobs: JobQuerySet, wanted: JobQuery) -> JobQuerySet:
    exact: dict[str, Any] = {name: value for name in EXACT if (value := getattr(wanted, name))}
    jobs = jobs.filter(**exact)
    if wanted.partial is not None:
        jobs = jobs.filter(partial=wanted.partial)
    if wanted.late is not None:
        jobs = jobs.filter(late=wanted.late)
    if wanted.stuck is not None:
        jobs = jobs.stuck() if wanted.stuck else jobs.filter(stuck="")
    return jobs.filter(name__icontains=wanted.q) if wanted.q else jobs


def _etag(job: Job) -> str:
    """Return the entity tag of a job as it was read last."""
    return f'"{job.revision}"'


def _tags(request: Request) -> list[str]:
    """Return the entity tags of If-None-Match; weak ones count as strong."""
    tags = request.headers.get("If-None-Match", "").split(",")
    return [tag.strip().removeprefix("W/") for tag in tags]
