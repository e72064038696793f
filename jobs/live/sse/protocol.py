"""Format of server-sent events, and the limits of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.live.close_reasons import Closing

MEDIA_TYPE = "text/event-stream"
PING = b":\n\n"
RETRY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Durations in seconds: between pings, until a finished job ends its stream, and of one wait for news."""

    ping_every: float = 15
    close_after: float = 10
    tick: float = 0.5


def message(data: str, *, type: str = "", id: int | None = None) -> bytes:
    """Encode one event; the data is JSON and therefore one line."""
    lines = [f"event: {type}"] if type else []
    lines += [] if id is None else [f"id: {id}"]
    return "\n".join([*lines, f"data: {data}", "", ""]).encode()


def last_message(closing: Closing) -> bytes:
    """Encode the reason why the server ends a stream. An EventSource connects again only after RETRY_SECONDS."""
    return f"retry: {RETRY_SECONDS * 1000}\n".encode() + message(closing.message, type="closing")
