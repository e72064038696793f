"""Refused events: the whole event, with the name of the wrong field."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import inbox
from jobs.models import Job
from jobs.rules.errors import BadInput, Conflict, NotPermitted
from jobs.tracking import Actor
from tests.factories import operator, pipeline
from tests.jobs.inbox.messages import (
    PRODUCER,
    announce,
    counts,
    event,
    send,
)

pytestmark = pytest.mark.django_db


def test_one_bad_entry_refuses_all() -> None:
    entries: list[dict[str, Any]] = [{"frame_id": "f1"}, {"frame_id": "f2"}, {"frame": "f3"}]
    with pytest.raises(BadInput) as refusal:
        send("videos.keyframes.ready", video_id="v", frames=entries)
    assert refusal.value.errors == {"data.frames[2].frame_id": "This field is required."}
    assert counts() == (0, 0, 0, 0)


def test_a_frame_with_too_much_beside_its_id_refuses_all() -> None:
    entries = [{"frame_id": "f1"}, {"frame_id": "f2", "blob": "x" * 17_000}]
    with pytest.raises(BadInput) as refusal:
        send("videos.keyframes.ready", video_id="v", frames=entries)
    assert list(refusal.value.errors) == ["data.frames[1]"]
    assert counts() == (0, 0, 0, 0)


@pytest.mark.parametrize("total", [-5, 3.5, 3.0, "ten", True, None, 2**53 + 1])
def test_a_total_that_is_no_count_is_refused(total: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        send("products.images.ready.batch", total_images=total)
    assert list(refusal.value.errors) == ["data.total_images"]
    assert counts() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "type"),
        ({"type": "video.embeddings.completed", "data": {}}, "type"),
        ({"type": ["x"], "data": {}}, "type"),
        ({"type": "products.image.ready"}, "data"),
        ({"type": "products.image.ready", "data": []}, "data"),
        ({"type": "products.image.ready", "data": {"job_id": "a"}}, "data.image_id"),
        ({"type": "products.image.ready", "data": {"job_id": "", "image_id": "a"}}, "data.job_id"),
        ({"type": "products.image.ready", "data": {"job_id": "x" * 201, "image_id": "a"}}, "data.job_id"),
        ({"type": "products.image.ready", "data": {"job_id": "a", "image_id": "x" * 1025}}, "data.image_id"),
        ({"type": "products.image.ready", "data": {"job_id": "a", "image_id": "b", "event_id": "7"}}, "data.event_id"),
    ],
)
def test_what_breaks_its_contract_is_refused_by_the_name_of_its_field(message: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        inbox.ingest_event(message, source="test", by=PRODUCER)
    assert list(refusal.value.errors) == [field]
    assert counts() == (0, 0, 0, 0)


def test_an_account_sees_and_makes_only_jobs_of_its_projects() -> None:
    limited = Actor(account=operator(projects=["red"]))
    pipeline(kind="vision", project="red")
    red = Job.objects.get()
    assert inbox.ingest_event(
        event("products.images.ready.batch", job=red.name, total_images=1), source="a", by=limited
    ).applied
    announce("images", 5, job="elsewhere")
    before = counts()
    with pytest.raises(Conflict) as refusal:
        inbox.ingest_event(
            event("products.images.ready.batch", job="elsewhere", total_images=1), source="a", by=limited
        )
    assert refusal.value.code == "name_taken"
    with pytest.raises(NotPermitted):
        inbox.ingest_event(event("products.images.ready.batch", job="unknown", total_images=1), source="a", by=limited)
    assert counts() == before
