"""What browsers send."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Whole = Annotated[int, Meta(ge=0)]

MESSAGE_LENGTH = 16 * 1024


class Ack(Struct, tag="ack", frozen=True):
    """The job's frames up to this revision arrived; without a job: the snapshot did."""

    id: Whole | None = None
    revision: Whole = 0


class Sync(Struct, tag="sync", frozen=True):
    """These are the revisions that the browser has; it asks for what is newer."""

    revisions: dict[Whole, int]


class Pong(Struct, tag="pong", frozen=True):
    """The answer to a ping."""


Message = Ack | Sync | Pong

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def decode(text: str | None) -> Message | None:
    """A message, or None for anything else; nothing that a browser sends is an error."""
    try:
        return _decoder.decode(text or "")
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


class Allowance:
    """How many messages a browser may send: so many a second, and a few more at once."""

    def __init__(self, *, per_second: float, at_once: float) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._left, self._at = at_once, time.monotonic()

    def spend(self) -> bool:
        """One message; False if it is one too many."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        return self._left >= 0
