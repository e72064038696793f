"""What is sent, and what a sender answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from jobs.models import Event
from jobs.models.events import outward_body
from jobs.models.outbox import Endpoint
from jobs.serializers import encode


@dataclass(frozen=True, slots=True)
class Message:
    """One event as an endpoint receives it. The bytes are the same on every delivery."""

    event_id: str
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of sending one message. `error` is empty when the endpoint took it.

    `status` is the HTTP status. `final` says that the endpoint refuses this message for good, `gone` that it refuses
    every message. `answered` is False where the endpoint was not reached: trying the next message at once is useless.
    `retry_after` is the pause that the endpoint asked for.
    """

    error: str = ""
    status: int | None = None
    gone: bool = False
    final: bool = False
    answered: bool = True
    retry_after: timedelta | None = None

    @property
    def sent(self) -> bool:
        """Did the endpoint take the message?"""
        return not self.error


class Sender(Protocol):
    """Sends to one endpoint: at most `width` messages at a time, whose order among each other does not matter.

    A sender never asks the database: it works in a thread that has no connection.
    """

    width: int

    def send(self, endpoint: Endpoint, messages: Sequence[Message]) -> list[Outcome]:
        """An outcome for each message, in their order, within SEND_SECONDS; it raises nothing."""

    def close(self) -> None:
        """Give back connections."""


def message_of(event: Event) -> Message:
    """The message of an outward event; load it with its job and phase."""
    return Message(event_id=str(event.event_id), type=event.type, body=encode(event.body()))


def messages_of(event_ids: Iterable[int]) -> dict[int, Message]:
    """The messages of these outward events, by the id of the event's row; one query for nothing but their columns."""
    columns = ("id", "event_id", "type", "job__name", "phase__code", "run", "at", "data")
    found = Event.objects.filter(pk__in=list(event_ids)).order_by().values_list(*columns)
    return {
        pk: Message(event_id=str(event_id), type=name, body=encode(outward_body(event_id, name, *rest)))
        for pk, event_id, name, *rest in found
    }
