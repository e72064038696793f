"""The lean path: the same answers as the views, and everything unusual passed on to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from django.utils import timezone

from jobs.models import Job, Phase
from progress_site.threaded_handler import ThreadedHandler
from tests.factories import item_of, make_job, phase_of
from tests.jobs.api.conftest import Api
from tests.jobs.ingest.conftest import Site

DONE = {"worker": "w1", "results": [{"key": "k0", "status": "completed"}]}


def calls(job: Job, other: Job) -> list[tuple[str, Any]]:
    """Return each of the calls, on two jobs without and with items, so that repeating it answers the same."""
    items, counted = f"/jobs/{job.pk}/phases/items", f"/jobs/{other.pk}/phases/items"
    return [
        (f"{items}/report", DONE),
        (f"{items}/claim", {"worker": "w1"}),
        ("/claim", {"worker": "w1", "phase": "items", "kind": "vision"}),
        (f"/jobs/{job.pk}/heartbeat", {"worker": "w1", "items": [1]}),
        (f"{counted}/count", {"event_id": str(uuid4()), "done": 2}),
        (f"{counted}/announce", {"expected": 4}),
    ]


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_every_call_has_the_body_and_the_headers_of_its_view(site: Site, secure: bool) -> None:
    worker, job, other = Api("worker"), make_job(items=1), make_job()
    for path, body in calls(job, other):
        worker.post(path, body)  # what a first call changes
        for model in (Job, Phase):  # the rate of the first minutes changes with every second
            model.objects.filter(started_at__isnull=False).update(started_at=timezone.now() - timedelta(days=1))
        view = worker.client.post(f"/api/v1{path}", body, format="json", secure=secure)
        lean = site.post(path, body, secret=worker.secret, scheme="https" if secure else "http")
        assert (lean.status, lean.json()) == (200, view.json())
        assert lean.body == view.content
        assert lean.headers == dict(view.headers), path
    assert site.passed_on.bodies == []


@override_settings(SECURE_HSTS_SECONDS=60)
def test_an_answer_over_https_has_hsts(site: Site) -> None:
    worker, job = Api("worker"), make_job(items=1)
    site = Site(ThreadedHandler())
    path = f"/jobs/{job.pk}/phases/items/claim"
    answers = [site.post(path, {"worker": "w1"}, secret=worker.secret, scheme=scheme) for scheme in ("http", "https")]
    assert ["Strict-Transport-Security" in answer.headers for answer in answers] == [False, True]


UNUSUAL: dict[str, dict[str, Any]] = {
    "another method": {"method": "PUT"},
    "a query": {"query": b"a=b"},
    "no token": {"authorization": None},
    "another scheme": {"authorization": "Basic dzE6cGFzc3dvcmQ="},
    "an unknown token": {"authorization": f"Bearer {'0' * 64}"},
    "a session": {"cookie": "sessionid=abc"},
    "another host": {"host": "elsewhere.example"},
    "no host": {"host": None},
    "another content type": {"content_type": "text/plain"},
    "a compressed body": {"content_encoding": "gzip"},
    "a chunked body": {"content_length": None, "transfer_encoding": "chunked"},
    "too long a body": {"content_length": "1048577"},
    "another answer": {"accept": "text/html"},
}


@pytest.mark.parametrize("options", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_an_unusual_request_is_passed_on_untouched(site: Site, options: dict[str, Any]) -> None:
    worker, job = Api("worker"), make_job(items=1)
    answer = site.post(f"/jobs/{job.pk}/phases/items/report", DONE, secret=worker.secret, **options)
    assert (answer.status, len(site.passed_on.bodies)) == (418, 1)
    assert item_of(job, "k0").status == "pending"


REFUSED = {
    "not JSON": b"{",
    "not an object": b"[]",
    "a key twice": b'{"worker": "a", "worker": "w1", "results": []}',
    "NUL": b'{"worker": "w\\u0000", "results": []}',
    "half a pair": b'{"worker": "w\\ud800", "results": []}',
    "too large a number": b'{"results": [{"key": "k0", "status": "failed", "attempt": 9007199254740993}]}',
    "infinity": b'{"worker": "w1", "results": [{"key": "k0", "status": "completed", "result": {"n": 1e999}}]}',
    "a wrong type": b'{"worker": 5, "results": []}',
    "an unknown field": b'{"worker": "w1", "results": [], "more": 1}',
    "a name that is none": b'{"worker": "w\\u202e", "results": []}',
    "too large a result": b'{"results": [{"key": "k0", "status": "completed", "result": {"a": "%s"}}]}'
    % (b"x" * 17_000),
    "nested too deeply": b'{"results": [{"key": "k", "status": "completed", "result": {"a": '
    + b"[" * 40
    + b"]" * 40
    + b"}}]}",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_a_body_that_is_refused_is_passed_on_whole(site: Site, raw: bytes) -> None:
    worker, job = Api("worker"), make_job(items=1)
    answer = site.post(f"/jobs/{job.pk}/phases/items/report", raw, secret=worker.secret)
    assert (answer.status, site.passed_on.bodies) == (418, [raw])


def test_a_text_that_looks_like_a_key_is_left_to_the_strict_parser(site: Site) -> None:
    worker, job = Api("worker"), make_job(items=1)
    path, text = f"/jobs/{job.pk}/phases/items/report", 'a "b": c'
    results = [{"key": "k0", "status": "failed", "error": text}]
    assert site.post(path, {"results": results}, secret=worker.secret).status == 418
    assert worker.post(path, {"results": results}).status_code == 200
    assert item_of(job, "k0").error == text


def test_refusals_of_the_verbs_are_passed_on_and_change_nothing(site: Site) -> None:
    worker, job = Api("worker", projects=["red"]), make_job(items=1, project="red")
    invisible = make_job(items=1, project="blue")
    event_id = str(uuid4())
    counted = make_job(project="red")
    site.post(f"/jobs/{counted.pk}/phases/items/count", {"event_id": event_id, "done": 1}, secret=worker.secret)
    refused = [
        (f"/jobs/{invisible.pk}/phases/items/report", DONE),
        (f"/jobs/{invisible.pk}/heartbeat", {"worker": "w1"}),
        (f"/jobs/{job.pk + 1000}/phases/items/claim", {"worker": "w1"}),
        (f"/jobs/{job.pk}/phases/other/report", DONE),
        (f"/jobs/{job.pk}/phases/items/count", {"event_id": str(uuid4()), "done": 1}),
        (f"/jobs/{counted.pk}/phases/items/count", {"event_id": event_id, "done": 2}),
        (f"/jobs/{counted.pk}/phases/items/report", DONE),
    ]
    before = [Job.objects.values().order_by("pk"), phase_of(counted).done]
    answers = site.at_once(*(site.request(path, body, secret=worker.secret) for path, body in refused))
    assert [answer.status for answer in answers] == [418] * len(refused)
    assert list(before[0]) == list(Job.objects.values().order_by("pk"))
    assert phase_of(counted).done == before[1]


def test_an_account_that_may_not_report_is_passed_on(site: Site) -> None:
    viewer, job = Api("viewer"), make_job(items=1)
    assert site.post(f"/jobs/{job.pk}/phases/items/report", DONE, secret=viewer.secret).status == 418
