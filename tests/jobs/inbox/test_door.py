"""POST /events: the handlers behind REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from jobs.models import InboxMessage, Job
from tests.factories import make_job, pipeline
from tests.jobs.api.conftest import Api, api, worker
from tests.jobs.inbox.messages import event

__all__ = ["api", "worker"]
BATCH = {"type": "videos.keyframes.ready.batch", "total_keyframes": 3}


def test_an_event_is_answered_with_the_job_and_its_phases(worker: Api) -> None:
    response = worker.post("/events", event(**BATCH))
    assert response.status_code == 200
    codes = ["video.embeddings", "video.keypoints"]
    assert response.json() == {"applied": True, "reason": None, "job": Job.objects.get().pk, "phases": codes}
    assert worker.get(f"/jobs/{response.json()['job']}").json()["name"] == "batch"


def test_repeating_it_changes_nothing(worker: Api) -> None:
    message = event(**BATCH)
    worker.post("/events", message)
    assert worker.post("/events", message).json()["reason"] == "duplicate"
    assert worker.post("/events", event(**BATCH)).json()["reason"] == "same_total"


def test_two_accounts_are_two_sources(api: Callable[..., Api]) -> None:
    event_id = str(uuid4())
    first, second = api("worker"), api("worker")
    assert first.post("/events", event("image.embedding.ready", asset_id="a", event_id=event_id)).json()["applied"]
    assert second.post("/events", event("image.embedding.ready", asset_id="b", event_id=event_id)).json()["applied"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({"type": "no.such", "data": {}}, "type"),
        ({"type": "products.image.ready", "data": []}, "data"),
        ({"type": "products.image.ready", "data": {}, "more": 1}, "more"),
        (event("videos.keyframes.ready.batch"), "data.total_keyframes"),
        (event("videos.keyframes.ready.batch", total_keyframes=-1), "data.total_keyframes"),
        (event("videos.keyframes.ready.batch", total_keyframes=1, total_frames=2), "data.total_frames"),
        (event("videos.keyframes.ready", video_id="v", frames=[{"frame_id": ""}]), "data.frames[0].frame_id"),
        (event("image.embedding.ready", event_id="1", asset_id="a"), "data.event_id"),
    ],
)
def test_a_bad_event_is_400_names_the_field_and_stores_nothing(worker: Api, body: Any, field: str) -> None:
    response = worker.post("/events", body)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert field in [error["field"] for error in response.json()["errors"]]
    assert not Job.objects.exists()
    assert not InboxMessage.objects.exists()


def test_an_id_of_another_event_is_refused_with_its_code(worker: Api) -> None:
    event_id = str(uuid4())
    worker.post("/events", event("image.embedding.ready", asset_id="a", event_id=event_id))
    response = worker.post("/events", event("image.embedding.ready", asset_id="b", event_id=event_id))
    assert (response.status_code, response.json()["code"]) == (400, "event_id_reused")


def test_a_job_out_of_sight_is_a_taken_name_and_a_new_one_is_out_of_reach(api: Callable[..., Api]) -> None:
    limited = api("worker", projects=["red"])
    pipeline(kind="vision", project="blue")
    blue = Job.objects.get().name
    response = limited.post("/events", event(**BATCH, job=blue))
    assert (response.status_code, response.json()["code"]) == (409, "name_taken")
    assert "vision" not in response.json()["detail"]
    assert limited.post("/events", event(**BATCH, job="new")).status_code == 403
    assert Job.objects.count() == 1


def test_a_job_of_another_kind_is_a_taken_name(worker: Api) -> None:
    make_job(name="batch", items=1)
    assert worker.post("/events", event(**BATCH)).status_code == 409


def test_events_need_the_permission_to_report(api: Callable[..., Api]) -> None:
    assert api("viewer").post("/events", event(**BATCH)).status_code == 403
    assert APIClient().post("/api/v1/events", event(**BATCH), format="json").status_code == 401
    assert not Job.objects.exists()
