"""Reasons why the server closes a socket: the code, the reason, and how to avoid it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

REASON_BYTES = 123  # a close frame has room for this many beside its code


@dataclass(frozen=True, slots=True)
class Closing:
    """Close of a socket or a stream. `reason` goes into the close frame of a socket; with a `hint`, a message says both
    before it."""

    code: int
    reason: str
    hint: str = ""

    @property
    def message(self) -> str:
        """The message before the close frame, and at the end of a stream."""
        return json.dumps({"type": "closing", "code": self.code, "reason": f"{self.reason} {self.hint}".strip()})

    @property
    def frame(self) -> dict[str, Any]:
        """The ASGI event that closes the socket."""
        reason = self.reason.encode()[:REASON_BYTES].decode(errors="ignore")
        return {"type": "websocket.close", "code": self.code, "reason": reason}


OVER = Closing(1000, "The job is over.")
OVERLOADED = Closing(1013, "The server could not serve this socket. Connect again in a moment.")
REASONS = {
    4400: "The address is invalid.",
    4401: "Not signed in: send a token, the session cookie, or a ticket that is new and unused.",
    4403: "This account may not see this.",
    4404: "There is no such job or channel.",
}


def denied(code: int, reason: str = "") -> Closing:
    """Return the close of a connection that may not watch its topic."""
    return Closing(code, reason or REASONS.get(code, OVERLOADED.reason))


def too_many(*, most: int) -> Closing:
    """Return the close of the oldest connection of an account that has more than `most`."""
    hint = "This was the oldest one. Close connections that you do not need before you connect again."
    return Closing(4429, f"This account has more than {most} open connections.", hint)


def flood(*, per_second: float) -> Closing:
    """Return the close of a socket whose client sends too many messages."""
    return Closing(1008, f"More than {per_second:g} messages a second.", "Send an ack for each frame, and little else.")


def unacknowledged(*, seconds: float) -> Closing:
    """Return the close of a socket whose client has acknowledged nothing for too long."""
    hint = (
        'Send {"type":"ack"} after a snapshot, and {"type":"ack","id":ID,"revision":REVISION} after a job, with its id '
        "and its revision."
    )
    return Closing(1013, f"No acknowledgement for {seconds:g} s.", hint)
