"""The calls that workers make all day: for each its address, its request body, its verb and its response body.

Two entry points use them: the views of Django REST Framework, and `jobs.ingest`, which answers the same calls before
Django's request cycle. So there is one implementation of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from django.utils import timezone
from msgspec import Struct

from jobs.access import Access
from jobs.api import requests
from jobs.change import Actor
from jobs.models import Phase
from jobs.serializers import claimed_body
from jobs.tracking import Announced, Beat, Claimed, ClaimedItem, Counted, Reported
from jobs.tracking.calls import AnnounceCall, Call, ClaimAnyCall, ClaimCall, CountCall, HeartbeatCall, ReportCall

RETRY_SECONDS = 2
NO_HEADERS: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Target:
    """The addressee of a call, and its caller. `job_id` is 0 for a claim of any job."""

    by: Actor
    access: Access
    job_id: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class WorkerCall:
    """A kind of call. `body` gets the answer of the verb, and the body of its phase where `phase` finds one."""

    name: str
    input: type[Struct]
    call: Callable[[Any, Target], Call]
    body: Callable[[Any, Any], dict[str, Any]]
    worker: Callable[[Any], str] = lambda given: str(given.worker)
    phase: Callable[[Any], Phase | None] = lambda answer: answer.phase
    headers: Callable[[Any], Mapping[str, str]] = lambda answer: NO_HEADERS


# --- verbs -----------------------------------------------------------------------------------------


def _report(given: requests.ReportInput, to: Target) -> Call:
    given.check()
    return ReportCall(to.by, to.access, to.job_id, to.code, given.worker, given.results)


def _claim(given: requests.ClaimInput, to: Target) -> Call:
    return ClaimCall(to.by, to.access, to.job_id, to.code, given.worker, given.limit, given.lease_seconds)


def _claim_any(given: requests.ClaimAnyInput, to: Target) -> Call:
    options = given.phase, given.kind, given.limit, given.lease_seconds
    return ClaimAnyCall(to.by, to.access, to.job_id, given.worker, *options)


def _heartbeat(given: requests.HeartbeatInput, to: Target) -> Call:
    return HeartbeatCall(to.by, to.access, to.job_id, given.worker, given.items, given.message, given.progress)


def _count(given: requests.CountInput, to: Target) -> Call:
    numbers = given.done, given.failed, given.skipped
    return CountCall(to.by, to.access, to.job_id, to.code, *numbers, given.event_id)


def _announce(given: requests.AnnounceInput, to: Target) -> Call:
    return AnnounceCall(to.by, to.access, to.job_id, to.code, given.total(), given.event_id)


# --- bodies of responses ------------------------------------------------------------------------------


def _reported(answer: Reported, phase: Any) -> dict[str, Any]:
    return {"results": answer.results, "phase": phase, "cancel_requested": answer.cancel_requested}


def _claimed(answer: Claimed, phase: Any) -> dict[str, Any]:
    return {"items": [claimed_body(item) for item in answer.items], **_reason(answer)}


def _claimed_of_any(answer: Claimed, phase: Any) -> dict[str, Any]:
    return {"items": [_with_job(item) for item in answer.items], **_reason(answer)}


def _reason(answer: Claimed) -> dict[str, Any]:
    limit = {"detail": answer.detail, "limit_of": answer.limit_of} if answer.limit_of else {}
    return {"reason": answer.reason, **limit}


def _with_job(item: ClaimedItem) -> dict[str, Any]:
    return {**claimed_body(item), "job": item.job, "phase": item.phase}


def _beat(answer: Beat, phase: Any) -> dict[str, Any]:
    return {
        "job_status": answer.job_status,
        "cancel_requested": answer.cancel_requested,
        "leases": [{"id": item, "lease_expires_at": until} for item, until in answer.leases],
        "lost": answer.lost,
    }


def _counted(answer: Counted, phase: Any) -> dict[str, Any]:
    return {"applied": answer.applied, "phase": phase}


def _announced(answer: Announced, phase: Any) -> dict[str, Any]:
    return {"applied": answer.applied, "reason": answer.reason, "phase": phase}


def _when_empty(answer: Claimed) -> Mapping[str, str]:
    """Return the seconds until a claim may give items: until the first retry is due, or a quarantine ends."""
    if answer.items:
        return NO_HEADERS
    wait = RETRY_SECONDS
    if answer.retry_at is not None:
        wait = max(1, ceil((answer.retry_at - timezone.now()).total_seconds()))
    return {"Retry-After": str(wait)}


def _no_phase(answer: Any) -> None:
    return None


def _no_worker(given: Any) -> str:
    return ""


REPORT = WorkerCall("report", requests.ReportInput, _report, _reported)
CLAIM = WorkerCall("claim", requests.ClaimInput, _claim, _claimed, phase=_no_phase, headers=_when_empty)
CLAIM_ANY = WorkerCall(
    "claim", requests.ClaimAnyInput, _claim_any, _claimed_of_any, phase=_no_phase, headers=_when_empty
)
HEARTBEAT = WorkerCall("heartbeat", requests.HeartbeatInput, _heartbeat, _beat, phase=_no_phase)
COUNT = WorkerCall("count", requests.CountInput, _count, _counted, worker=_no_worker)
ANNOUNCE = WorkerCall("announce", requests.AnnounceInput, _announce, _announced, worker=_no_worker)
