"""The door for the events of producers; the broker's go through the same handlers."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from jobs import inbox
from jobs.api import examples, feed, inputs
from jobs.api.answers import EventAnswer
from jobs.api.doors import answer
from jobs.decoding import decode
from jobs.schema import operation


class Events(feed.Events):
    """The feed to read, and what producers tell."""

    @operation(
        summary="Tell an event",
        tag="events",
        body=inputs.EventInput,
        answer=EventAnswer,
        errors=(409,),
        send=examples.EVENT,
    )
    def post(self, request: Request) -> HttpResponse:
        """Apply one event to the job that it names, which is made where there is none; again changes nothing."""
        given = decode(request, inputs.EventInput)
        taken = inbox.take(
            {"type": given.type, "data": given.data}, source=f"account/{self.account.pk}", by=self.actor()
        )
        return answer({"applied": taken.applied, "reason": taken.reason, "job": taken.job.pk, "phases": taken.phases})
