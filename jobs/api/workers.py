"""REST calls of operators about one worker."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from jobs import operations
from jobs.api.acts import ACT, act_response
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.responses import FreedAnswer
from jobs.api.schema import operation
from jobs.models import Quarantine, Worker
from jobs.operations.arguments import ActInput
from jobs.operations.free import is_known
from jobs.rules.errors import NotFound
from jobs.rules.field_types import AnyCode, Project
from jobs.rules.limits import LARGEST_INTEGER


class WorkerLiftInput(ActInput, kw_only=True, frozen=True):
    """The job, and perhaps the phase, in which the quarantine of the worker ends."""

    job: Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
    phase: AnyCode = ""


class WorkerFreeInput(ActInput, kw_only=True, frozen=True):
    """The project whose jobs the worker is freed in; all that are visible to the account where none is given."""

    project: Project | None = None


class FreeWorker(APIBaseView):
    """Everything that one worker holds."""

    writes = "release_job"

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permissions to see jobs and to release their items."""
        return (cls.reads, cls.writes)

    @operation(
        id="freeWorker",
        tag="acts",
        summary="Free a worker",
        body=WorkerFreeInput,
        answer=FreedAnswer,
        errors=(404, 409),
        send={"reason": "The machine is gone."},
    )
    def post(self, request: Request, worker: str) -> HttpResponse:
        """Release all that the worker holds, in all jobs, live leases included."""
        if "\0" in worker or not is_known(worker, user=self.account):
            raise NotFound("There is no worker of this name, or it is not visible to your account.")
        given = decode_body(request, WorkerFreeInput)
        freed = operations.free_worker(worker, project=given.project, actor=self.account, reason=given.reason)
        refused = [{"id": job_id, "detail": detail} for job_id, detail in freed.refused]
        return json_response({"changed": freed.items, "jobs": freed.jobs, "refused": refused, "detail": freed.detail})


class LiftOfWorker(APIBaseView):
    """The quarantine of one worker."""

    writes = "lift_job"

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permissions to see the job and to act on it."""
        return (cls.reads, cls.writes)

    @operation(
        id="liftQuarantineOfWorker",
        **ACT,
        summary="Lift the quarantine of a worker",
        body=WorkerLiftInput,
        send={"job": 41, "phase": "items", "reason": "The disk is replaced."},
    )
    def post(self, request: Request, worker: str) -> HttpResponse:
        """End the quarantine of the worker in one job."""
        if "\0" in worker or not self._sees(worker):
            raise NotFound("There is no worker of this name, or it is not visible to your account.")
        given = decode_body(request, WorkerLiftInput)
        job = self.job(given.job)
        act = operations.lift(job, actor=self.account, reason=given.reason, phase=given.phase, worker=worker)
        return act_response(act)

    def _sees(self, worker: str) -> bool:
        """Return whether a worker of this name was last seen, or is quarantined, in a project of the account."""
        projects = self.access.projects
        if Worker.objects.within(projects).filter(name=worker).exists():
            return True
        rows = Quarantine.objects.filter(worker=worker)
        return (rows if projects is None else rows.filter(phase__job__project__in=projects)).exists()
