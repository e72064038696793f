"""A websocket of Daphne, without two limits that autobahn would put on what a server says."""

from __future__ import annotations

from typing import Any

from daphne.ws_protocol import WebSocketProtocol


class SocketConnection(WebSocketProtocol):
    """The limit of size is for what browsers send, and every close code may be sent."""

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802  (Daphne's name)
        """Close; autobahn's own refuses the codes 1001 (going away), 1008 (flood) and 1013 (overloaded)."""
        self.sendCloseFrame(code=1000 if code is None else code)

    def sendMessage(self, payload: bytes, *args: Any, **kwargs: Any) -> None:  # noqa: N802  (autobahn's name)
        """Send a message of any length."""
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(payload, *args, **kwargs)
        finally:
            self.maxMessagePayloadSize = limit
