"""The door of tickets to the live channel."""

from __future__ import annotations

from typing import ClassVar, TypedDict

from django.http import HttpResponse
from rest_framework.request import Request

from jobs.api.base import Door, answer
from jobs.api.requests import NoInput
from jobs.api.request_decoding import decode
from jobs.live import tickets
from jobs.live.principals import Caller
from jobs.api.schema import operation


class TicketAnswer(TypedDict):
    """A ticket for `?ticket=` of one websocket, and the seconds until it opens nothing any more."""

    ticket: str
    expires_in: int


class LiveTicket(Door):
    """A way to the live channel without a session cookie."""

    writes: ClassVar[str] = "view_job"

    @operation(summary="Get a ticket for one websocket", body=NoInput, answer=TicketAnswer, send={})
    def post(self, request: Request) -> HttpResponse:
        """Open /ws/jobs, /ws/jobs/{id} or /ws/projects/{project} with it, once: it stands for you, as you are then."""
        decode(request, NoInput)
        body: TicketAnswer = {
            "ticket": tickets.issue(Caller.of(request)),
            "expires_in": int(tickets.LIFETIME.total_seconds()),
        }
        return answer(body, headers={"Cache-Control": "no-store"})
