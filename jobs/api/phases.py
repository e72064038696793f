"""REST calls for one phase: its items, its total, and the progress of a phase without items."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from rest_framework.request import Request

from jobs import tracking
from jobs.api import examples, requests
from jobs.api.base import APIBaseView, json_response
from jobs.api.cursor_pagination import page
from jobs.api.query_params import ItemQuery
from jobs.api.request_decoding import decode_body, decode_query
from jobs.api.responses import AnnounceAnswer, AttemptsAnswer, CountAnswer, ItemPage, ItemsAnswer
from jobs.api.schema import operation
from jobs.api.worker_calls import ANNOUNCE, COUNT
from jobs.models import Attempt, Item, Phase
from jobs.models.items import ItemQuerySet
from jobs.rules.errors import NotFound
from jobs.rules.limits import LARGEST_INTEGER
from jobs.serializers import PhaseBody, attempt_body, item_body, phase_body

PHASE: dict[str, Any] = {"tag": "phases", "errors": (404, 409)}


class Announce(APIBaseView):
    """Total of a phase."""

    @operation(
        id="announcePhase",
        **PHASE,
        summary="Announce the number of items of a phase",
        body=requests.AnnounceInput,
        answer=AnnounceAnswer,
        send=examples.ANNOUNCE,
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Announce the total; the latest one before completion counts."""
        self.require_phase(job_id, code)
        return self.answer(ANNOUNCE, decode_body(request, requests.AnnounceInput), job_id=job_id, code=code)


class Items(APIBaseView):
    """Items of a phase."""

    @operation(
        id="listItems",
        summary="List the items of a phase",
        tag="phases",
        errors=(400, 404),
        query=ItemQuery,
        answer=ItemPage,
    )
    def get(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Return one page of items, in the order in which they were added."""
        wanted = decode_query(request, ItemQuery)
        items = _chosen(self.phase(job_id, code), wanted)
        return json_response(page(request, items, wanted, field="id", body=item_body))

    @operation(
        id="addItems",
        **PHASE,
        summary="Add items to a phase",
        body=requests.ItemsInput,
        answer=ItemsAnswer,
        send=examples.ITEMS,
        shows={"added": 2, "existing": 0},
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Add items; a key that the phase holds already is left as it is."""
        phase = self.phase(job_id, code)
        given = decode_body(request, requests.ItemsInput)
        given.check()
        done = tracking.add_items(phase, items=given.items, reopen=given.reopen, by=self.actor())
        return json_response({"added": done.added, "existing": done.existing})


class Attempts(APIBaseView):
    """Attempts of an item."""

    @operation(
        id="listAttempts",
        summary="List the ended attempts of an item",
        tag="phases",
        errors=(404,),
        answer=AttemptsAnswer,
    )
    def get(self, request: Request, job_id: int, code: str, item_id: int) -> HttpResponse:
        """Return the last ten that did not end in success or have a log or links, newest first."""
        phase = self.phase(job_id, code)
        item = phase.items.filter(pk=item_id).first() if item_id <= LARGEST_INTEGER else None
        if item is None:
            raise NotFound(f"Phase {code} of job {job_id} has no item {item_id}.")
        attempts = Attempt.objects.select_related("account").newest(item)
        return json_response({"results": [attempt_body(attempt) for attempt in attempts]})


class Count(APIBaseView):
    """Counts of a phase without items."""

    @operation(
        id="countItems",
        **PHASE,
        summary="Add to the counts of a phase without items",
        body=requests.CountInput,
        answer=CountAnswer,
        send=examples.COUNT,
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Add counts; a repeated event_id adds nothing."""
        self.require_phase(job_id, code)
        return self.answer(COUNT, decode_body(request, requests.CountInput), job_id=job_id, code=code)


class Start(APIBaseView):
    """Start of a phase without items."""

    @operation(
        id="startPhase",
        **PHASE,
        summary="Start a phase without items",
        body=requests.NoInput,
        answer=PhaseBody,
        send={},
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Start the phase; repeating it changes nothing."""
        phase = self.phase(job_id, code)
        decode_body(request, requests.NoInput)
        return json_response(phase_body(tracking.start(phase, by=self.actor())))


class Finish(APIBaseView):
    """End of a phase without items."""

    @operation(
        id="finishPhase",
        **PHASE,
        summary="Finish a phase without items",
        body=requests.NoInput,
        answer=PhaseBody,
        send={},
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Finish the phase with its present counts; repeating it changes nothing."""
        phase = self.phase(job_id, code)
        decode_body(request, requests.NoInput)
        return json_response(phase_body(tracking.finish(phase, by=self.actor())))


class Fail(APIBaseView):
    """Failure of a phase without items."""

    @operation(
        id="failPhase",
        **PHASE,
        summary="Fail a phase without items",
        body=requests.FailPhaseInput,
        answer=PhaseBody,
        send={"error": "Out of memory in batch 12"},
    )
    def post(self, request: Request, job_id: int, code: str) -> HttpResponse:
        """Fail the phase; repeating it changes nothing."""
        phase = self.phase(job_id, code)
        given = decode_body(request, requests.FailPhaseInput)
        return json_response(phase_body(tracking.fail(phase, error=given.error, by=self.actor())))


def _chosen(phase: Phase, wanted: ItemQuery) -> ItemQuerySet:
    if wanted.status:
        items = Item.objects.filter(phase=phase).in_status(wanted.status)
    else:
        items = Item.objects.in_order(phase.pk)
    if wanted.split:
        items = items.filter(split=wanted.split)
    if wanted.q:
        items = items.filter(Q(key__icontains=wanted.q) | Q(label__icontains=wanted.q))
    return items
