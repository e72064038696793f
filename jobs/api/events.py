"""REST call for the events of producers; events from the broker use the same handlers."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from jobs import inbox
from jobs.api import examples, feed, requests
from jobs.api.base import json_response
from jobs.api.request_decoding import decode_body
from jobs.api.responses import EventAnswer
from jobs.api.schema import operation


class Events(feed.Events):
    """The feed of outward events, and the events of producers."""

    @operation(
        id="sendEvent",
        summary="Send an event",
        tag="events",
        body=requests.EventInput,
        answer=EventAnswer,
        errors=(409,),
        send=examples.EVENT,
    )
    def post(self, request: Request) -> HttpResponse:
        """Apply one event to the job that it names, which is created if missing. A repeated event changes nothing."""
        given = decode_body(request, requests.EventInput)
        ingested = inbox.ingest_event(
            {"type": given.type, "data": given.data}, source=f"account/{self.account.pk}", by=self.actor()
        )
        return json_response(
            {"applied": ingested.applied, "reason": ingested.reason, "job": ingested.job.pk, "phases": ingested.phases}
        )
