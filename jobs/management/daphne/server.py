"""Daphne in this process, with a shutdown that completes the requests in flight."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import structlog
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, twisted_loop

from jobs.management.daphne.http import ConnectionFactory, DrainingRequest
from jobs.management.daphne.websocket import SocketConnection, accept_compression

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 10.0
DRAIN_STEP = 0.05
UNREAD_SECONDS = 30.0
GOING_AWAY = 1001
FRAME_BYTES = 64 * 1024
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class GracefulServer(Server):
    """Daphne that on SIGTERM stops accepting, completes the requests in flight, and only then ends.

    It waits for DRAIN_SECONDS at most, and a second signal ends that. `overdue` is True afterwards if
    requests were still in flight.
    """

    def __init__(self, application: Any, *, host: str, port: int, ready: Callable[[int], None]) -> None:
        super().__init__(
            application,
            endpoints=build_endpoint_description_strings(host=host, port=port),
            signal_handlers=False,
            websocket_max_message_size=FRAME_BYTES,
            websocket_max_frame_size=FRAME_BYTES,
            server_name="",
        )
        self.ready = ready
        self.factory = ConnectionFactory(self)
        self.ports: list[Any] = []
        self.connections: dict[Any, dict[str, Any]] = {}
        self.draining = self.overdue = self.failed = False
        self.deadline = 0.0

    def run(self) -> None:
        """Serve until a signal, or until the port turns out to be taken (`failed`)."""
        for number in STOP_SIGNALS:
            twisted_loop.add_signal_handler(number, self.drain)
        super().run()

    def listen_success(self, port: Any) -> None:
        """Replace the connection factory of the open port: Daphne has no setting for it."""
        super().listen_success(port)
        self.factory.doStart()
        port.factory = self.factory
        self.ws_factory.protocol = SocketConnection
        self.ws_factory.setProtocolOptions(perMessageCompressionAccept=accept_compression)
        self.ports.append(port)
        self.ready(port.getHost().port)

    def listen_error(self, failure: Any) -> None:
        """Log that the port is taken or not allowed."""
        self.failed = True
        log.error("listen_failed", error=failure.getErrorMessage())
        super().listen_error(failure)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send, and wait until there is room for more; drop a client that reads nothing for UNREAD_SECONDS."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, DrainingRequest):
            try:
                async with asyncio.timeout(UNREAD_SECONDS):
                    await protocol.room.wait()
            except TimeoutError:
                protocol.abort()

    def drain(self) -> None:
        """Stop accepting and wait for the requests in flight."""
        if self.draining:
            self.stop()
            return
        self.draining = True
        self.deadline = time.monotonic() + DRAIN_SECONDS
        for port in self.ports:
            port.stopListening()
        for connection in list(self.connections):
            if isinstance(connection, SocketConnection) and connection.state == SocketConnection.STATE_OPEN:
                connection.serverClose(code=GOING_AWAY)
            elif isinstance(connection, DrainingRequest):
                connection.end_stream()
        self._stop_when_idle()

    def stop(self) -> None:
        """Stop now; `overdue` tells whether a request was still in flight."""
        self.overdue = self._in_flight()
        super().stop()

    def kill_all_applications(self) -> None:
        """Cancel the requests in flight, without waiting for the threads that they may keep busy."""
        for details in self.connections.values():
            if "application_instance" in details:
                details["application_instance"].cancel()

    def _stop_when_idle(self) -> None:
        self.factory.close_idle()
        if time.monotonic() > self.deadline or not self._in_flight():
            self.stop()
        else:
            twisted_loop.call_later(DRAIN_STEP, self._stop_when_idle)

    def _in_flight(self) -> bool:
        return any(map(self._is_busy, list(self.connections)))

    def _is_busy(self, connection: Any) -> bool:
        details = self.connections[connection]
        application = details.get("application_instance")
        return not details.get("disconnected") or (application is not None and not application.done())
