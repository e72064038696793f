"""The door of tickets to the live channel."""

from __future__ import annotations

from typing import ClassVar, TypedDict

from django.http import HttpResponse
from rest_framework.request import Request

from jobs.api.base import APIBaseView, json_response
from jobs.api.request_decoding import decode_body
from jobs.api.requests import NoInput
from jobs.api.schema import operation
from jobs.live import tickets
from jobs.live.principals import Principal


class TicketAnswer(TypedDict):
    """A ticket for `?ticket=` of one websocket, and the seconds until it opens nothing any more."""

    ticket: str
    expires_in: int


class LiveTicket(APIBaseView):
    """A way to the live channel without a session cookie."""

    writes: ClassVar[str] = "view_job"

    @operation(summary="Get a ticket for one websocket", body=NoInput, answer=TicketAnswer, send={})
    def post(self, request: Request) -> HttpResponse:
        """Open /ws/jobs, /ws/jobs/{id} or /ws/projects/{project} with it, once: it stands for you, as you are then."""
        decode_body(request, NoInput)
        body: TicketAnswer = {
            "ticket": tickets.issue(Principal.of(request)),
            "expires_in": int(tickets.LIFETIME.total_seconds()),
        }
        return json_response(body, headers={"Cache-Control": "no-store"})
