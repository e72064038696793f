"""`manage.py recount` and `manage.py prune` in a shell."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations, watchdog
from jobs.db import deletion
from jobs.models import Delivery, Endpoint, Event, InboxMessage, Item, Job, Phase
from jobs.rules.errors import Conflict, NotFound
from ocr_chunks import documents
from ocr_chunks.models import Chunk
from tests.factories import WORKER, make_job, phase_of
from tests.jobs.outbox.conftest import make_endpoint
from training import sessions
from training.models import TrainingImage

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_recount_says_that_every_counter_equals_its_items() -> None:
    make_job(items=5, done=2, failed=1)
    assert run("recount") == "Every counter equals its items.\n"


def test_recount_prints_every_difference_and_exits_1_and_repair_mends_it() -> None:
    job = make_job(name="odd", items=5, done=2, failed=1)
    Phase.objects.filter(job=job).update(done=1)
    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("recount", stdout=out)
    assert exit_.value.code == 1
    assert out.getvalue() == "odd items: done is 1, but its items give 2\n"
    with pytest.raises(SystemExit):
        call_command("recount", "--repair", stdout=out)
    assert phase_of(job).done == 2
    assert run("recount") == "Every counter equals its items.\n"


def test_prune_keeps_what_is_young_or_unfinished_and_deletes_what_is_old() -> None:
    old, young, running = make_job(items=2, done=2), make_job(items=2, done=2), make_job(items=2)
    long_ago = timezone.now() - timedelta(days=31)
    Job.objects.filter(pk__in=[old.pk, running.pk]).update(finished_at=long_ago, created_at=long_ago)
    Job.objects.filter(pk=running.pk).update(finished_at=None)
    assert (
        run("prune", "--dry-run")
        == "1 jobs, 0 timeline rows, 0 bulk acts, 0 dead letters and 0 workers would be deleted.\n"
    )
    assert Job.objects.count() == 3
    assert run("prune") == "1 jobs, 0 timeline rows, 0 bulk acts, 0 dead letters and 0 workers deleted.\n"
    assert set(Job.objects.all()) == {young, running}
    assert Item.objects.filter(phase__job_id=old.pk).count() == 0


def test_prune_keeps_failed_jobs_90_days_and_the_timeline_a_year() -> None:
    job = make_job(items=1, failed=1, on_shortfall="fail")
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=89))
    Event.objects.filter(job=job, type="job.created").update(at=timezone.now() - timedelta(days=366))
    assert run("prune") == "0 jobs, 1 timeline rows, 0 bulk acts, 0 dead letters and 0 workers deleted.\n"
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=91))
    assert run("prune") == "1 jobs, 0 timeline rows, 0 bulk acts, 0 dead letters and 0 workers deleted.\n"


def test_prune_forgets_letters_after_a_year_and_sessions_that_have_ended_but_no_id_of_an_applied_message() -> None:
    received = timezone.now() - timedelta(days=366)
    letters = [("dead", None), ("replayed", None), ("applied", uuid4())]
    for number, (status, event_id) in enumerate(letters):
        InboxMessage.objects.create(
            source="broker", digest=str(number), status=status, event_id=event_id, received_at=received
        )
    young = InboxMessage.objects.create(source="broker", digest="9", status="dead", received_at=timezone.now())
    ended = SessionStore()
    ended.set_expiry(-1)
    ended.create()
    assert "2 dead letters" in run("prune", "--dry-run")
    assert Session.objects.count() == 1
    assert "2 dead letters" in run("prune")
    assert [message.status for message in InboxMessage.objects.order_by("pk")] == ["applied", "dead"]
    assert InboxMessage.objects.dead().get() == young
    assert not Session.objects.exists()


def test_recount_without_repair_leaves_even_a_passed_deadline_alone() -> None:
    job = make_job(expected=5, trigger="at_threshold")
    Phase.objects.filter(job=job).update(deadline_at=timezone.now() - timedelta(minutes=1))
    assert run("recount") == "Every counter equals its items.\n"
    assert phase_of(job).status == "pending"


@pytest.mark.parametrize("kind", ["generic", "ocr", "training"])
def test_prune_deletes_a_job_with_what_its_app_keeps_in_as_many_statements_for_few_items_as_for_many(kind: str) -> None:
    def cost(size: int) -> int:
        job = finished(kind, size=size)
        Job.objects.filter(pk=job.pk).update(status="completed", finished_at=timezone.now() - timedelta(days=31))
        with CaptureQueriesContext(connection) as queries:
            assert watchdog.prune().jobs == 1
        assert not Job.objects.exists()
        assert not Item.objects.exists()
        assert not Chunk.objects.exists()
        assert not TrainingImage.objects.exists()
        return len(queries)

    assert cost(3) == cost(600)


LONG_AGO = timedelta(days=31)


def old_job(**fields: Any) -> Job:
    """Make a completed job that prune deletes."""
    job = make_job(**fields)
    Job.objects.filter(pk=job.pk).update(status="completed", finished_at=timezone.now() - LONG_AGO)
    return job


def test_prune_deletes_in_portions_each_in_a_transaction_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PORTION", 4)
    old_job(items=30, done=30)
    sizes: list[int] = []
    original = deletion._delete_portion
    monkeypatch.setattr(deletion, "_delete_portion", lambda model, ids: sizes.append(len(ids)) or original(model, ids))
    assert watchdog.prune().jobs == 1
    assert max(sizes) == 4
    assert sum(sizes) > 30
    assert not Item.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("kind", ["generic", "ocr", "training"])
def test_a_prune_that_was_killed_is_continued_by_the_next_and_its_job_is_found_by_nobody(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(kind, size=9)
    Job.objects.filter(pk=job.pk).update(status="completed", finished_at=timezone.now() - LONG_AGO)
    monkeypatch.setattr(deletion, "PORTION", 2)
    original, portions = deletion._delete_portion, []

    def dies(model: Any, ids: Any) -> int:
        portions.append(ids)
        if len(portions) > 6:
            raise KeyboardInterrupt
        return original(model, ids)

    with monkeypatch.context() as patch:
        patch.setattr(deletion, "_delete_portion", dies)
        with pytest.raises(KeyboardInterrupt):
            watchdog.prune()
    assert Item.objects.filter(phase__job=job.pk).exists()
    assert not Job.objects.exists()
    assert watchdog.recount() == []
    with pytest.raises(NotFound):
        operations.restart(job, phase=job.phases.first().code, actor=None, reason="again")
    with pytest.raises(Conflict) as taken:
        finished(kind, size=9, name=job.name)
    assert taken.value.code == "name_taken"
    assert watchdog.prune(dry_run=True).jobs == 1
    assert watchdog.prune().jobs == 1
    assert not Job._base_manager.exists()
    assert not Item.objects.exists()
    assert finished(kind, size=9, name=job.name).pk != job.pk


def test_prune_keeps_jobs_with_undelivered_events_and_says_how_many() -> None:
    endpoint = make_endpoint(types=["*"])
    waiting, dead, sent = (old_job(items=1, done=1) for _ in range(3))
    Delivery.objects.filter(job=dead).update(status="dead")
    Delivery.objects.filter(job=sent).update(status="sent")
    kept = "2 old jobs kept: 4 events not delivered yet. See the list of deliveries.\n"
    for dry in (["--dry-run"], []):
        verb = "would be deleted" if dry else "deleted"
        assert run("prune", *dry) == (
            f"1 jobs, 0 timeline rows, 0 bulk acts, 0 dead letters and 0 workers {verb}.\n{kept}"
        )
    assert set(Job.objects.all()) == {waiting, dead}
    Endpoint.objects.filter(pk=endpoint.pk).update(active=False)
    assert watchdog.prune().jobs == 1
    assert set(Job.objects.all()) == {waiting}
    Delivery.objects.update(status="sent")
    assert watchdog.prune().jobs == 1


def test_prune_says_in_a_dry_run_what_it_then_does() -> None:
    old_job(items=2, done=2)
    kept = make_job(items=1)
    Event.objects.update(at=timezone.now() - timedelta(days=366))
    planned = watchdog.prune(dry_run=True)
    assert planned.events == Event.objects.filter(job=kept).count() > 0
    assert watchdog.prune() == planned


def test_prune_loads_no_rows_but_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """No instance is made of any row that refers to the job."""
    make_endpoint(types=["*"])
    old_job(items=5, done=5)
    Delivery.objects.update(status="sent")
    made: list[str] = []
    for model in (Item, Event, Delivery, Phase):
        monkeypatch.setattr(model, "__init__", lambda self, *args, **kwargs: made.append(type(self).__name__))
    assert watchdog.prune().jobs == 1
    assert made == []


def test_recount_takes_no_lock_where_nothing_differs() -> None:
    make_job(items=5, done=2)
    with CaptureQueriesContext(connection) as queries:
        assert watchdog.recount(repair=True) == []
    assert not [query for query in queries if "FOR" in query["sql"] or query["sql"].startswith(("UPDATE", "SAVEPOINT"))]


def finished(kind: str, *, size: int, name: str = "one") -> Job:
    """Make a job of this kind with that many items."""
    if kind == "ocr":
        return documents.create_document(name=name, page_count=size, pages_per_chunk=1, by=WORKER).document.job
    if kind == "training":
        images = [sessions.NewImage(f"{n}.jpg", f"hash {n // 2}") for n in range(size)]
        return sessions.create_session(name=name, images=images, by=WORKER).session.job
    return make_job(items=size, name=name)
