"""Calls: what may pass is tried again, what is refused is not, and tries end."""

from __future__ import annotations

from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest
from progress_client import Client, ProgressError, Refused, Unavailable, backoff
from progress_client.transport import Transport

from tests.client.grounds import network
from tests.examples.site import Site
from tests.examples.test_connection import DROP, Answer, scripted
from tests.servers import free_port

BODY = {"name": "a"}
JOB = {"id": 7, "name": "a", "status": "pending", "phases": []}
PROBLEM = {"Content-Type": "application/problem+json"}
CODES = {400: "invalid", 401: "not_authenticated", 403: "permission_denied", 404: "not_found", 409: "wrong_state"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.01)


def post(url: str, *, retry_for: float = 10) -> Any:
    return Transport(url, token="secret").call("POST", "/jobs", BODY, retry_for=retry_for)


@pytest.mark.parametrize(
    "trouble",
    [
        (DROP, None, {}),
        (200, b"<html>a page of a proxy", {}),
        *[(status, {"detail": "Later."}, {}) for status in (408, 425, 429, 500, 502, 503, 504)],
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_body(trouble: Answer) -> None:
    with scripted(trouble, trouble, (200, JOB, {})) as (url, sent):
        assert post(url) == JOB
    assert sent == [BODY] * 3


def test_retry_after_is_waited_for() -> None:
    begun = monotonic()
    with scripted((503, {}, {"Retry-After": "1"}), (200, JOB, {})) as (url, _):
        post(url)
    assert monotonic() - begun >= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_refusal_is_raised_with_its_sentence_and_not_tried_again(status: int) -> None:
    problem = {"status": status, "code": CODES.get(status, "too_large"), "detail": "Not this."}
    with scripted((status, problem, PROBLEM)) as (url, sent), pytest.raises(Refused, match="Not this"):
        post(url)
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (
            (302, b"", {"Location": "https://example.com/\x1b[31m"}),
            r"HTTP 302 to https://example.com/\?\[31m; is the add",
        ),
        ((404, b"nothing here", {}), "HTTP 404, and not from a Progress Site; is a proxy"),
        ((200, b"<html>", {}), "HTTP 200, and not from a Progress Site"),
        ((400, {"detail": "Not this host.", "code": "host_not_allowed"}, PROBLEM), "HTTP 400: Not this host."),
    ],
)
def test_a_foreign_answer_is_described_in_the_error(answer: Answer, hint: str) -> None:
    with scripted(answer) as (url, _), pytest.raises(Unavailable, match=hint):
        post(url, retry_for=0)


def test_giving_up_ends_with_a_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    begun = monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        post(url, retry_for=0.2)
    assert monotonic() - begun < 2


def test_retry_for_is_not_stretched_by_a_server_that_asks_for_more() -> None:
    with scripted((503, {}, {"Retry-After": "60"})) as (url, _), pytest.raises(Unavailable):
        post(url, retry_for=1)


def test_who_stops_does_not_wait_any_more() -> None:
    stop = Event()
    transport = Transport(f"http://127.0.0.1:{free_port()}", token="secret")
    Thread(target=stop.set).start()
    with pytest.raises(Unavailable):
        transport.call("GET", "/jobs", retry_for=60, stop=stop)


def test_many_calls_go_over_one_connection_and_a_closed_one_is_replaced_at_once(site: Site) -> None:
    with network(site) as proxy:
        transport = Transport(proxy.url, token=site.token)
        ask = lambda: transport.call("GET", "/jobs", retry_for=0)  # noqa: E731
        ask()
        ask()
        assert len(proxy._open) == 2
        proxy.cut()
        proxy.mode = "pass"
        ask()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host", "http://"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ProgressError, match="valid URL"):
        Transport(url, token="secret")


def test_a_client_without_a_token_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROGRESS_TOKEN", raising=False)
    with pytest.raises(ProgressError, match="PROGRESS_TOKEN"):
        Client("http://127.0.0.1:8000")


@pytest.mark.parametrize("token", ["schlüssel", "a\nb"])
def test_what_is_no_token_is_refused_at_once(token: str) -> None:
    with pytest.raises(ProgressError, match="valid token"):
        Client("http://127.0.0.1:8000", token=token)


def test_address_and_token_come_from_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESS_URL", f"{site.url}/")
    monkeypatch.setenv("PROGRESS_TOKEN", f"{site.token}\n")
    with Client() as client:
        assert list(client.jobs(name="unknown")) == []
