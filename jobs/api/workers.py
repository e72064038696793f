"""REST calls of operators about one worker."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from jobs import operations
from jobs.api.acts import ACT, act_response
from jobs.api.base import APIBaseView
from jobs.api.request_decoding import decode_body
from jobs.api.schema import operation
from jobs.models import Quarantine, Worker
from jobs.operations.arguments import ActInput
from jobs.rules.errors import NotFound
from jobs.rules.field_types import AnyCode
from jobs.rules.limits import LARGEST_INTEGER


class WorkerLiftInput(ActInput, kw_only=True, frozen=True):
    """The job, and perhaps the phase, in which the quarantine of the worker ends."""

    job: Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
    phase: AnyCode = ""


class LiftOfWorker(APIBaseView):
    """The quarantine of one worker."""

    writes = "lift_job"

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """Return the permissions to see the job and to act on it."""
        return (cls.reads, cls.writes)

    @operation(
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
        """Tell whether a worker of this name was last seen, or is quarantined, in a project of the account."""
        projects = self.access.projects
        if Worker.objects.within(projects).filter(name=worker).exists():
            return True
        rows = Quarantine.objects.filter(worker=worker)
        return (rows if projects is None else rows.filter(phase__job__project__in=projects)).exists()
