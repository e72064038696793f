"""The feed of outward events, followed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Signal

import pytest
from django.db import connections, transaction
from rest_framework.test import APIClient

from jobs import tracking
from jobs.models import Event, Job
from jobs.tracking import Actor, Result
from tests.factories import make_job, phase_of
from tests.jobs.live.sse.conftest import Listen, token

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 20.0


def outward_ids() -> list[int]:
    """The ids of all outward events, ascending."""
    return list(Event.objects.outward().order_by("pk").values_list("pk", flat=True))


def test_each_event_comes_once_and_new_ones_within_two_seconds(listen: Listen, viewer: str) -> None:
    make_job(items=1, done=1)
    stream = listen("/events", token=viewer)
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    heard = [stream.hear(), stream.hear()]
    began = time.monotonic()
    make_job(name="b", items=1, done=1)
    heard += [stream.hear(), stream.hear()]
    assert time.monotonic() - began < 2
    assert [int(message["id"]) for message in heard] == outward_ids()
    assert [message["data"]["id"] for message in heard] == outward_ids()
    assert heard[-1]["data"]["type"] == "job.completed"


def test_who_comes_back_continues_after_the_last_id(listen: Listen, viewer: str) -> None:
    make_job(items=1, done=1)
    first, second = outward_ids()
    assert listen(f"/events?after={first}", token=viewer).hear()["id"] == str(second)
    assert listen("/events?after=0", token=viewer, Last_Event_ID=str(first)).hear()["id"] == str(second)


def test_the_followed_feed_is_filtered_like_the_one_that_is_read(listen: Listen) -> None:
    make_job(items=1, done=1, project="red")
    stream = listen("/events?type=job.completed&limit=1", token=token("view_job", projects=["blue"]))
    make_job(name="blue", items=1, done=1, project="blue")
    message = stream.hear()
    assert (message["data"]["job_id"], message["data"]["type"]) == ("blue", "job.completed")


def test_the_feed_cannot_be_followed_without_a_token_or_permission(listen: Listen) -> None:
    assert listen("/events").problem()["status"] == 401
    assert listen("/events", token=token()).problem()["status"] == 403


def test_json_is_the_answer_to_who_asks_for_nothing_else(viewer: str) -> None:
    for accept in ("*/*", "application/json"):
        response = APIClient().get("/api/v1/events", headers={"Authorization": f"Bearer {viewer}", "Accept": accept})
        assert response.headers["Content-Type"] == "application/json"


def test_an_event_that_commits_late_is_never_skipped(listen: Listen, viewer: str) -> None:
    early, late = make_job(name="early", items=1), make_job(name="late", items=1)
    stream = listen("/events", token=viewer)
    reader = APIClient(headers={"Authorization": f"Bearer {viewer}"})
    written, commit = Signal(), Signal()

    def hold_back() -> None:
        with transaction.atomic():
            _complete(early, worker="w1")
            written.set()
            assert commit.wait(SECONDS)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(_alone, hold_back)
        assert written.wait(SECONDS)
        second = threads.submit(_alone, lambda: _complete(late, worker="w2"))
        time.sleep(1.5)
        seen = reader.get("/api/v1/events").json()["results"]
        commit.set()
        first.result(SECONDS)
        second.result(SECONDS)
    after = seen[-1]["id"] if seen else 0
    seen += reader.get(f"/api/v1/events?after={after}").json()["results"]
    assert [event["id"] for event in seen] == outward_ids()
    assert [int(stream.hear()["id"]) for _ in range(4)] == outward_ids()
    assert len(seen) == 4


def _complete(job: Job, *, worker: str) -> None:
    """The only item, by a worker of its own: nothing but the order of events makes one wait for the other."""
    tracking.report(phase_of(job), results=[Result("k0", "completed")], worker=worker, by=Actor(name=worker))


def _alone(act: Callable[[], object]) -> None:
    """In a thread with a connection, and so a transaction, of its own."""
    try:
        act()
    finally:
        connections.close_all()
