"""REST call for tickets to the live channel."""

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
    """A ticket for `?ticket=` of one websocket, and the seconds until it expires."""

    ticket: str
    expires_in: int


class LiveTicket(APIBaseView):
    """Ticket to the live channel, for clients without a session cookie."""

    writes: ClassVar[str] = "view_job"

    @operation(
        id="createLiveTicket", summary="Get a ticket for one websocket", body=NoInput, answer=TicketAnswer, send={}
    )
    def post(self, request: Request) -> HttpResponse:
        """Issue a ticket. It opens /ws/jobs, /ws/jobs/{id} or /ws/projects/{project} once, with your permissions at
        that time."""
        decode_body(request, NoInput)
        body: TicketAnswer = {
            "ticket": tickets.issue(Principal.of(request)),
            "expires_in": int(tickets.LIFETIME.total_seconds()),
        }
        return json_response(body, headers={"Cache-Control": "no-store"})
