"""The doors of operators: one act upon one job each."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from jobs import operations
from jobs.api import requests
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.responses import ActAnswer
from jobs.api.schema import operation
from jobs.operations import Act
from jobs.serializers import job_body

ACT: dict[str, Any] = {"tag": "acts", "answer": ActAnswer, "errors": (404, 409)}
REASON = {"reason": "Storage is back."}


class ActView(APIBaseView):
    """A door of an operator's act, which answers with the job: `writes` is the permission of the act."""

    @classmethod
    def needs(cls, method: str) -> tuple[str, ...]:
        """To see the job, and to act on it."""
        return (cls.reads, cls.writes)


class Retry(ActView):
    """Failed items to pending."""

    writes: ClassVar[str] = "retry_job"

    @operation(
        **ACT,
        summary="Retry failed items",
        body=requests.RetryInput,
        send={"error_signature": "Timeout after # s", **REASON},
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Retry by phase, by item, by error signature, or all."""
        job = self.job(job_id)
        given = decode_body(request, requests.RetryInput)
        return act_response(
            operations.retry(
                job,
                phase=given.phase,
                items=given.items,
                error_signature=given.error_signature,
                reason=given.reason,
                actor=self.account,
            )
        )


class Release(ActView):
    """Held items to pending."""

    writes: ClassVar[str] = "release_job"

    @operation(**ACT, summary="Release held items", body=requests.ReleaseInput, send={"all": True, **REASON})
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Release items without a live lease, or all."""
        job = self.job(job_id)
        given = decode_body(request, requests.ReleaseInput)
        return act_response(
            operations.release(job, phase=given.phase, all=given.all, reason=given.reason, actor=self.account)
        )


class Skip(ActView):
    """Items that count as done without work."""

    writes: ClassVar[str] = "skip_job"

    @operation(**ACT, summary="Skip items", body=requests.SkipInput, send={"items": [411, 412], **REASON})
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Skip the named items."""
        job = self.job(job_id)
        given = decode_body(request, requests.SkipInput)
        return act_response(operations.skip(job, items=given.items, reason=given.reason, actor=self.account))


class ForceComplete(ActView):
    """Phases finished with what they have."""

    writes: ClassVar[str] = "force_complete_job"

    @operation(
        **ACT,
        summary="Force-complete a job or a phase",
        body=requests.ForceInput,
        send={"reason": "The last two files are broken."},
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Finish every open phase, or the named one; it needs a reason."""
        job = self.job(job_id)
        given = decode_body(request, requests.ForceInput)
        return act_response(operations.force_complete(job, phase=given.phase, reason=given.reason, actor=self.account))


class FailJob(ActView):
    """A job that is given up."""

    writes: ClassVar[str] = "fail_job"

    @operation(**ACT, summary="Fail a job", body=requests.ActInput, send=REASON)
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Fail the open phases of a job."""
        job = self.job(job_id)
        given = decode_body(request, requests.ActInput)
        return act_response(operations.fail(job, reason=given.reason, actor=self.account))


class Cancel(ActView):
    """A job that nobody wants any more."""

    writes: ClassVar[str] = "cancel_job"

    @operation(**ACT, summary="Cancel a job", body=requests.ActInput, send=REASON)
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Cancel; later reports are answered with `closed`."""
        job = self.job(job_id)
        given = decode_body(request, requests.ActInput)
        return act_response(operations.cancel(job, reason=given.reason, actor=self.account))


class Pause(ActView):
    """A job that waits."""

    writes: ClassVar[str] = "pause_job"

    @operation(**ACT, summary="Pause a job", body=requests.ActInput, send=REASON)
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Pause; claims are answered with `paused`, deadlines keep the time that was left."""
        job = self.job(job_id)
        given = decode_body(request, requests.ActInput)
        return act_response(operations.pause(job, reason=given.reason, actor=self.account))


class Resume(ActView):
    """A job that goes on."""

    writes: ClassVar[str] = "resume_job"

    @operation(**ACT, summary="Resume a paused job", body=requests.ActInput, send=REASON)
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Resume."""
        job = self.job(job_id)
        given = decode_body(request, requests.ActInput)
        return act_response(operations.resume(job, reason=given.reason, actor=self.account))


class Threshold(ActView):
    """The percent that completes a phase."""

    writes: ClassVar[str] = "set_threshold_job"

    @operation(
        **ACT,
        summary="Change the threshold of a phase",
        body=requests.ThresholdInput,
        send={"phase": "items", "threshold": 80, **REASON},
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Change it and judge the phase at once."""
        job = self.job(job_id)
        given = decode_body(request, requests.ThresholdInput)
        return act_response(
            operations.set_threshold(
                job, phase=given.phase, threshold=given.threshold, reason=given.reason, actor=self.account
            )
        )


class Restart(ActView):
    """A new run of a phase."""

    writes: ClassVar[str] = "restart_job"

    @operation(
        **ACT,
        summary="Restart a phase and the gated ones after it",
        body=requests.RestartInput,
        send={"phase": "items", "only": "failed", **REASON},
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Begin a new run over all but skipped items, or over the failed ones."""
        job = self.job(job_id)
        given = decode_body(request, requests.RestartInput)
        return act_response(
            operations.restart(job, phase=given.phase, only=given.only, reason=given.reason, actor=self.account)
        )


def act_response(act: Act) -> HttpResponse:
    """The answer to an act."""
    refused = [{"id": row.id, "detail": row.detail} for row in act.refused]
    return json_response({"changed": act.changed, "refused": refused, "detail": act.detail, "job": job_body(act.job)})
