"""A receiver of webhooks on a port of its own, and endpoints that point to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Endpoint
from jobs.operations.endpoints import new_secret


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A real HTTP server. `answer` is called for each request and writes what comes back."""

    requests: list[Received] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler, Received], None] = lambda handler, request: reply(handler, 204)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """Write an answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    if status != 204:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.requests.append(request)
            receiver.answer(self, request)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    return Handler


class Patient(ThreadingHTTPServer):
    """Lets many callers wait for their turn: a busy machine refuses no connection."""

    request_queue_size = 128


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes everything until a test says otherwise."""
    made = Receiver()
    server = Patient(("127.0.0.1", 0), handler_of(made))
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def local(settings: Any) -> None:
    """Plain HTTP to this machine is allowed."""
    settings.DEBUG = True
    settings.WEBHOOK_ALLOW_PRIVATE = True


def make_endpoint(url: str = "https://example.com/hook", **fields: Any) -> Endpoint:
    """An endpoint that receives every event."""
    given = {"types": ["*"], "secret": new_secret(), "created_at": timezone.now(), **fields}
    return Endpoint.objects.create(url=url, **given)
