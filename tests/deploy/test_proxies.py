"""The examples of deploy/ in real proxies: pages, sign-in, sockets, streams, addresses and large bodies."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.deploy.conftest import PASSWORD, Backend
from tests.deploy.proxies import CLIENT_ADDRESS, Front, sign_in

LINK = re.compile(r"""(?:href|src|action|data-socket|data-poll)=["']([^"'#]+)["']""")
FIRST_EVENT_SECONDS = 2.0


@pytest.fixture(scope="module")
def browser(front: Front) -> Any:
    """An operator's browser that has signed in."""
    with front.client() as client:
        page = sign_in(client, "olga", PASSWORD)
        assert (page.status_code, page.url.path) == (200, f"{front.prefix}/admin/")
        yield client


def bearer(backend: Backend) -> dict[str, str]:
    return {"Authorization": f"Bearer {backend.token}"}


def test_signing_in_leads_to_the_page_that_was_asked_for(front: Front, backend: Backend) -> None:
    with front.client() as client:
        asked = client.get(f"/admin/jobs/job/{backend.job}/")
        assert asked.status_code == 302
        assert asked.headers["Location"].startswith(f"{front.prefix}/admin/login/?next=")
        form = client.get(asked.headers["Location"].removeprefix(front.prefix))
        token = client.cookies[next(name for name in client.cookies if name.endswith("csrftoken"))]
        given = {
            "username": "olga",
            "password": PASSWORD,
            "csrfmiddlewaretoken": token,
            "next": form.url.params["next"],
        }
        answer = client.post(str(form.url), data=given, headers={"Origin": front.origin})
        assert answer.headers["Location"] == f"{front.prefix}/admin/jobs/job/{backend.job}/"
        cookies = [cookie for cookie in client.cookies.jar if "sessionid" in cookie.name]
        guard, name = ("__Secure-", "progress-") if front.prefix else ("__Host-", "")
        assert [(each.name, each.path, each.secure) for each in cookies] == [
            (f"{guard}{name}sessionid", f"{front.prefix}/", True)
        ]


def test_every_address_on_a_page_is_below_the_prefix_and_answers(
    front: Front, backend: Backend, browser: httpx.Client
) -> None:
    pages = [f"/admin/jobs/job/{backend.job}/", "/admin/", "/admin/jobs/job/", "/api/v1/docs"]
    found: set[str] = set()
    for page in pages:
        answer = browser.get(page, follow_redirects=True)
        assert answer.status_code == 200, page
        found |= {link.replace("&amp;", "&") for link in LINK.findall(answer.text) if link.startswith("/")}
    assert any("/static/" in link for link in found)
    assert [link for link in found if not link.startswith(f"{front.prefix}/")] == []
    served = [link for link in found if "/ws/" not in link and "logout" not in link]
    codes = {link: browser.get(link.removeprefix(front.prefix), follow_redirects=True).status_code for link in served}
    # The address of a form may take nothing but POST.
    assert {link: code for link, code in codes.items() if code >= 400 and code != 405} == {}


def test_the_modules_of_live_pages_import_addresses_that_answer(front: Front, browser: httpx.Client) -> None:
    page = browser.get("/admin/").text
    [script] = [link for link in LINK.findall(page) if link.endswith("/page.js")]
    source = browser.get(script.removeprefix(front.prefix)).text
    imported = re.findall(r'from "([^"]+)"', source)
    assert imported
    folder = script.removeprefix(front.prefix).rpartition("/")[0]
    assert {browser.get(f"{folder}/{name.removeprefix('./')}").status_code for name in imported} == {200}


def test_a_socket_of_a_page_sends_its_first_frame(front: Front, backend: Backend, browser: httpx.Client) -> None:
    page = browser.get(f"/admin/jobs/job/{backend.job}/", follow_redirects=True).text
    [path] = re.findall(r'data-socket="([^"]+)"', page)
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
    insecure = ssl.create_default_context()
    insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
    address = f"{front.origin.replace('https', 'wss')}{path}"
    with connect(address, ssl=insecure, origin=front.origin, additional_headers={"Cookie": cookie}) as socket:  # type: ignore[arg-type]
        frame = json.loads(socket.recv(timeout=10))
        assert (frame["type"], [job["id"] for job in frame["jobs"]]) == ("snapshot", [backend.job])


def test_a_stream_sends_its_first_event_within_two_seconds(front: Front, backend: Backend) -> None:
    """The best of three: a proxy that buffers holds each of them back until the stream ends."""
    path = f"/api/v1/jobs/{backend.job}/stream"
    seconds = []
    with front.client(headers=bearer(backend)) as client:
        for _ in range(3):
            begun = time.monotonic()
            asked = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
            with client.stream("GET", path, headers=asked) as answer:
                assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
                assert next(answer.iter_lines())
                seconds.append(time.monotonic() - begun)
    assert min(seconds) < FIRST_EVENT_SECONDS


def test_workers_work_through_it(front: Front, backend: Backend) -> None:
    phase = f"/api/v1/jobs/{backend.job}/phases/items"
    with front.client(headers=bearer(backend)) as client:
        claimed = client.post(f"{phase}/claim", json={"worker": "w1", "limit": 1})
        assert claimed.status_code == 200
        [item] = claimed.json()["items"]
        result = {"key": item["key"], "status": "completed", "attempt": item["attempt"]}
        answer = client.post(f"{phase}/report", json={"worker": "w1", "results": [result]})
        assert (answer.status_code, [each["outcome"] for each in answer.json()["results"]]) == (200, ["applied"])


def test_the_log_has_the_client_s_address_and_the_id_of_the_request_and_nothing_but_json(
    front: Front, backend: Backend
) -> None:
    with front.client() as client:
        refused = client.get("/api/v1/jobs", headers={"X-Forwarded-For": "203.0.113.66", "X-Forwarded-Proto": "http"})
    assert refused.status_code == 401
    number = refused.headers["X-Request-ID"]
    lines = [json.loads(line) for line in backend.said().splitlines()]
    [line] = [line for line in lines if line.get("request_id") == number and line["event"] == "request_finished"]
    assert (line["ip"], line["code"]) == (CLIENT_ADDRESS, 401)
    assert line["request"] == f"GET {front.prefix}/api/v1/jobs"


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
def test_a_body_that_is_too_large_is_413(front: Front, backend: Backend, chunked: bool) -> None:
    headers = {**bearer(backend), "Content-Type": "application/json"}
    with front.client(headers=headers) as client:
        assert 413 in large_bodies(client, chunked=chunked)


def large_bodies(client: httpx.Client, *, chunked: bool) -> Iterator[int]:
    """Yield the answers to a large body: one to a body with a length, of one in chunks up to five.

    The server refuses chunks before the last has come. A proxy that still sends then may lose the answer.
    """
    body = b'{"name": "' + b"x" * 1_500_000 + b'"}'
    for _ in range(5 if chunked else 1):
        content: Any = iter([body[:700_000], body[700_000:]]) if chunked else body
        with suppress(httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError):
            yield client.post("/api/v1/jobs", content=content).status_code


def test_the_probes_and_the_description_of_the_api_know_the_prefix(front: Front) -> None:
    with front.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").status_code == 200
        assert client.get("/metrics").status_code == 200
        schema = client.get("/api/v1/schema?format=json", headers={"Accept": "application/json"})
        assert schema.json()["servers"] == [{"url": front.prefix or "/"}]


def test_a_kubelet_asks_a_server_without_the_prefix_and_without_a_host(backend: Backend) -> None:
    for port in backend.ports:
        for path in {"/healthz", f"{backend.prefix}/healthz", "/readyz"}:
            answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": "10.0.0.7:8000"}, timeout=20)
            assert answer.status_code == 200, path
