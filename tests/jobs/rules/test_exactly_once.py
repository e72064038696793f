"""Exactly once: one completed event per phase and run, in the transaction of its cause."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from jobs import tracking, watchdog
from jobs.change import event_factory
from jobs.models import Event
from jobs.operations import force_complete, restart, retry, set_threshold
from jobs.rules.errors import WrongState
from jobs.rules.pipelines import PhaseSpec
from tests.factories import (
    WORKER,
    complete,
    listed,
    make_job,
    outcomes,
    outward,
    phase_of,
    pipeline,
    settle,
    take,
    types,
)
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db


def test_whatever_comes_after_completion_sends_no_second_event(clock: Clock) -> None:
    job = make_job(items=20, done=18, threshold=90, trigger="at_threshold")
    complete(phase_of(job), 20)
    tracking.announce(phase_of(job), expected=30, by=WORKER)
    watchdog.sweep(clock.forward(9000))
    listed(job, 20)
    retry(job, actor=None)
    with pytest.raises(WrongState):
        force_complete(job, actor=None, reason="enough")
    assert types(job, outward=True) == ["items.completed", "job.completed"]


def test_every_restart_of_a_phase_may_send_one_more_with_an_id_of_its_own() -> None:
    job = make_job(items=2, done=2)
    for _ in range(2):
        restart(job, phase="items", actor=None)
        complete(phase_of(job), 2)
    events = job.events.filter(type="items.completed").order_by("pk")
    assert [event.run for event in events] == [1, 2, 3]
    assert len({event.event_id for event in events}) == 3
    assert len(outward(job, "job.completed")) == 3


def test_the_id_of_a_completed_event_depends_on_the_phase_and_the_run_alone() -> None:
    job = make_job(items=2, done=2)
    event = job.events.get(type="items.completed")
    row = phase_of(job)
    row.completed_by, row.done, row.partial = "forced", 0, True
    assert event_factory.completed_id(row) == event.event_id
    row.run = 2
    assert event_factory.completed_id(row) != event.event_id
    assert event.event_id.version == 5


def test_the_database_refuses_a_second_event_of_this_id() -> None:
    job = make_job(items=2, done=2)
    event = job.events.get(type="items.completed")
    event.pk += 1000
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save(force_insert=True)


def test_the_stored_event_carries_its_own_id_and_the_job_by_name() -> None:
    job = make_job(name="batch_001", items=2, done=2)
    event = job.events.get(type="items.completed")
    body = event.body()
    assert (body["event_id"], body["job_id"], body["phase"], body["run"]) == (
        str(event.event_id),
        "batch_001",
        "items",
        1,
    )
    assert body["data"]["event_id"] == body["event_id"]
    assert body["data"]["job_id"] == "batch_001"


def test_the_completed_event_has_the_figures_of_that_moment() -> None:
    spec = PhaseSpec("video.embeddings", expected=100, threshold=90, watermark_ttl=77)
    job = pipeline(spec, kind="vision")
    settle(phase_of(job), ["completed"] * 80 + ["skipped"] * 9 + ["failed"] * 2 + ["completed"] * 9)
    [data] = outward(job, "video.embeddings.completed")
    event_id = data.pop("event_id")
    assert UUID(event_id)
    assert data == {
        "job_id": job.name,
        "asset_type": "video",
        "total_assets": 100,
        "processed_assets": 98,
        "failed_assets": 2,
        "skipped_assets": 9,
        "has_partial_completion": True,
        "watermark_ttl": 77,
        "completed_by": "threshold",
        "forced": False,
        "idempotent": True,
    }


def test_the_events_of_a_job_say_its_status_and_why() -> None:
    job = make_job(items=1)
    force_complete(job, actor=None, reason="the rest is not needed")
    [data] = outward(job, "job.completed")
    assert set(data) == {"job_id", "event_id", "status", "reason"}
    assert (data["status"], data["reason"]) == ("completed", "the rest is not needed")


def test_the_failed_event_has_the_figures_and_the_error() -> None:
    job = make_job(items=2, done=1, failed=1, on_shortfall="fail")
    [data] = outward(job, "items.failed")
    assert set(data) == {
        "job_id", "event_id", "asset_type", "total_assets", "processed_assets", "failed_assets", "skipped_assets",
        "has_partial_completion", "watermark_ttl", "completed_by", "forced", "idempotent", "error",
    }  # fmt: skip
    assert (data["processed_assets"], data["failed_assets"], data["has_partial_completion"]) == (1, 1, True)


def test_a_retry_asks_for_its_items_by_key_in_one_event() -> None:
    job = make_job(items=5, done=2, failed=3)
    retry(job, actor=None)
    [data] = outward(job, "item.retry_requested")
    assert data["keys"] == ["k2", "k3", "k4"]


def test_events_are_numbered_in_the_order_of_their_commits() -> None:
    jobs = [make_job(items=1, done=1) for _ in range(3)]
    numbers = [list(job.events.order_by("pk").values_list("pk", flat=True)) for job in jobs]
    flat = [number for found in numbers for number in found]
    assert flat == sorted(flat)
    assert len(set(flat)) == len(flat)


def test_completion_and_event_are_one_transaction(monkeypatch: pytest.MonkeyPatch, broadcasts: list[int]) -> None:
    job = make_job(items=1)
    broadcasts.clear()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Event.objects.__class__, "bulk_create", fails)
        with pytest.raises(RuntimeError):
            complete(phase_of(job), 1)
    assert (phase_of(job).status, phase_of(job).done, phase_of(job).items.get().status) == ("pending", 0, "pending")
    assert (outward(job), broadcasts) == ([], [])
    assert outcomes(complete(phase_of(job), 1)) == ["applied"]
    assert len(outward(job, "items.completed")) == 1


def test_browsers_are_told_once_per_change_and_only_after_the_commit(
    broadcasts: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as later:
        job = make_job(items=2)
    assert broadcasts == []
    for callback in later:
        callback()
    assert broadcasts == [job.pk]


def test_browsers_are_not_told_of_what_changed_nothing(
    broadcasts: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    job = make_job(items=2, done=1)
    with django_capture_on_commit_callbacks(execute=True):
        complete(phase_of(job), 1)
        listed(job, 2)
        tracking.announce(phase_of(job), expected=2, by=WORKER)
        tracking.heartbeat(job, worker="w1", by=WORKER)
        set_threshold(job, phase="items", threshold=100, actor=None)
        watchdog.sweep()
    assert broadcasts == []
    with django_capture_on_commit_callbacks(execute=True):
        take(phase_of(job))
    assert broadcasts == [job.pk]


def test_a_push_that_fails_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def fails(job_ids: object) -> None:
        raise ConnectionError("no layer")

    monkeypatch.setattr("jobs.live.broadcast.touch", fails)
    with django_capture_on_commit_callbacks(execute=True):
        job = make_job(items=2, done=2)
    assert phase_of(job).status == "completed"
