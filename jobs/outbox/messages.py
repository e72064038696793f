"""Messages to endpoints, and the outcomes of sending them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from jobs.models import Event
from jobs.models.events import EventJob, outward_body
from jobs.models.outbox import Endpoint, EndpointFormat
from jobs.serializers import encode

CONTENT_TYPES = {
    EndpointFormat.JSON: "application/json",
    EndpointFormat.CLOUDEVENTS: "application/cloudevents+json",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One event as an endpoint receives it. The bytes are the same on every delivery.

    An event that cannot be encoded has a `defect` in place of a body.
    """

    event_id: str
    type: str
    body: bytes
    defect: Exception | None = None
    content_type: str = CONTENT_TYPES[EndpointFormat.JSON]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of sending one message. `error` is empty when the endpoint accepted it.

    `status` is the HTTP status. `final` says that the endpoint refuses this message for good, `gone` that it refuses
    every message. `answered` is False where the endpoint was not reached: trying the next message at once is useless.
    `retry_after` is the pause that the endpoint asked for. `defect` is an internal error, which is not the endpoint's.
    """

    error: str = ""
    status: int | None = None
    gone: bool = False
    final: bool = False
    answered: bool = True
    retry_after: timedelta | None = None
    defect: Exception | None = None

    @property
    def sent(self) -> bool:
        """True if the endpoint accepted the message."""
        return not self.error


def failed(defect: Exception, *, final: bool = False) -> Outcome:
    """Return the outcome of a message that an internal error kept from being sent."""
    sentence = f"An internal error occurred: {type(defect).__name__}. See the log of the server."
    return Outcome(sentence, answered=False, final=final, defect=defect)


class Sender(Protocol):
    """A sender of messages to one endpoint: at most `width` at a time, in any order.

    A sender never uses the database, because its thread has no connection.
    """

    width: int

    def send(self, endpoint: Endpoint, messages: Sequence[Message]) -> list[Outcome]:
        """Return an outcome for each message, in their order, within SECONDS; raise nothing."""

    def close(self) -> None:
        """Close the connections."""


def message_of(body: dict[str, Any], *, format: str) -> Message:
    """Return the message with this body, in the format of an endpoint."""
    inside = body if format == EndpointFormat.JSON else cloud_event(body)
    kind = CONTENT_TYPES[EndpointFormat(format)]
    return Message(event_id=str(body["event_id"]), type=body["type"], body=encode(inside), content_type=kind)


def cloud_event(body: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudEvent, in structured mode, of an outward event; `data` is the event as other endpoints get it."""
    job = body.get("job")
    return {
        "specversion": "1.0",
        "id": body["event_id"],
        "source": f"{settings.PUBLIC_URL}{settings.PATH_PREFIX}/",
        "type": body["type"],
        **({"subject": job["name"]} if job else {}),
        "time": body["occurred_at"],
        "datacontenttype": CONTENT_TYPES[EndpointFormat.JSON],
        "data": body,
    }


def messages_of(event_ids: Iterable[int], *, format: str = EndpointFormat.JSON) -> dict[int, Message]:
    """Return the messages of these outward events, by the id of the event's row, in one query."""
    job = ("job_id", "job__name", "job__project", "job__kind")
    columns = ("id", "event_id", "type", *job, "phase__code", "run", "at", "data")
    found = Event.objects.filter(pk__in=list(event_ids)).order_by().values_list(*columns)
    return {pk: _message(format, *rest) for pk, *rest in found}


def _message(format: str, event_id: UUID, type: str, *rest: Any) -> Message:
    job, others = EventJob(*rest[:4]), rest[4:]
    try:
        return message_of(outward_body(event_id, type, job, *others), format=format)
    except Exception as error:
        return Message(event_id=str(event_id), type=type, body=b"", defect=error)
