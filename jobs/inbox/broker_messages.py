"""A message of the broker, from its bytes to its effect or to a dead letter."""

from __future__ import annotations

from typing import Any

import structlog

from jobs.change import Actor
from jobs.inbox.dead_letters import store_dead_letter
from jobs.inbox.ingest import ingest_event
from jobs.rules import strict_json
from jobs.rules.errors import Refused

log = structlog.get_logger(__name__)

SOURCE = "broker"
BROKER = Actor(name=SOURCE)
MOST_BYTES = 1_048_576


def receive(body: bytes, *, type: str) -> None:
    """Take a message, or bury it with the reason. `type` is its routing key. Only faults of our own are raised.

    The body is an event `{"type", "data"}`, with or without the other fields of an outward event, or its data alone.
    """
    message: dict[str, Any] | bytes = body
    routing_key = strict_json.storable(type)
    try:
        message = read(body, type=routing_key)
        taken = ingest_event(message, source=SOURCE, by=BROKER)
    except (Refused, strict_json.Malformed) as refusal:
        reason = f"The body {refusal}." if isinstance(refusal, strict_json.Malformed) else str(refusal)
        letter = store_dead_letter(message, reason=reason, source=SOURCE, type=routing_key)
        log.warning("message_buried", type=routing_key, letter=letter.pk, reason=reason)
    else:
        log.info("message_taken", type=routing_key, job=taken.job.name, applied=taken.applied, reason=taken.reason)


def give_up(body: bytes, *, type: str, reason: str) -> None:
    """Bury a message that the broker gave up on."""
    message: dict[str, Any] | bytes = body
    routing_key = strict_json.storable(type)
    try:
        message = read(body, type=routing_key)
    except (Refused, strict_json.Malformed) as refusal:
        reason = f"{reason} {refusal}"
    letter = store_dead_letter(message, reason=reason, source=SOURCE, type=routing_key)
    log.warning("message_buried", type=routing_key, letter=letter.pk, reason=reason)


def read(body: bytes, *, type: str) -> dict[str, Any]:
    """The event that these bytes say; Malformed or BadInput where they say none."""
    if len(body) > MOST_BYTES:
        raise strict_json.Malformed("is larger than 1 MiB")
    found = strict_json.parsed(body)
    if "type" in found and "data" in found:
        return {"type": found["type"], "data": found["data"]}
    return {"type": type, "data": found}
