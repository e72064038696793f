"""Only an answer of a Progress Site ends an outcome; an answer of another server is retried."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from progress_client import AsyncClient, Client, ProgressTracker, Unavailable

from tests.client.gateway import HTML, JSON, PROBLEM, TEXT, Foreign, Gateway, gateway_to, problem
from tests.client.grounds import counts, worker, written_down
from tests.examples.site import Site, eventually, serving, working

Another = Callable[..., Client]
pytestmark = pytest.mark.usefixtures("quick_retries")
LOGIN = b"<html><form action='/login'>Please sign in</form>"
ABOUT_THE_REQUEST = {
    "a 404 in text": Foreign(404, b"default backend - 404", TEXT),
    "a 404 in JSON": Foreign(404, b'{"detail": "There is no such job.", "code": "not_found"}', JSON),
    "a problem of another service": Foreign(
        404, b'{"type": "about:blank", "title": "Not Found", "status": 404}', PROBLEM
    ),
    "a problem with a foreign code": problem(404, "NO_ROUTE"),
    "a redirect": Foreign(302, b"", {"Location": "https://login.example.com/"}),
    "a redirect for good": Foreign(308, b"", {"Location": "https://elsewhere.example.com/"}),
    "a 405": Foreign(405, b"<html>", HTML),
    "a 405 of a site's own words": problem(405, "method_not_allowed"),
    "a 400 of a proxy": Foreign(400, b"<h1>400 Bad Request</h1>", HTML),
    "a 400 for the host": problem(400, "host_not_allowed"),
    "a 401 of a proxy": Foreign(401, b"", {"WWW-Authenticate": "Basic"}),
    "a 403 of a firewall": Foreign(403, LOGIN, HTML),
    "a 409 of something else": Foreign(409, b"conflict", TEXT),
    "a 413 of a proxy": Foreign(413, b"<html>", HTML),
    "a 422 of a gateway": Foreign(422, b'{"message": "?"}', JSON),
    "a login page": Foreign(200, LOGIN, HTML),
    "a login page that calls itself JSON": Foreign(200, LOGIN, JSON),
    "other JSON": Foreign(200, b'{"status": "ok"}', JSON),
    "a list": Foreign(200, b"[]", JSON),
    "too few answers": Foreign(200, b'{"results": [], "phase": {}, "cancel_requested": false}', JSON),
    "JSON without an end of nesting": Foreign(200, b"[" * 100_000, JSON),
    "nothing": Foreign(204),
    "an empty 200": Foreign(200),
    "a body that is cut off": Foreign(200, b'{"results": [{"key": "a", "outc', JSON, length=4000),
    "a refusal that is cut off": Foreign(404, b'{"status": 404, "code": "not_fo', TEXT, length=4000),
    "a status between": Foreign(299, b'{"applied": true}', JSON),
    "an unknown status": Foreign(599, b"", TEXT),
}
ANSWERS = pytest.mark.parametrize("foreign", ABOUT_THE_REQUEST.values(), ids=ABOUT_THE_REQUEST.keys())

OF_ANY_CALL = ["a 404 in text", "a problem with a foreign code", "a redirect", "a login page", "other JSON", "nothing"]


@ANSWERS
def test_an_outcome_waits_until_the_site_has_answered(
    another: Another, gateway: Gateway, site: Site, folder: Path, name: str, foreign: Foreign
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a", "b"])
    gateway.always(foreign, path="/report")
    for item in job.claim(wait=False):
        with item:
            item.result = {"by": item.key}
        if item.key == "b":
            break
    eventually(lambda: gateway.tries("/report") > 2, what="more tries")
    assert client.flush(patience=0) is False
    assert client.refused == []
    assert counts(site, name) == (0, 0, 2, 0)
    assert any(b'"entry"' in path.read_bytes() for path in folder.iterdir())
    gateway.always(None)
    assert client.flush()
    assert counts(site, name) == (2, 0, 0, 0)
    assert [item["result"] for item in job.items()] == [{"by": "a"}, {"by": "b"}]


@pytest.mark.parametrize("foreign", [ABOUT_THE_REQUEST[what] for what in OF_ANY_CALL], ids=OF_ANY_CALL)
def test_no_call_takes_a_foreign_answer_for_the_sites(
    another: Another, gateway: Gateway, name: str, foreign: Foreign
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a"])
    client._session.retry_for = 0.0
    gateway.always(foreign)
    calls: list[Callable[[], object]] = [
        lambda: client.job(name, items=["a"]),
        lambda: client.find(name),
        lambda: client.open(job.id),
        lambda: job.announce(3),
        lambda: job.add_items(["b"]),
        lambda: list(job.items()),
        lambda: job.report([{"key": "a", "status": "completed"}]),
        lambda: job.heartbeat(),
        lambda: job.start(),
        lambda: job.finish(),
        lambda: job.progress(),
        lambda: job.timeline(),
        lambda: job.retry(),
        lambda: job.count(done=1),
        lambda: list(job.watch()),
    ]
    for call in calls:
        with pytest.raises(Unavailable):
            call()
    gateway.always(None)


def test_a_claim_and_a_heartbeat_survive_a_foreign_answer(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a", "b"])
    gateway.always(ABOUT_THE_REQUEST["a 404 in text"])
    done: list[str] = []

    def work() -> None:
        for item in job.claim(batch=1, lease_seconds=1):
            with item:
                done.append(item.key)
                if item.key == "a":
                    gateway.always(ABOUT_THE_REQUEST["a 404 in text"], path="/heartbeat")
                    eventually(lambda: gateway.tries("/heartbeat") > 1, what="heartbeats")
                    item.check()

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: gateway.tries("/claim") > 1, what="claims")
    gateway.always(None)
    thread.join(20)
    assert done == ["a", "b"]
    assert counts(site, name) == (2, 0, 0, 0)


async def test_the_asyncio_twin_waits_as_well(gateway: Gateway, site: Site, folder: Path, name: str) -> None:
    async with AsyncClient(gateway.url, token=site.token, journal=folder) as client:
        job = await client.job(name, items=["a"])
        gateway.always(ABOUT_THE_REQUEST["a 404 in text"], path="/report")
        async for item in job.claim():
            async with item:
                pass
            break
        assert await client.flush(patience=0.3) is False
        gateway.always(None)
        assert await client.flush()
        assert client.refused == []
    assert counts(site, name) == (1, 0, 0, 0)


def test_the_tracker_does_not_take_a_foreign_404_for_an_unknown_job(gateway: Gateway, site: Site, name: str) -> None:
    with ProgressTracker(gateway.url, site.token) as tracker:
        job = tracker.create_job(name, ["a"])
        tracker._session.retry_for = 0.0
        gateway.always(ABOUT_THE_REQUEST["a 404 in text"])
        with pytest.raises(Unavailable):
            tracker.get_progress(job)
        gateway.always(None)


def test_outcomes_outlive_a_foreign_answer_a_kill_and_a_restart(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with serving(tmp_path) as site, gateway_to(site) as gateway:
        with Client(site.url, token=site.token, journal=journal) as maker:
            maker.job("survives", items=map(str, range(20)))
        gateway.always(ABOUT_THE_REQUEST["a 404 in text"], path="/report")
        first = worker(site, "survives", "--batch", "20", journal=journal, url=gateway.url)
        with working([first]):
            assert first.stdout is not None
            handled = [first.stdout.readline().strip() for _ in range(20)]
            eventually(lambda: gateway.tries("/report") > 1, what="a report")
            eventually(lambda: written_down(journal) == 20, what="all outcomes in the journal")
            first.kill()
        site.kill()
        site.start()
        gateway.always(None)
        second = worker(site, "survives", journal=journal, url=gateway.url)
        with working([second]):
            out, _ = second.communicate(timeout=30)
        assert sorted(handled, key=int) == [str(number) for number in range(20)]
        assert out == ""
        assert counts(site, "survives") == (20, 0, 0, 0)
    assert list(journal.iterdir()) == []


def test_a_site_that_refuses_our_host_keeps_nothing_from_being_told_later(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=["a"])
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    connection.request("POST", f"/api/v1/jobs/{job.id}/phases/items/report", b"{}", {"Host": "evil.example"})
    response = connection.getresponse()
    raw = response.read()
    gateway.always(Foreign(response.status, raw, {"Content-Type": response.headers["Content-Type"]}), path="/report")
    job.tell("a", result={"n": 1})
    eventually(lambda: gateway.tries("/report") > 1, what="tries")
    assert (response.status, json.loads(raw)["code"]) == (400, "host_not_allowed")
    assert "ALLOWED_HOSTS" in json.loads(raw)["detail"]
    gateway.always(None)
    assert client.flush()
    assert (counts(site, name), client.refused) == ((1, 0, 0, 0), [])
