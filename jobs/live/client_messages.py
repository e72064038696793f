"""Messages that browsers send, and their rate limit."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Whole = Annotated[int, Meta(ge=0)]

MESSAGE_LENGTH = 16 * 1024


class Ack(Struct, tag="ack", frozen=True):
    """Acknowledgement of a job's messages up to this revision, or without a job of the snapshot."""

    id: Whole | None = None
    revision: Whole = 0


class Sync(Struct, tag="sync", frozen=True):
    """Request for everything newer than the revisions that the browser has."""

    revisions: dict[Whole, int]


class Pong(Struct, tag="pong", frozen=True):
    """Answer to a ping."""


Message = Ack | Sync | Pong

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def decode(text: str | None) -> Message | None:
    """Decode a message; None for anything else, since a browser's message is never an error of the server."""
    try:
        return _decoder.decode(text or "")
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


class Allowance:
    """Rate limit of messages: a number per second, and a larger number at once."""

    def __init__(self, *, per_second: float, at_once: float) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._left, self._at = at_once, time.monotonic()

    def spend(self) -> bool:
        """Count one message; False if it exceeds the limit."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        return self._left >= 0
