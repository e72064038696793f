"""Websocket of Daphne without the limits of autobahn on the messages of the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne.ws_protocol import WebSocketProtocol

from jobs.live.client_messages import Allowance

PINGS_PER_SECOND, PINGS_AT_ONCE = 2, 20
FLOOD = 1008
# Frames of one job are nearly equal. A window of 8 KiB finds the one before, and takes 48 KiB for each socket, not 256.
WINDOW_BITS, MEMORY_LEVEL = 13, 5


def accept_compression(offers: Sequence[Any]) -> PerMessageDeflateOfferAccept | None:
    """Compress messages to a client that offers it, as uvicorn does. Each message of the client stands alone."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(  # type: ignore[no-untyped-call]
                offer,
                request_no_context_takeover=offer.accept_no_context_takeover,
                window_bits=offer.request_max_window_bits or WINDOW_BITS,
                mem_level=MEMORY_LEVEL,
            )
    return None


class SocketConnection(WebSocketProtocol):
    """Websocket that may send messages of any size and every close code."""

    maxMessagePayloadSize: int  # noqa: N815  (autobahn's name)
    reason = ""

    def onOpen(self) -> None:  # noqa: N802  (autobahn's name)
        """Prepare the rate limit of pings."""
        self.pings = Allowance(per_second=PINGS_PER_SECOND, at_once=PINGS_AT_ONCE)
        super().onOpen()

    def onPing(self, payload: bytes) -> None:  # noqa: N802  (autobahn's name)
        """Answer a ping within the rate limit: answers that the client does not read pile up in memory."""
        if self.pings.spend():
            super().onPing(payload)
        elif self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=FLOOD, reasonUtf8=b"Too many pings.")

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Pass a message on, and keep the reason of a close, which Daphne omits."""
        self.reason = message.get("reason") or ""
        super().handle_reply(message)

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802  (Daphne's name)
        """Close; autobahn's own refuses the codes 1001 (going away), 1008 (flood) and 1013 (overloaded)."""
        self.sendCloseFrame(code=1000 if code is None else code, reasonUtf8=self.reason.encode() or None)

    def sendMessage(self, payload: bytes, *args: Any, **kwargs: Any) -> None:  # noqa: N802  (autobahn's name)
        """Send a message of any length."""
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(payload, *args, **kwargs)
        finally:
            self.maxMessagePayloadSize = limit
