"""The lists of sessions, images and face detections as files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.console.admin import keyset_export
from jobs.console.admin.export import Json, file_chunks
from tests.training.factories import body, completed_session, faces, image, images, make_session
from tests.training.pages.states import make_in
from training.models import FaceDetectionSession, TrainingImage, TrainingSession

pytestmark = pytest.mark.django_db


def written(model: Any) -> Any:
    """The file_chunks of a JSON file."""
    model_admin: Any = admin.site._registry[model]
    rows = model.objects.order_by(*model_admin.ordering).prefetch_related(*model_admin.follows)
    return file_chunks(rows, model_admin.exported, Json(), prepare=model_admin.exported_rows)


def rows_of(model: Any) -> list[dict[str, Any]]:
    """The rows of the file."""
    found: list[dict[str, Any]] = json.loads(b"[" + b"".join(written(model)) + b"]")
    return found


def test_a_session_has_the_figures_of_its_page() -> None:
    session = make_in("faces", name="wedding", project="customer-1")
    [row] = rows_of(TrainingSession)
    assert (row["id"], row["name"], row["project"], row["percentage"]) == (session.pk, "wedding", "customer-1", 46.25)
    shown = body(session)
    assert {name: row[f"images_{name}"] for name in shown["images"]} == shown["images"]
    assert (row["current_phase"], row["faces_detected"], row["clusters_created"]) == ("face_detection", 41, None)


def test_clusters_are_those_that_were_told() -> None:
    completed_session(clusters=5)
    [row] = rows_of(TrainingSession)
    assert (row["status"], row["current_phase"], row["clusters_created"]) == ("completed", "completed", 5)


def test_an_image_names_the_one_that_stands_for_it() -> None:
    session = make_session([image("a.jpg", "same", day=1), image("b.jpg", "same", day=2), image("c.jpg")], name="s")
    rows = {row["path"]: row for row in rows_of(TrainingImage)}
    assert {path: row["duplicate_of"] for path, row in rows.items()} == {"a.jpg": None, "b.jpg": "a.jpg", "c.jpg": None}
    assert (rows["b.jpg"]["status"], rows["b.jpg"]["session"], rows["b.jpg"]["session_id"]) == (
        "skipped",
        "s",
        session.pk,
    )
    assert rows["a.jpg"]["created_at"] == "2026-01-02T00:00:00Z"


def test_a_face_detection_has_the_figures_of_rest() -> None:
    session = make_in("faces")
    faces(session, faces_assigned=7)
    [row] = rows_of(FaceDetectionSession)
    shown: Any = body(session)["faces"]
    shared = [name for name in shown if name != "current_asset_index"]
    assert {name: row[name] for name in shared} == {name: shown[name] for name in shared}


@pytest.mark.parametrize(("model", "most"), [(TrainingSession, 9), (TrainingImage, 6), (FaceDetectionSession, 3)])
def test_a_portion_costs_the_same_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch, model: Any, most: int) -> None:
    monkeypatch.setattr(keyset_export, "FIRST_BATCH", 2)
    monkeypatch.setattr(keyset_export, "BATCH", 4)
    for _ in range(6):
        make_session(images(2, 1))
    sessions = TrainingSession.objects.all()
    FaceDetectionSession.objects.bulk_create(
        FaceDetectionSession(session=each, run=1, created_at=each.created_at, updated_at=each.created_at)
        for each in sessions
    )
    following = written(model)
    for number in (2, 4):
        with CaptureQueriesContext(connection) as asked:
            rows = json.loads(b"[" + next(following).lstrip(b",") + b"]")
        assert (len(rows), len(asked) <= most) == (number, True), len(asked)
