"""Messages from the broker: decoded, then applied as events or stored as dead letters."""

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
    """Apply a message, or store it as a dead letter with the reason. `type` is its routing key.

    The body is an event `{"type", "data"}`, with or without the other fields of an outward event, or its data alone.
    Only errors of the site itself are raised.
    """
    message: dict[str, Any] | bytes = body
    routing_key = strict_json.storable(type)
    try:
        message = read(body, type=routing_key)
        ingested = ingest_event(message, source=SOURCE, by=BROKER)
    except (Refused, strict_json.Malformed) as refusal:
        reason = f"The body {refusal}." if isinstance(refusal, strict_json.Malformed) else str(refusal)
        letter = store_dead_letter(message, reason=reason, source=SOURCE, type=routing_key)
        log.warning("message_dead_lettered", type=routing_key, letter=letter.pk, reason=reason)
    else:
        outcome = {"applied": ingested.applied, "reason": ingested.reason}
        log.info("message_ingested", type=routing_key, job=ingested.job.name, **outcome)


def give_up(body: bytes, *, type: str, reason: str) -> None:
    """Store a message that the broker gave up on as a dead letter."""
    message: dict[str, Any] | bytes = body
    routing_key = strict_json.storable(type)
    try:
        message = read(body, type=routing_key)
    except (Refused, strict_json.Malformed) as refusal:
        reason = f"{reason} {refusal}"
    letter = store_dead_letter(message, reason=reason, source=SOURCE, type=routing_key)
    log.warning("message_dead_lettered", type=routing_key, letter=letter.pk, reason=reason)


def read(body: bytes, *, type: str) -> dict[str, Any]:
    """Decode the event in these bytes; Malformed if they are not valid JSON."""
    if len(body) > MOST_BYTES:
        raise strict_json.Malformed("is larger than 1 MiB")
    found = strict_json.parsed(body)
    if "type" in found and "data" in found:
        return {"type": found["type"], "data": found["data"]}
    return {"type": type, "data": found}
