"""The order of events: a long transaction blocks no writer of events, and no reader of the feed misses any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connections, transaction

from jobs import tracking
from jobs.change import change_jobs, unit_of_work
from jobs.db import event_order
from jobs.models import Event, Job
from jobs.tracking import NewItem
from tests.factories import WORKER, complete, make_job, phase_of, tell, types
from training.sessions.create import create_session
from training.sessions.types import NewImage

committing = pytest.mark.django_db(transaction=True)


@contextmanager
def paused(act: Callable[[], Any]) -> Iterator[None]:
    """Run an act in a transaction of another connection that commits at the end of the block."""
    done, free = Signal(), Signal()

    def run() -> None:
        try:
            with transaction.atomic():
                act()
                done.set()
                free.wait(30)
        finally:
            done.set()
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(run)
        assert done.wait(10)
        try:
            yield
        finally:
            free.set()
            ended.result()


def feed(after: int = 0) -> list[int]:
    """Return the ids that a reader of the feed gets."""
    return list(Event.objects.outward().in_feed().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True))


@committing
@pytest.mark.postgres
def test_the_feed_shows_nothing_above_an_event_that_is_not_committed() -> None:
    first, slow, quick = make_job(items=1, done=1), make_job(items=1), make_job(items=1)
    shown = feed()
    with paused(lambda: tell(phase_of(slow), "k0", "completed", worker="w2")):
        complete(phase_of(quick), 1)  # its events have higher ids and are not kept waiting
        assert Event.objects.outward().filter(job=quick).count() == 2
        assert feed() == shown
    later = feed(after=shown[-1])
    assert later == sorted(Event.objects.outward().exclude(job=first).values_list("pk", flat=True))
    assert len(later) == 4


@committing
@pytest.mark.postgres
def test_events_for_people_alone_keep_nobody_out_of_the_feed() -> None:
    slow, quick = make_job(items=2), make_job(items=1)
    with paused(lambda: tell(phase_of(slow), "k0", "completed", worker="w2")):
        complete(phase_of(quick), 1)
        assert feed() == list(Event.objects.outward().order_by("pk").values_list("pk", flat=True)) != []


@committing
@pytest.mark.postgres
def test_a_transaction_that_wrote_no_event_of_ours_keeps_nobody_out_of_the_feed() -> None:
    other, quick = make_job(), make_job(items=1)
    with paused(lambda: Job.objects.filter(pk=other.pk).update(error="long")):
        complete(phase_of(quick), 1)
        assert len(feed()) == 2


@pytest.mark.django_db
def test_a_reader_sees_the_events_of_its_own_transaction() -> None:
    make_job(items=1, done=1)
    assert len(feed()) == 2


@pytest.mark.django_db
def test_ids_ascend_whoever_reads_them() -> None:
    taken = [number for outward in (True, False, True) for number in event_order.next_ids(2, outward=outward)]
    assert taken == sorted(set(taken))


@pytest.mark.django_db
def test_a_unit_of_work_writes_its_events_last_and_in_their_order() -> None:
    with unit_of_work():
        job = tracking.create_job(name="unit", items=[NewItem("k0")], by=WORKER).job
        with unit_of_work():
            complete(phase_of(job), 1)
        with change_jobs([job.pk], by=WORKER) as change:
            change.record(change.job, "late")
        assert types(job) == []
    assert types(job) == ["job.created", "items.started", "items.completed", "job.completed", "late"]


@pytest.mark.django_db
def test_a_unit_of_work_that_fails_leaves_no_event_behind() -> None:
    job = make_job(items=1)

    def fail() -> None:
        with unit_of_work():
            complete(phase_of(job), 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    complete(phase_of(job), 1)
    assert types(job) == ["job.created", "items.started", "items.completed", "job.completed"]


@pytest.mark.django_db
def test_a_training_session_takes_its_event_ids_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    take = event_order.next_ids

    def counted(count: int, *, outward: bool) -> list[int]:
        calls.append(count)
        return take(count, outward=outward)

    monkeypatch.setattr(event_order, "next_ids", counted)
    session = create_session(name="s", images=[NewImage("a.jpg"), NewImage("b.jpg")], by=WORKER).session
    assert calls == [Event.objects.filter(job=session.pk).count()]
