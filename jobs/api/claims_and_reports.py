"""REST calls of workers: claim items, report outcomes, send heartbeats."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from jobs.api import examples, requests
from jobs.api.base import APIBaseView
from jobs.api.request_decoding import decode_body
from jobs.api.responses import ClaimAnswer, ClaimAnyAnswer, HeartbeatAnswer, ReportAnswer
from jobs.api.schema import operation
from jobs.api.worker_calls import CLAIM, CLAIM_ANY, HEARTBEAT, REPORT


class Claim(APIBaseView):
    """Claim of items of one phase."""

    @operation(
        id="claimItems",
        summary="Claim items of a phase",
        tag="work",
        body=requests.ClaimInput,
        answer=ClaimAnswer,
        errors=(404,),
        send=examples.CLAIM,
        sends={200: ("Retry-After",)},
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Claim items under a lease. An empty answer gives the reason and carries Retry-After.

        With `retry_wait` it is the time until the first automatic retry.
        """
        self.require_phase(job_id, code)
        return self.answer(CLAIM, decode_body(request, requests.ClaimInput), job_id=job_id, code=code)


class ClaimAny(APIBaseView):
    """Claim of items of any job."""

    @operation(
        id="claimItemsOfAnyJob",
        summary="Claim the most urgent items of any job",
        tag="work",
        body=requests.ClaimAnyInput,
        answer=ClaimAnyAnswer,
        send=examples.CLAIM_ANY,
        sends={200: ("Retry-After",)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Claim from the unfinished phases of this code in all jobs that are visible to the account."""
        return self.answer(CLAIM_ANY, decode_body(request, requests.ClaimAnyInput))


class Report(APIBaseView):
    """Report of outcomes of one phase."""

    @operation(
        id="reportItems",
        summary="Report outcomes of items",
        tag="work",
        body=requests.ReportInput,
        answer=ReportAnswer,
        errors=(404, 409),
        send=examples.REPORT,
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Report outcomes. Each result has its own outcome, and repeating it changes nothing."""
        self.require_phase(job_id, code)
        return self.answer(REPORT, decode_body(request, requests.ReportInput), job_id=job_id, code=code)


class Heartbeat(APIBaseView):
    """Heartbeat of a worker."""

    @operation(
        id="sendHeartbeat",
        summary="Send a heartbeat and renew leases",
        tag="work",
        body=requests.HeartbeatInput,
        answer=HeartbeatAnswer,
        errors=(404,),
        send=examples.HEARTBEAT,
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Renew the leases of the named items, or of all that this worker holds in the job."""
        self.job(job_id)
        return self.answer(HEARTBEAT, decode_body(request, requests.HeartbeatInput), job_id=job_id)
