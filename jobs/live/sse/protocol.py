"""The notation of server-sent events, and how long a stream waits for what."""

from __future__ import annotations

from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"
PING = b":\n\n"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Seconds: between pings, between two looks at the permissions, until a job that is over ends its stream."""

    ping_every: float = 15
    access_every: float = 30
    close_after: float = 10
    tick: float = 0.5


def message(data: str, *, type: str = "", id: int | None = None) -> bytes:
    """One event; the data is JSON, so it is one line."""
    lines = [f"event: {type}"] if type else []
    lines += [] if id is None else [f"id: {id}"]
    return "\n".join([*lines, f"data: {data}", "", ""]).encode()
