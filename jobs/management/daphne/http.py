"""HTTP connections of Daphne that can be drained, and streams that wait for their client."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from django.conf import settings

# The rest of a body that is too large is read and dropped up to this size, since many clients send everything before
# they read the answer. A larger one is answered at once.
MOST_DROPPED = 16 * 1024 * 1024


class DrainingRequest(WebRequest):
    """Request that closes its connection once the server is stopping.

    While the client of a stream does not read, `room` is not set, and the stream waits.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Twisted would parse every form in the event loop, for arguments that Daphne does not use.
        self._parsePOSTFormSubmission = False
        self.room = asyncio.Event()
        self.room.set()
        self.streams = self.is_received = False
        self.size = 0

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Pass the response on."""
        if self.server.draining and message.get("type") == "http.response.start" and self.channel is not None:
            self.channel.persistent = False
            message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        super().handle_reply(message)
        if message.get("more_body") and not (self.streams or self.finished or self.channel is None):
            self.streams = True
            self.registerProducer(self, True)

    def finish(self) -> None:
        """Complete the response."""
        if self.streams:
            self.unregisterProducer()
            self.room.set()  # Twisted sends the rest without calling the producer again
        super().finish()

    def end_stream(self) -> None:
        """End a stream, which would not end by itself; other responses are left alone."""
        if self.streams and not self.finished and self.channel is not None:
            self.channel.persistent = False
            self.finish()

    def abort(self) -> None:
        """Drop the connection with all data that its client has not read."""
        if self.channel is not None:
            self.channel.transport.abortConnection()

    # --- the body, of which no more is stored than the application accepts ---------------------

    def gotLength(self, length: int | None) -> None:  # noqa: N802  (Twisted's name)
        """Prepare for a body of this length, None for one in chunks."""
        super().gotLength(length)
        if length is not None and length > MOST_DROPPED:
            self._answer_now()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  (Twisted's name)
        """Store a part of the body, or drop it beyond the limit; the application refuses a body that is larger."""
        if self.size <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            super().handleContentChunk(data)
        self.size += len(data)
        if self.size > MOST_DROPPED:
            self._answer_now()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802  (Twisted's name)
        """Call the application, once."""
        if not self.is_received:
            self.is_received = True
            super().requestReceived(command, path, version)

    def _answer_now(self) -> None:
        channel = self.channel
        if channel is not None:
            channel.persistent = False
            self.requestReceived(channel._command, channel._path, channel._version)

    # --- Twisted's interface of a producer------------------------------------------------------

    def pauseProducing(self) -> None:  # noqa: N802  (Twisted's name)
        """Pause: the client reads more slowly than we write."""
        self.room.clear()

    def resumeProducing(self) -> None:  # noqa: N802  (Twisted's name)
        """Continue: the client has read."""
        self.room.set()

    def stopProducing(self) -> None:  # noqa: N802  (Twisted's name)
        """Continue after the client has left; sending then fails."""
        self.room.set()


class ConnectionFactory(HTTPFactory):
    """Factory that knows its connections, so that the idle ones can be closed when the server stops."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.connections: WeakSet[Any] = WeakSet()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802  (Twisted's name)
        """Create a connection."""
        connection = super().buildProtocol(addr)
        connection.requestFactory = DrainingRequest
        self.connections.add(connection)
        return connection

    def close_idle(self) -> None:
        """Close the connections that wait for their next request."""
        for connection in list(self.connections):
            channel = getattr(connection, "_channel", connection)
            if not channel.requests and channel.transport:
                channel.loseConnection()
