"""The example worker's connection: a lost answer is asked for again, a refusal is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from examples.connection import Connection, GaveUp, Refused
from tests.servers import free_port

DROP = 0
PROBLEM = {"Content-Type": "application/problem+json"}
Answer = tuple[int, Any, dict[str, str]]


@contextmanager
def scripted(*answers: Answer) -> Iterator[tuple[str, list[Any]]]:
    """A server that gives these answers in turn, and the bodies that it was sent; status 0 drops the connection."""
    left, sent = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body, headers = left.pop(0)
            if status == DROP:
                self.close_connection = True
                return
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


def connect(url: str, *, stop: Event | None = None, last_tries: int = 3) -> Connection:
    return Connection(url, token="secret", stop=stop or Event(), last_tries=last_tries)


@pytest.mark.parametrize(
    "trouble",
    [
        (DROP, None, {}),
        (503, {"detail": "The database is locked."}, {}),
        (500, b"<html>", {}),
        (502, b"", {}),
        (429, {"detail": "Too many."}, {}),
        (200, b"<html>a page of a proxy", {}),
        (404, b"default backend - 404", {}),
        (404, {"detail": "There is no such job."}, {}),
        (302, b"", {"Location": "https://login.example.com/"}),
        (400, {"code": "host_not_allowed", "detail": "Not this host."}, PROBLEM),
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_body(trouble: Answer) -> None:
    with scripted(trouble, (200, {"id": 7}, {})) as (url, sent):
        assert connect(url).post("/jobs", {"name": "a"}) == {"id": 7}
    assert sent == [{"name": "a"}, {"name": "a"}]


def test_retry_after_is_waited_for() -> None:
    begun = monotonic()
    with scripted((503, {}, {"Retry-After": "1"}), (200, {}, {})) as (url, _):
        connect(url).post("/jobs", {})
    assert monotonic() - begun >= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_refusal_is_raised_with_its_sentence_and_not_tried_again(status: int) -> None:
    with (
        scripted((status, {"detail": "There is no such job.", "code": "not_found"}, PROBLEM)) as (url, sent),
        pytest.raises(Refused, match="There is no such job") as refused,
    ):
        connect(url).post("/jobs", {})
    assert (refused.value.status, len(sent)) == (status, 1)


def test_one_connection_serves_many_calls() -> None:
    with scripted(*[(200, {"n": n}, {}) for n in range(3)]) as (url, _):
        connection = connect(url)
        assert [connection.post("/x", {})["n"] for _ in range(3)] == [0, 1, 2]


def test_a_stopped_worker_gives_up_after_its_last_tries() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(GaveUp):
        connect(f"http://127.0.0.1:{free_port()}", stop=stop, last_tries=1).get("/jobs")


def test_a_stopped_worker_still_delivers_what_it_holds() -> None:
    stop = Event()
    stop.set()
    with scripted((DROP, None, {}), (200, {"id": 7}, {})) as (url, _):
        assert connect(url, stop=stop).post("/jobs", {}) == {"id": 7}
