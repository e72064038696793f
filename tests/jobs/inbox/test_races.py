"""Producers that speak at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from jobs.inbox import Ingested
from jobs.models import InboxMessage, Job
from jobs.rules.errors import BadInput
from tests.jobs.inbox.messages import announce, job, phase, send
from tests.jobs.races.concurrency import assert_whole, threads

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 4


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run the acts at the same moment and return their results."""
    with threads(len(acts)) as team:
        return team.at_once(*acts)


def applied(answers: list[Ingested]) -> list[bool]:
    """Which were applied."""
    return sorted(taken.applied for taken in answers)


@pytest.mark.parametrize("_", range(3))
def test_the_same_event_at_the_same_moment_is_applied_once(_: int) -> None:
    event_id = str(uuid4())
    act = partial(send, "image.embedding.ready", asset_id="a", event_id=event_id)
    assert applied(at_once(*[act] * SIZE)) == [False] * (SIZE - 1) + [True]
    assert (phase("image.embeddings").done, InboxMessage.objects.count()) == (1, 1)


@pytest.mark.parametrize("_", range(3))
def test_the_first_events_of_an_unknown_job_make_it_once(_: int) -> None:
    acts = [partial(send, "video.embedding.ready", asset_id=f"k{n}") for n in range(SIZE)]
    assert applied(at_once(*acts)) == [True] * SIZE
    assert Job.objects.count() == 1
    assert assert_whole(job()).done == SIZE


@pytest.mark.parametrize("_", range(3))
def test_the_first_events_of_another_asset_type_add_its_phases_once(_: int) -> None:
    announce("images", 5)
    acts = [partial(send, "video.keypoint.ready", asset_id=f"k{n}") for n in range(SIZE)]
    assert applied(at_once(*acts)) == [True] * SIZE
    assert list(job().phases.values_list("position", flat=True)) == [0, 1, 2, 3]
    assert phase("video.keypoints").done == SIZE


@pytest.mark.parametrize("_", range(3))
def test_the_last_item_and_its_announcement_complete_the_phase_once(_: int) -> None:
    acts = [partial(send, "image.embedding.ready", asset_id=f"k{n}") for n in range(SIZE - 1)]
    at_once(*acts, partial(announce, "images", SIZE - 1))
    assert assert_whole(job()).status == "completed"


def test_one_id_for_two_jobs_at_the_same_moment_is_taken_by_one_of_them() -> None:
    for name in ("one", "two"):
        announce("images", 5, job=name)
    event_id = str(uuid4())
    acts = [
        partial(send, "image.embedding.ready", asset_id="a", event_id=event_id, job=name) for name in ("one", "two")
    ]
    answers = at_once(*acts)
    assert sorted(isinstance(answer, BadInput) for answer in answers) == [False, True]
    assert sum(phase("image.embeddings", of=name).done for name in ("one", "two")) == 1
