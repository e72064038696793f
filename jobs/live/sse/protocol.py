"""Format of server-sent events, and the limits of a stream."""

from __future__ import annotations

from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"
PING = b":\n\n"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Durations in seconds: between pings, between checks of the permissions, until a finished job ends its stream."""

    ping_every: float = 15
    access_every: float = 30
    close_after: float = 10
    tick: float = 0.5


def message(data: str, *, type: str = "", id: int | None = None) -> bytes:
    """Encode one event; the data is JSON and therefore one line."""
    lines = [f"event: {type}"] if type else []
    lines += [] if id is None else [f"id: {id}"]
    return "\n".join([*lines, f"data: {data}", "", ""]).encode()
