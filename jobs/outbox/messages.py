"""Messages to endpoints, and the outcomes of sending them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from jobs.models import Event
from jobs.models.events import outward_body
from jobs.models.outbox import Endpoint
from jobs.serializers import encode


@dataclass(frozen=True, slots=True)
class Message:
    """One event as an endpoint receives it. The bytes are the same on every delivery.

    An event that cannot be encoded has a `defect` in place of a body.
    """

    event_id: str
    type: str
    body: bytes
    defect: Exception | None = None


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


def message_of(event: Event) -> Message:
    """Return the message of an outward event, which is loaded with its job and phase."""
    return Message(event_id=str(event.event_id), type=event.type, body=encode(event.body()))


def messages_of(event_ids: Iterable[int]) -> dict[int, Message]:
    """Return the messages of these outward events, by the id of the event's row, in one query."""
    columns = ("id", "event_id", "type", "job__name", "phase__code", "run", "at", "data")
    found = Event.objects.filter(pk__in=list(event_ids)).order_by().values_list(*columns)
    return {pk: _message(*rest) for pk, *rest in found}


def _message(event_id: UUID, type: str, *rest: Any) -> Message:
    try:
        return Message(event_id=str(event_id), type=type, body=encode(outward_body(event_id, type, *rest)))
    except Exception as error:
        return Message(event_id=str(event_id), type=type, body=b"", defect=error)
