"""Metrics of requests: latency, status and live connections, of one process and of several."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from progress_site.metrics import requests
from progress_site.metrics.requests import LiveConnections, ServedByDjango, Timed, route_of
from tests.servers import Server, Uvicorn, on_test_database, started

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Return the samples by name and labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def count(route: str, method: str, path: str) -> float:
    """Return the number of measured requests of this process."""
    return (
        requests.registry.get_sample_value(
            "progress_request_seconds_count", {"route": route, "method": method, "path": path}
        )
        or 0.0
    )


def responses(route: str, status: str) -> float:
    """Return the number of responses of this process."""
    return requests.registry.get_sample_value("progress_responses_total", {"route": route, "status": status}) or 0.0


def open_sockets() -> float:
    """Return the number of open connections of this process."""
    return requests.registry.get_sample_value("progress_live_sockets") or 0.0


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/jobs/7/phases/ocr/report", "report"),
        ("/api/v1/claim", "claim"),
        ("/api/v1/jobs/7/heartbeat", "heartbeat"),
        ("/api/v1/jobs", "api"),
        ("/api/v1/jobs/report/", "api"),
        ("/admin/jobs/job/report", "pages"),
        ("/static/jobs/site.css", "static"),
        ("/metrics", "probe"),
        ("/wp-login.php", "other"),
    ],
)
def test_an_address_belongs_to_a_bounded_class(path: str, route: str) -> None:
    assert route_of(path) == route


def answering(status: int, *headers: tuple[bytes, bytes]) -> Any:
    """Return an application that answers so."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return application


def ask(application: Any, path: str, method: str = "POST") -> None:
    """Send a request."""

    async def send(message: Any) -> None:
        return None

    asyncio.run(application({"type": "http", "path": path, "method": method}, None, send))


def test_a_response_is_counted_by_route_method_path_and_status() -> None:
    address = "/api/v1/jobs/7/phases/ocr/report"
    before = count("report", "POST", "lean"), count("report", "POST", "django"), responses("report", "5xx")
    ask(Timed(answering(200)), address)
    ask(Timed(ServedByDjango(answering(503))), address)
    after = count("report", "POST", "lean"), count("report", "POST", "django"), responses("report", "5xx")
    assert after == tuple(number + 1 for number in before)


def test_an_invented_method_makes_one_series_for_all() -> None:
    before = count("other", "OTHER", "lean")
    for method in ("BREW", "TEAPOT"):
        ask(Timed(answering(405)), "/", method)
    assert count("other", "OTHER", "lean") == before + 2


def test_a_stream_is_an_open_connection_until_its_end() -> None:
    during: list[float] = []
    before = open_sockets()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await answering(200, (b"Content-Type", b"text/event-stream"))(scope, receive, send)
        during.append(open_sockets())
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        ask(LiveConnections(stream), "/api/v1/stream", "GET")
    assert (during, open_sockets()) == ([before + 1], before)


def test_a_page_of_the_feed_is_no_open_connection() -> None:
    during: list[float] = []
    before = open_sockets()

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await answering(200, (b"Content-Type", b"application/json"))(scope, receive, send)
        during.append(open_sockets())

    ask(LiveConnections(page), "/api/v1/events", "GET")
    assert during == [before]


# --- processes -------------------------------------------------------------------------------------


def scrape(server: Server) -> Samples:
    """Return what this server answers."""
    with urlopen(f"{server.url}/metrics", timeout=10) as answer:
        return samples(answer.read().decode())


def pages(found: Samples) -> float:
    """Return the number of measured pages."""
    labels = (("method", "GET"), ("path", "django"), ("route", "pages"))
    return found["progress_request_seconds_count", labels]


def visit(server: Server) -> None:
    """Open the sign-in page."""
    with urlopen(f"{server.url}/admin/login/", timeout=10) as answer:
        answer.read()


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_share_a_folder_answer_for_each_other(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the packages of scale-out are not installed")
    shared = on_test_database(TEST_MULTIPROC_DIR=str(tmp_path / "metrics"))
    with started(Uvicorn(shared)) as first, started(Uvicorn(shared)) as second:
        visit(first)
        visit(second)
        visit(second)
        assert [pages(scrape(server)) for server in (first, second)] == [3, 3]
        first.kill()
        found = scrape(second)
        assert pages(found) == 3  # a counter of a process that has ended does not fall
        assert not list((tmp_path / "metrics").glob(f"gauge_live*_{first.process.pid}.db"))
        assert found["progress_live_sockets", ()] == 0


@pytest.mark.django_db(transaction=True)
def test_without_a_folder_each_process_answers_for_itself_under_daphne_too() -> None:
    with started(Server(on_test_database())) as server:
        visit(server)
        assert pages(scrape(server)) == 1
