"""REST calls of workers: claim items, report outcomes, send heartbeats."""

from __future__ import annotations

from math import ceil
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from jobs import tracking
from jobs.api import examples, requests
from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.responses import ClaimAnswer, ClaimAnyAnswer, HeartbeatAnswer, ReportAnswer
from jobs.api.schema import operation
from jobs.serializers import claimed_body, phase_body
from jobs.tracking import Claimed, ClaimedItem, ResultOutcome

RETRY_AFTER = 2


class Claim(APIBaseView):
    """Claim of items of one phase."""

    @operation(
        summary="Claim items of a phase",
        tag="work",
        body=requests.ClaimInput,
        answer=ClaimAnswer,
        errors=(404,),
        send=examples.CLAIM,
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Claim items under a lease. An empty answer gives the reason and carries Retry-After.

        With `retry_wait` it is the time until the first automatic retry.
        """
        phase = self.phase(job_id, code)
        given = decode_body(request, requests.ClaimInput)
        claimed = tracking.claim(
            phase,
            worker=given.worker,
            limit=given.limit,
            lease_seconds=given.lease_seconds,
            by=self.actor(given.worker, version=given.version),
        )
        return _claimed(claimed, [claimed_body(item) for item in claimed.items])


class ClaimAny(APIBaseView):
    """Claim of items of any job."""

    @operation(
        summary="Claim the oldest items of any job",
        tag="work",
        body=requests.ClaimAnyInput,
        answer=ClaimAnyAnswer,
        send=examples.CLAIM_ANY,
    )
    def post(self, request: Request) -> HttpResponse:
        """Claim from the unfinished phases of this code in all jobs that are visible to the account."""
        given = decode_body(request, requests.ClaimAnyInput)
        claimed = tracking.claim_any(
            worker=given.worker,
            phase=given.phase,
            kind=given.kind,
            limit=given.limit,
            lease_seconds=given.lease_seconds,
            by=self.actor(given.worker, version=given.version),
        )
        return _claimed(claimed, [_with_job(item) for item in claimed.items])


class Report(APIBaseView):
    """Report of outcomes of one phase."""

    @operation(
        summary="Report outcomes of items",
        tag="work",
        body=requests.ReportInput,
        answer=ReportAnswer,
        errors=(404, 409),
        send=examples.REPORT,
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Report outcomes. Each result has its own outcome, and repeating it changes nothing."""
        phase = self.phase_to_report(job_id, code)
        given = decode_body(request, requests.ReportInput)
        given.check()
        by = self.actor(given.worker, version=given.version)
        reported = tracking.report(phase, worker=given.worker, results=given.results, by=by)
        return json_response(
            {
                "results": [_outcome(result) for result in reported.results],
                "phase": phase_body(reported.phase),
                "cancel_requested": reported.cancel_requested,
            }
        )


class Heartbeat(APIBaseView):
    """Heartbeat of a worker."""

    @operation(
        summary="Send a heartbeat and renew leases",
        tag="work",
        body=requests.HeartbeatInput,
        answer=HeartbeatAnswer,
        errors=(404,),
        send=examples.HEARTBEAT,
    )
    def post(self, request: Request, job_id: int) -> HttpResponse:
        """Renew the leases of the named items, or of all that this worker holds in the job."""
        job = self.job(job_id)
        given = decode_body(request, requests.HeartbeatInput)
        by = self.actor(given.worker, version=given.version)
        beat = tracking.heartbeat(job, worker=given.worker, items=given.items, message=given.message, by=by)
        leases = [{"id": item, "lease_expires_at": until} for item, until in beat.leases]
        return json_response(
            {
                "job_status": beat.job_status,
                "cancel_requested": beat.cancel_requested,
                "leases": leases,
                "lost": beat.lost,
            }
        )


def _claimed(claimed: Claimed, items: list[Any]) -> HttpResponse:
    body = {"items": items, "reason": claimed.reason}
    return json_response(body) if items else json_response(body, headers={"Retry-After": str(_wait(claimed))})


def _wait(claimed: Claimed) -> int:
    """Return the seconds until a claim may give items: until the first retry is due, or a quarantine ends."""
    if claimed.retry_at is None:
        return RETRY_AFTER
    return max(1, ceil((claimed.retry_at - timezone.now()).total_seconds()))


def _with_job(item: ClaimedItem) -> dict[str, Any]:
    return {**claimed_body(item), "job": item.job, "phase": item.phase}


def _outcome(result: ResultOutcome) -> dict[str, Any]:
    body: dict[str, Any] = {"key": result.key, "outcome": result.outcome, "status": result.status}
    if result.detail:
        body["detail"] = result.detail
    if result.available_at is not None:
        body["available_at"] = result.available_at
    return body
