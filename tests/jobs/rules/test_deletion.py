"""Deletion of a job by a lead, and the retention of finished jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from jobs import operations, tracking, watchdog
from jobs.db import deletion
from jobs.models import Delivery, Event, Item, Job, Phase
from jobs.operations.arguments import Scope
from jobs.operations.bulk import ActRequest, TargetSelection, create_bulk_act, expected_state, run_bulk_act
from jobs.operations.confirmation_text import confirmation
from jobs.operations.estimate import estimates
from jobs.operations.snapshot import snapshot_of
from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted, WrongState
from ocr_chunks import documents
from ocr_chunks.models import Chunk, Document
from tests.factories import WORKER, finished_job, job_in, make_job, operator, phase_of
from tests.jobs.outbox.conftest import make_endpoint
from training import sessions
from training.models import TrainingImage, TrainingSession

pytestmark = pytest.mark.django_db

Capture = Callable[..., Any]


def delete(job: Job, capture: Capture, *, actor: User | None = None, **arguments: Any) -> operations.Act:
    """Delete a job as a request does, with what follows its commit."""
    with capture(execute=True):
        return operations.delete(job, actor=actor, reason="over", **arguments)


@pytest.mark.parametrize("how", ["completed", "failed", "forced", "cancelled"])
def test_a_job_that_is_over_goes_with_everything(how: str, django_capture_on_commit_callbacks: Capture) -> None:
    job, account = finished_job(how), operator("delete")
    assert delete(job, django_capture_on_commit_callbacks, actor=account).changed == 1
    assert not Job._base_manager.exists()
    assert not any(model.objects.exists() for model in (Phase, Item, Event))
    [row] = LogEntry.objects.filter(user=account)
    assert (row.action_flag, row.object_repr) == (DELETION, job.name)
    assert row.change_message == f"delete: Job {job.name} is deleted. Reason: over"
    assert make_job(name=job.name).pk != job.pk


@pytest.mark.parametrize("status", ["pending", "processing", "paused"])
def test_a_job_that_runs_is_not_deleted(status: str) -> None:
    with pytest.raises(WrongState, match=f"is {status}; delete is possible while it is completed, failed or cancelled"):
        operations.delete(job_in(status), actor=None, reason="over")


def test_a_deletion_needs_its_permission_a_reason_and_the_revision_that_was_shown() -> None:
    job = make_job(items=1, done=1)
    with pytest.raises(NotPermitted, match="delete_job"):
        operations.delete(job, actor=operator("cancel"), reason="over")
    with pytest.raises(BadInput, match="reason"):
        operations.delete(job, actor=None)
    with pytest.raises(Conflict):
        operations.delete(job, actor=None, reason="over", revision=job.revision - 1)
    assert Job.objects.filter(pk=job.pk).exists()


def test_undelivered_events_keep_a_job_unless_the_lead_says_otherwise(
    django_capture_on_commit_callbacks: Capture,
) -> None:
    make_endpoint(types=["job.completed"])
    job = make_job(items=1, done=1)
    assert [each.changes for each in estimates(operations.delete, [job], operator("delete"), Scope())] == [0]
    with pytest.raises(WrongState, match="1 undelivered event"):
        operations.delete(job, actor=None, reason="over")
    act = delete(job, django_capture_on_commit_callbacks, undelivered=True)
    assert act.detail == f"Job {job.name} is deleted; 1 event will not be delivered."
    assert not Delivery.objects.exists()


def test_a_deleted_job_is_found_by_no_call_before_its_rows_are_gone() -> None:
    job, phase = make_job(items=2, done=2), None
    phase = phase_of(job)
    operations.delete(job, actor=None, reason="over")
    for call in (
        lambda: tracking.report(phase, worker="w1", results=[tracking.Result("k0", "failed")], by=WORKER),
        lambda: operations.restart(job, phase="items", actor=None, reason="again"),
        lambda: operations.delete(job, actor=None, reason="again"),
    ):
        with pytest.raises(NotFound):
            call()
    assert not Job.objects.exists()
    assert Item.objects.exists()


def test_documents_and_training_sessions_go_with_their_jobs(django_capture_on_commit_callbacks: Capture) -> None:
    document = documents.create_document(name="d", page_count=9, pages_per_chunk=1, by=WORKER).document
    images = [sessions.NewImage(f"{n}.jpg", f"hash {n // 2}") for n in range(6)]
    session = sessions.create_session(name="s", images=images, by=WORKER).session
    for job in (document.job, session.job):
        operations.cancel(job, actor=None)
        delete(job, django_capture_on_commit_callbacks)
    assert not any(model.objects.exists() for model in (Document, Chunk, TrainingSession, TrainingImage, Item))


def test_the_confirmation_counts_what_goes() -> None:
    make_endpoint(types=["*"])
    document = documents.create_document(name="d", page_count=9, pages_per_chunk=1, by=WORKER).document
    operations.cancel(document.job, actor=None)
    job = Job.objects.get(pk=document.job.pk)
    lines = dict(confirmation(operations.delete, snapshot_of(job), operator("delete"), Scope()).lines)
    going = lines["Will be deleted"]
    assert {job.name, "2 phases", "10 items", "9 chunks", "1 document"} <= set(going)
    assert f"{job.events.count()} events" in going
    assert f"{job.deliveries.count()} delivery" in going or f"{job.deliveries.count()} deliveries" in going
    assert "would not be delivered" in lines["Will be sent"][0]


def test_the_watchdog_continues_a_deletion_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PORTION", 3)
    jobs = [make_job(items=10, done=10) for _ in range(2)]
    for job in jobs:
        operations.delete(job, actor=None, reason="over")
    left = Item.objects.count()
    assert watchdog.delete_removed_jobs(seconds=0)
    assert 0 < Item.objects.count() < left or Event.objects.count() < left
    end = time.monotonic() + 30
    while watchdog.delete_removed_jobs(seconds=0.01):
        assert time.monotonic() < end
    assert not Job._base_manager.exists()
    assert not watchdog.delete_removed_jobs()


# --- retention ---------------------------------------------------------------------------------------

STATUSES = {"completed": 30, "failed": 90, "cancelled": 90}


def old(status: str, days: int) -> Job:
    """Make a job that has been in this status for so many days."""
    job = job_in(status)
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=days, minutes=1))
    return job


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_its_own_retention(status: str) -> None:
    days = STATUSES[status]
    old(status, days)
    young = old(status, days - 1)
    assert watchdog.prune().jobs == 1
    with override_settings(**{f"RETENTION_{status.upper()}_DAYS": days - 1}):
        assert watchdog.prune().jobs == 1
    assert not Job.objects.filter(pk=young.pk).exists()


@pytest.mark.parametrize("status", STATUSES)
def test_zero_days_keep_for_ever(status: str) -> None:
    old(status, 20_000)
    Event.objects.update(at=timezone.now() - timedelta(days=20_000))
    with override_settings(**{f"RETENTION_{status.upper()}_DAYS": 0, "RETENTION_TIMELINE_DAYS": 0}):
        pruned = watchdog.prune()
    assert (pruned.jobs, pruned.events) == (0, 0)


def test_a_dead_delivery_keeps_its_job_as_long_as_the_timeline() -> None:
    make_endpoint(types=["job.completed"])
    old("completed", 31)
    Delivery.objects.update(status="dead", created_at=timezone.now() - timedelta(days=40))
    assert (watchdog.prune().undelivered_jobs, Job.objects.count()) == (1, 1)
    with override_settings(RETENTION_TIMELINE_DAYS=39):
        assert watchdog.prune().jobs == 1


# --- many jobs, and the command line -----------------------------------------------------------------


def test_many_jobs_are_deleted_by_a_bulk_act_and_those_that_run_are_refused(
    django_capture_on_commit_callbacks: Capture,
) -> None:
    over, running, account = finished_job("failed"), job_in("processing"), operator("delete", "retry")
    chosen = [TargetSelection(job, expected_state(snapshot_of(job)).states) for job in (over, running)]
    bulk = create_bulk_act(ActRequest(operations.delete, Scope(), "over"), chosen, actor=account)
    with django_capture_on_commit_callbacks(execute=True):
        run_bulk_act(bulk, seconds=30)
    assert (bulk.done, bulk.refused) == (1, 1)
    assert list(Job.objects.all()) == [running]


def test_the_command_line_deletes_a_job(django_capture_on_commit_callbacks: Capture) -> None:
    job, out = finished_job("completed"), StringIO()
    with django_capture_on_commit_callbacks(execute=True):
        call_command("jobs", "delete", job.name, "--reason", "over", stdout=out)
    assert out.getvalue() == f"Job {job.name} is deleted.\n"
    assert not Job._base_manager.exists()
