"""Invalid input about sessions: a 4xx that names the field, nothing stored, never a 500."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from jobs.models import Event, Job
from tests.training.conftest import TrainingApi
from tests.training.factories import completed_session, part, ready
from training.models import ClusteringRun, FaceDetectionSession, TrainingImage

pytestmark = pytest.mark.django_db

COUNTS = (
    "faces_detected", "faces_assigned", "current_asset_index", "current_batch", "total_batches", "batch_size",
)  # fmt: skip
SESSIONS = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "t", "kind": "training"}, "kind"),
    ({"name": "t", "images": {}}, "images"),
    ({"name": "t", "images": [{}]}, "images[0].path"),
    ({"name": "t", "images": [{"path": ""}]}, "images[0].path"),
    ({"name": "t", "images": [{"path": "a"}, {"path": "x" * 1025}]}, "images[1].path"),
    ({"name": "t", "images": [{"path": "a\0b"}]}, "images[0].path"),
    ({"name": "t", "images": [{"path": "a", "hash": "x" * 201}]}, "images[0].hash"),
    ({"name": "t", "images": [{"path": "a", "hash": None}]}, "images[0].hash"),
    ({"name": "t", "images": [{"path": "a", "hash": 7}]}, "images[0].hash"),
    ({"name": "t", "images": [{"path": "a", "created_at": "yesterday"}]}, "images[0].created_at"),
    ({"name": "t", "images": [{"path": "a", "created_at": 1700000000}]}, "images[0].created_at"),
    ({"name": "t", "images": [{"path": "a", "created_at": "2026-03-02T12:00:00"}]}, "images[0].created_at"),
    ({"name": "t", "images": [{"path": "a", "created_at": "0001-01-01T00:00:00+14:00"}]}, "images[0].created_at"),
    ({"name": "t", "images": [{"path": "a", "created_at": "9999-12-31T23:59:59-14:00"}]}, "images[0].created_at"),
    ({"name": "t", "images": [{"path": "a", "size": 7}]}, "images[0].size"),
    ({"name": "t", "images": [{"path": "a"}] * 5001}, "images"),
    ({"name": "t", "project": "x" * 129}, "project"),
    ({"name": "t", "metadata": {"x": "y" * 16_384}}, "metadata"),
]
TOLD = [
    ("patch", "faces", {"faces_detected": -1}, "faces_detected"),
    ("patch", "faces", {"faces_detected": None}, "faces_detected"),
    ("patch", "faces", {"faces_assigned": "1"}, "faces_assigned"),
    ("patch", "faces", {"current_batch": 1.5}, "current_batch"),
    ("patch", "faces", {"current_asset_index": 2**53 + 1}, "current_asset_index"),
    ("patch", "faces", {"min_confidence": 1.01}, "min_confidence"),
    ("patch", "faces", {"min_confidence": -0.1}, "min_confidence"),
    ("patch", "faces", {"batch_size": True}, "batch_size"),
    ("patch", "faces", {"faces": 3}, "faces"),
    ("post", "clustering", {}, "status"),
    ("post", "clustering", {"status": "pending"}, "status"),
    ("post", "clustering", {"status": "running", "current": -1}, "current"),
    ("post", "clustering", {"status": "completed", "clusters_created": "5"}, "clusters_created"),
    ("post", "clustering", {"status": "running", "percent": 5}, "percent"),
    ("post", "images", {}, "images"),
    ("post", "images", {"images": [{"path": "a", "created_at": "0001-01-01T00:00:00+14:00"}]}, "images[0].created_at"),
    ("post", "images", {"images": [], "complete": "yes"}, "complete"),
]


@pytest.mark.parametrize(("body", "field"), SESSIONS)
def test_a_wrong_session_names_the_field_and_stores_nothing(worker: TrainingApi, body: Any, field: str) -> None:
    response = worker.post("/training", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert not Job.objects.exists()


@pytest.mark.parametrize(("method", "path", "body", "field"), TOLD)
def test_a_wrong_word_names_the_field_and_changes_nothing(
    worker: TrainingApi, method: str, path: str, body: Any, field: str
) -> None:
    session = ready()
    events = Event.objects.count()
    response = worker.send(method, f"/training/{session.pk}/{path}", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert not FaceDetectionSession.objects.exists()
    assert not ClusteringRun.objects.exists()
    assert (Event.objects.count(), TrainingImage.objects.count()) == (events, 2)


@pytest.mark.parametrize(
    ("body", "field"), [({}, "what"), ({"what": "all"}, "what"), ({"reason": 1, "what": "faces"}, "reason")]
)
def test_a_wrong_restart_names_the_field(api: Any, body: Any, field: str) -> None:
    session = completed_session(2)
    response = api("lead").post(f"/training/{session.pk}/restart", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert part(session, "face_detection").run == 1


def test_the_largest_numbers_texts_and_times_are_taken(worker: TrainingApi) -> None:
    longest = {"path": "x" * 1024, "hash": "h" * 200, "created_at": "9999-12-31T23:59:59.999999Z"}
    oldest = {"path": "y", "hash": "h" * 200, "created_at": "0001-01-01T00:00:00Z"}
    body = worker.post("/training", {"name": "n" * 200, "images": [longest, oldest]}).json()
    assert body["images"] == {"total": 2, "unique": 1, "skipped": 1}
    session = ready()
    largest = dict.fromkeys(COUNTS, 2**53)
    assert worker.patch(f"/training/{session.pk}/faces", largest).json()["faces_detected"] == 2**53
    counted = {"status": "running", "current": 2**53, "total": 2**53}
    assert worker.post(f"/training/{session.pk}/clustering", counted).json()["current"] == 2**53


@pytest.mark.parametrize("offset", ["+20:57", "-23:59"])
def test_a_time_with_any_offset_is_stored_in_utc(worker: TrainingApi, offset: str) -> None:
    taken = f"2026-03-02T12:00:00{offset}"
    made = worker.post("/training", {"name": "t", "images": [{"path": "a", "created_at": taken}]})
    assert made.status_code == 201
    assert TrainingImage.objects.get().created_at == datetime.fromisoformat(taken)
