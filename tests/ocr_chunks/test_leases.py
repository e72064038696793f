"""Chunks and the merge under leases: who holds them, for how long, and whose result counts."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations, tracking, watchdog
from jobs.models import Item, Phase
from jobs.tracking import Actor, Beat, Result
from ocr_chunks.models import Document
from tests.factories import WORKER, make_job, types
from tests.jobs.rules.conftest import Clock
from tests.ocr_chunks.factories import body, chunk, in_state, job_of, make_document, merge, ocr, report, take

pytestmark = pytest.mark.django_db


def common(**fields: Any) -> list[tuple[int, str]]:
    """(document, key) of what the common claim of chunks gives."""
    given = {"worker": "w1", "phase": "ocr", "kind": "ocr", "limit": 2, "by": WORKER, **fields}
    return [(item.job, item.key) for item in tracking.claim_any(**given).items]


def beat(document: Document, *items: Item, worker: str = "w1") -> Beat:
    """A sign of life of a worker that names these chunks."""
    by = Actor(name=worker)
    return tracking.heartbeat(job_of(document), worker=worker, items=[item.pk for item in items], by=by)


def tell(phase: Phase, key: str, status: str, **fields: Any) -> str:
    """The outcome of one result."""
    [answer] = tracking.report(phase, worker="w1", results=[Result(key, status, **fields)], by=WORKER).results
    return str(answer.outcome)


def expire(phase: Phase, clock: Clock, *, times: int = 1) -> None:
    """A worker takes the first item and is never heard again, so many times."""
    for _ in range(times):
        assert take(phase, worker="lost")
        watchdog.sweep(clock.forward(91))


# --- claims ------------------------------------------------------------------------------------------


def test_the_common_claim_gives_the_oldest_chunks_of_any_document() -> None:
    first, second = make_document(3), make_document(3)
    make_job(items=3)
    assert common() == [(first.pk, "0"), (first.pk, "1")]
    assert common(worker="w2") == [(first.pk, "2"), (second.pk, "0")]
    assert common(phase="merge") == []


def test_the_common_claim_gives_a_merge_as_soon_as_its_document_is_ready() -> None:
    make_document(2)
    ready = in_state(2, done=2)
    assert common(phase="merge") == [(ready.pk, "merge")]
    assert common(phase="merge") == []


def test_a_chunk_has_one_holder() -> None:
    document = make_document(1)
    [held] = take(ocr(document), worker="w1")
    assert take(ocr(document), worker="w2") == []
    assert (held.attempt, chunk(document, 0).worker) == (1, "w1")


def test_a_merge_has_one_holder() -> None:
    document = in_state(1, done=1)
    assert len(take(merge(document), worker="w1")) == 1
    assert take(merge(document), worker="w2") == []


def test_the_result_of_a_lost_lease_counts_nothing_once_somebody_else_holds_the_chunk(clock: Clock) -> None:
    document = make_document(1)
    [lost] = take(ocr(document), worker="lost")
    watchdog.sweep(clock.forward(91))
    [held] = take(ocr(document), worker="w2")
    assert tell(ocr(document), "0", "completed", attempt=lost.attempt) == "stale"
    assert ocr(document).done == 0
    assert tell(ocr(document), "0", "completed", attempt=held.attempt) == "applied"


# --- expiry ------------------------------------------------------------------------------------------


def test_a_lease_lives_90_seconds_and_its_chunk_is_free_after_that(clock: Clock) -> None:
    document = make_document(1)
    take(ocr(document))
    assert watchdog.expire_leases(clock.forward(90)) == 0
    assert watchdog.expire_leases(clock.forward(1)) == 1
    item = chunk(document, 0)
    assert (item.status, item.tries, job_of(document).status) == ("pending", 1, "processing")


def test_after_three_expiries_a_chunk_has_failed_for_good(clock: Clock) -> None:
    document = in_state(2, done=1)
    expire(ocr(document), clock, times=3)
    assert job_of(document).error == "Chunk 2 (pages 26-47) failed: worker_timeout after 3 attempts"
    shown = body(document)
    assert (shown["job"]["status"], shown["chunks"][1]["status"], shown["chunks"][1]["tries"]) == (
        "failed",
        "failed",
        3,
    )
    assert take(ocr(document)) == []


def test_a_document_goes_on_while_other_chunks_are_open(clock: Clock) -> None:
    document = make_document(2)
    expire(ocr(document), clock, times=3)
    assert (job_of(document).status, job_of(document).stage) == ("processing", "Processing chunk 0/2 · 1 failed")
    report(document, ["completed"], start=1)
    assert job_of(document).status == "failed"


def test_after_three_expiries_the_merge_has_failed_and_its_retry_merges(clock: Clock) -> None:
    document = in_state(2, done=2)
    expire(merge(document), clock, times=3)
    job = job_of(document)
    assert (job.status, job.error, job.percent) == ("failed", "Merge failed: worker_timeout after 3 attempts", 100)
    assert types(job, outward=True) == ["ocr.completed", "merge.failed", "job.failed"]
    operations.retry(job, phase="merge", actor=None)
    assert [item.key for item in take(merge(document))] == ["merge"]
    assert tell(merge(document), "merge", "completed") == "applied"
    assert job_of(document).status == "completed"


# --- heartbeats --------------------------------------------------------------------------------------


def test_a_worker_that_is_heard_keeps_its_chunk_for_as_long_as_it_takes(clock: Clock) -> None:
    document = make_document(1)
    take(ocr(document))
    began = chunk(document, 0).started_at
    for _ in range(4):
        clock.forward(60)
        assert [lease[0] for lease in beat(document, chunk(document, 0)).leases] == [chunk(document, 0).pk]
        assert watchdog.sweep(clock.now)["expired"] == 0
    assert (chunk(document, 0).started_at, job_of(document).heartbeat_at) == (began, clock.now)
    assert tell(ocr(document), "0", "completed", attempt=1) == "applied"


def test_a_worker_that_is_busy_for_110_seconds_without_being_heard_loses_its_chunk_once(clock: Clock) -> None:
    document = make_document(1)
    take(ocr(document))
    clock.forward(110)
    assert [watchdog.sweep(clock.now)["expired"] for _ in range(2)] == [1, 0]
    assert (chunk(document, 0).status, chunk(document, 0).tries) == ("pending", 1)


def test_a_heartbeat_of_somebody_else_renews_nothing_and_says_so(clock: Clock) -> None:
    document = make_document(2)
    take(ocr(document), worker="w1")
    before = chunk(document, 0).lease_expires_at
    clock.forward(30)
    answer = beat(document, chunk(document, 0), chunk(document, 1), worker="w2")
    assert (answer.leases, answer.lost) == ([], [chunk(document, 0).pk, chunk(document, 1).pk])
    assert (chunk(document, 0).lease_expires_at, chunk(document, 0).worker) == (before, "w1")


def test_a_heartbeat_alone_does_not_move_the_revision(clock: Clock) -> None:
    document = make_document(1)
    take(ocr(document))
    revision = job_of(document).revision
    clock.forward(30)
    beat(document, chunk(document, 0))
    assert job_of(document).revision == revision


# --- the fence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "outcome"),
    [
        ("completed", {"result": {"checksum": "sum-0"}}, "duplicate"),
        ("completed", {"result": {"checksum": "other"}}, "stale"),
        ("failed", {}, "stale"),
        ("completed", {"attempt": 9, "result": {"checksum": "other"}}, "invalid"),
    ],
)
def test_a_completed_chunk_stays_what_it_is(status: str, fields: dict[str, Any], outcome: str) -> None:
    document = in_state(2, done=1)
    assert tell(ocr(document), "0", status, **fields) == outcome
    assert (chunk(document, 0).status, ocr(document).done, ocr(document).failed) == ("completed", 1, 0)


def test_after_a_cancel_nothing_is_given_out_and_nothing_is_taken() -> None:
    document = in_state(2, done=1, processing=1)
    operations.cancel(job_of(document), actor=None)
    assert tell(ocr(document), "1", "completed") == "closed"
    assert tracking.claim(ocr(document), worker="w1", by=WORKER).reason == "closed"
    assert (ocr(document).done, job_of(document).status, job_of(document).percent) == (1, "cancelled", 50)


def test_an_older_attempt_is_stale_after_a_release() -> None:
    document = make_document(1)
    [held] = take(ocr(document))
    operations.release(job_of(document), all=True, actor=None)
    assert tell(ocr(document), "0", "completed", attempt=held.attempt) == "stale"
    assert chunk(document, 0).status == "pending"
