"""HTTP handler: each request in one thread, whatever the kind of response."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from progress_site import health, threaded_handler
from progress_site.threaded_handler import THREADS, ThreadedHandler

ended = threading.Event()
released = threading.Event()


def plain(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(request.body or threading.current_thread().name, headers={"X-Path": request.path})
    response.set_cookie("a", "b")
    return response


def pieces(request: HttpRequest) -> StreamingHttpResponse:
    response = StreamingHttpResponse(iter([b"one ", b"two"]), headers={"X-Kind": "pieces"}, status=206)
    response.set_cookie("a", "b")
    return response


def endless(request: HttpRequest) -> StreamingHttpResponse:
    async def ticks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0)
        finally:
            ended.set()

    return StreamingHttpResponse(ticks())


async def asynchronous(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("async")


def stuck(request: HttpRequest) -> HttpResponse:
    assert released.wait(10)
    return HttpResponse("released")


urlpatterns = [
    *[path(view.__name__, view) for view in (plain, pieces, endless, asynchronous, stuck)],
    path("healthz", health.healthz),
    path("readyz", stuck),
]
pytestmark = pytest.mark.urls(__name__)


class Exchange:
    """One request and the messages that were sent for it."""

    def __init__(self, address: str, *, method: str = "GET", body: bytes = b"", pieces_until_gone: int = 0) -> None:
        self.scope = {"type": "http", "method": method, "path": address, "query_string": b"", "headers": HEADERS}
        self.waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        self.sent: list[Any] = []
        self.pieces_until_gone = pieces_until_gone
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """Return the body, then wait until the client leaves."""
        if self.waiting:
            return self.waiting.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Record a message; a client may leave after some of them."""
        self.sent.append(message)
        if len(self.sent) == self.pieces_until_gone:
            self.gone.set()

    async def run(self, site: ThreadedHandler | None = None) -> Exchange:
        """Let the handler answer."""
        site = site or ThreadedHandler()
        await asyncio.wait_for(site(self.scope, self.receive, self.send), timeout=10)
        return self

    @property
    def body(self) -> bytes:
        """Return everything that was sent after the head."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers of the answer."""
        return dict(self.sent[0]["headers"])


HEADERS = [(b"host", b"localhost")]


@pytest.fixture(autouse=True)
def _few_middlewares(settings: Any) -> None:
    settings.MIDDLEWARE = []
    ended.clear()
    released.clear()


async def test_an_answer_comes_from_a_thread_of_the_pool() -> None:
    done = await Exchange("/plain").run()
    assert done.sent[0]["status"] == 200
    assert done.body.startswith(b"request")
    assert done.headers[b"Set-Cookie"].startswith(b"a=b")


async def test_the_body_reaches_the_view() -> None:
    assert (await Exchange("/plain", method="POST", body=b"hello").run()).body == b"hello"


async def test_an_answer_in_pieces_is_sent_whole_with_its_head() -> None:
    done = await Exchange("/pieces").run()
    assert (done.sent[0]["status"], done.body, done.headers[b"X-Kind"]) == (206, b"one two", b"pieces")
    assert b"Set-Cookie" in done.headers


async def test_a_stream_ends_when_its_reader_leaves() -> None:
    done = await Exchange("/endless", pieces_until_gone=3).run()
    assert done.body.startswith(b"tick")
    assert ended.is_set()


async def test_an_asynchronous_view_is_answered_too() -> None:
    assert (await Exchange("/asynchronous").run()).body == b"async"


async def test_a_client_that_leaves_before_its_body_is_complete_is_not_answered() -> None:
    exchange = Exchange("/plain")
    exchange.waiting.clear()
    exchange.gone.set()
    assert (await exchange.run()).sent == []


async def test_a_request_is_finished_in_the_thread_in_which_it_began() -> None:
    finished: list[str] = []

    def note(**_: Any) -> None:
        finished.append(threading.current_thread().name)

    request_finished.connect(note)
    try:
        done = await Exchange("/plain").run()
    finally:
        request_finished.disconnect(note)
    assert finished == [done.body.decode()]


async def test_the_liveness_probe_is_answered_while_every_thread_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded_handler, "PROBE_SECONDS", 0.05)
    site = ThreadedHandler()
    waiting = [asyncio.ensure_future(Exchange("/stuck").run(site)) for _ in range(THREADS)]
    try:
        ready = [await Exchange("/readyz").run(site) for _ in range(threaded_handler.PROBE_THREADS + 1)]
        alive = await Exchange("/healthz").run(site)
        assert not any(each.done() for each in waiting)
    finally:
        released.set()
    assert [probe.sent[0]["status"] for probe in ready] == [503] * len(ready)
    assert (alive.sent[0]["status"], alive.body) == (200, b'{"status": "ok"}')
    assert {each.body for each in await asyncio.gather(*waiting)} == {b"released"}
