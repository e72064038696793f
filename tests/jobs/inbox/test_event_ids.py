"""The id of an event: remembered with its effect, and never for another event."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from jobs.models import Job
from jobs.rules.errors import BadInput
from tests.jobs.inbox.messages import (
    announce,
    counts,
    phase,
    send,
)

pytestmark = pytest.mark.django_db


def test_an_event_id_is_remembered_per_source() -> None:
    event_id = str(uuid4())
    announce("images", 5, event_id=event_id)
    assert send("image.embedding.ready", asset_id="a", event_id=event_id, source="other").applied


@pytest.mark.parametrize(
    "other",
    [
        {"type": "image.embedding.ready", "asset_id": "b"},
        {"type": "image.keypoint.ready", "asset_id": "a"},
        {"type": "image.embedding.ready", "asset_id": "a", "job": "another"},
        {"type": "products.images.ready.batch", "total_images": 4},
    ],
)
def test_an_event_id_of_another_event_is_refused(other: dict[str, Any]) -> None:
    event_id = str(uuid4())
    send("image.embedding.ready", asset_id="a", event_id=event_id)
    before = counts()
    with pytest.raises(BadInput) as refusal:
        send(**other, event_id=event_id)
    assert refusal.value.code == "event_id_reused"
    assert counts() == before


def test_an_announcement_for_another_job_may_not_use_the_same_id() -> None:
    event_id = str(uuid4())
    announce("images", 5, event_id=event_id)
    with pytest.raises(BadInput):
        announce("images", 5, event_id=event_id, job="another")
    assert not Job.objects.filter(name="another").exists()


def test_the_id_is_remembered_only_with_its_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = str(uuid4())
    announce("images", 5)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("jobs.change.transactions.commit_changes", broken)
    with pytest.raises(RuntimeError):
        send("image.embedding.ready", asset_id="a", event_id=event_id)
    monkeypatch.undo()
    assert send("image.embedding.ready", asset_id="a", event_id=event_id).applied
    assert phase("image.embeddings").done == 1
