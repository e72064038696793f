"""ProgressTracker and a locked database: it retries, with longer waits, and then raises. Case C29."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.models import Item
from jobs.tracker import ProgressTracker, retry_on_lock

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = {"sqlite": ["BEGIN IMMEDIATE"], "postgresql": ["BEGIN", "SELECT 1 FROM jobs_job FOR UPDATE"]}
AT_ONCE = {"sqlite": ["PRAGMA busy_timeout = 0"], "postgresql": ["SET lock_timeout = '20ms'"]}


def run(on: BaseDatabaseWrapper, *statements: str) -> None:
    """Run these statements on a connection."""
    with on.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def forget_settings() -> None:
    """Reset pooled connections, so that their settings do not reach other tests."""
    if connection.vendor == "postgresql":
        connection.close_pool()


@pytest.fixture
def other(ids: list[int]) -> Iterator[BaseDatabaseWrapper]:
    """Another connection, which holds the lock; this connection does not wait for it by itself."""
    holder = connection.copy()
    run(holder, *LOCK[connection.vendor])
    run(connection, *AT_ONCE[connection.vendor])
    yield holder
    run(holder, "ROLLBACK")
    holder.close()
    connection.close()
    forget_settings()


def sleeps(monkeypatch: pytest.MonkeyPatch, then: Callable[[float], None] = lambda waited: None) -> list[float]:
    """Replace the waits by no time at all; `then` gets the total wait."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        then(sum(waits))

    monkeypatch.setattr(retry_on_lock, "sleep", sleep)
    return waits


def test_a_locked_database_is_waited_for_four_times_and_then_surfaces(
    tracker: ProgressTracker, ids: list[int], other: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = sleeps(monkeypatch)
    with pytest.raises(OperationalError):
        tracker.mark_completed(ids[0])
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_a_lock_that_is_released_after_two_seconds_does_no_harm(
    tracker: ProgressTracker, ids: list[int], other: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(waited: float) -> None:
        if waited >= 2:
            run(other, "ROLLBACK", "BEGIN")

    waits = sleeps(monkeypatch, release)
    assert tracker.mark_completed(ids[0])
    assert waits == [0.5, 1.0, 2.0]
    assert Item.objects.get(pk=ids[0]).status == "completed"


def test_within_a_transaction_of_the_caller_the_error_surfaces_at_once(
    tracker: ProgressTracker, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    waits = sleeps(monkeypatch)
    with transaction.atomic(), connection.execute_wrapper(locked), pytest.raises(OperationalError):
        tracker.mark_completed(ids[0])
    assert waits == []


def test_an_error_that_waiting_does_not_mend_surfaces_at_once(
    tracker: ProgressTracker, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("database or disk is full")

    waits = sleeps(monkeypatch)
    with connection.execute_wrapper(full), pytest.raises(OperationalError):
        tracker.mark_completed(ids[0])
    assert waits == []


def test_no_lock_is_held_between_calls(tracker: ProgressTracker, ids: list[int]) -> None:
    """C17."""
    tracker.mark_processing(ids[0])
    another = connection.copy()
    run(another, *AT_ONCE[connection.vendor], *LOCK[connection.vendor], "ROLLBACK")
    another.close()
    forget_settings()


def test_closing_gives_the_connection_back_and_a_later_call_works(tracker: ProgressTracker, job_id: int) -> None:
    with tracker:
        tracker.get_progress(job_id)
    assert connection.connection is None
    assert tracker.get_progress(job_id)["total_images"] == 3
