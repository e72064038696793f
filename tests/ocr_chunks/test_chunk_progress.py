"""The sentences and figures of a document while its chunks are worked on, as everybody reads them."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations
from jobs.rules.statuses import ItemStatus
from ocr_chunks.models import Document
from tests.jobs.rules.conftest import Clock
from tests.ocr_chunks.factories import (
    body,
    chunk,
    fail,
    in_state,
    job_of,
    make_document,
    merge,
    merged,
    ocr,
    report,
    take,
)

pytestmark = pytest.mark.django_db


def counts(document: Document) -> dict[str, Any]:
    """Return the chunk counts of the body."""
    return dict(body(document)["chunk_processing"])


@pytest.mark.parametrize(
    ("state", "stage", "percent"),
    [
        ({"done": 5}, "Processing chunk 5/17", 29),
        ({"done": 10, "failed": 1, "processing": 1}, "Processing chunk 10/17 · 1 failed", 58),
        ({"skipped": 2}, "Processing chunk 0/17", 11),
        ({}, "Processing chunk 0/17", 0),
    ],
)
def test_stage_and_percent_follow_the_chunks(state: dict[str, int], stage: str, percent: int) -> None:
    job = job_of(in_state(**state))
    assert (job.stage, job.percent) == (stage, percent)


def test_with_every_chunk_done_the_job_merges_and_is_not_completed_yet() -> None:
    document = in_state(done=17)
    shown = body(document)
    assert (shown["job"]["status"], shown["job"]["stage"], shown["job"]["percent"]) == (
        "processing",
        "Merging OCR results",
        100,
    )
    assert [phase["status"] for phase in shown["job"]["phases"]] == ["completed", "pending"]
    assert (shown["chunk_processing"]["progress_pct"], shown["chunk_processing"]["is_complete"]) == (100, True)


def test_the_job_is_completed_with_the_merge() -> None:
    document = in_state(done=17)
    assert merged(document).outcome == "applied"
    job = job_of(document)
    assert (job.status, job.stage, job.percent) == ("completed", "Completed", 100)


def test_the_percent_never_falls_on_the_way_to_the_end() -> None:
    document = make_document()
    seen = []
    for index in range(17):
        take(ocr(document))
        seen.append(body(document)["job"]["percent"])
        report(document, ["completed"], start=index)
        seen.append(body(document)["job"]["percent"])
    take(merge(document))
    seen.append(body(document)["job"]["percent"])
    merged(document)
    seen.append(body(document)["job"]["percent"])
    assert seen == sorted(seen)
    assert seen[-3:] == [100, 100, 100]


@pytest.mark.parametrize(
    ("index", "page_count", "error", "sentence"),
    [
        (4, 422, "Document AI timeout", "Chunk 5 (pages 101-125) failed: Document AI timeout"),
        (0, 422, "Network error", "Chunk 1 (pages 1-25) failed: Network error"),
        (11, 422, "Broken xref", "Chunk 12 (pages 276-300) failed: Broken xref"),
        (16, 401, "Invalid PDF", "Chunk 17 (pages 401-401) failed: Invalid PDF"),
        (3, 422, "", "Chunk 4 (pages 76-100) failed: unknown error"),
    ],
)
def test_a_failure_names_chunk_pages_and_error(index: int, page_count: int, error: str, sentence: str) -> None:
    document = make_document(page_count=page_count)
    fail(document, index, error)
    assert job_of(document).error == sentence


def test_a_failed_chunk_stops_nothing_until_all_are_settled_and_a_retry_goes_on() -> None:
    document = in_state(3, failed=1)
    assert (job_of(document).status, job_of(document).stage) == ("processing", "Processing chunk 0/3 · 1 failed")
    report(document, ["completed"] * 2, start=1)
    assert (job_of(document).status, job_of(document).percent) == ("failed", 66)
    assert not merge(document).gate_open
    operations.retry(job_of(document), actor=None)
    assert (job_of(document).status, job_of(document).stage) == ("processing", "Processing chunk 2/3")


def test_the_body_carries_the_processing_of_the_chunks() -> None:
    assert counts(in_state(done=10, failed=1, processing=1)) == {
        "total_chunks": 17,
        "completed_chunks": 10,
        "failed_chunks": 1,
        "pending_chunks": 5,
        "processing_chunks": 1,
        "progress_pct": 58,
        "is_complete": False,
        "has_failures": True,
        "current_chunk_index": 11,
        "current_page_range": {"start": 276, "end": 300},
    }


@pytest.mark.parametrize(
    ("chunks", "state", "expected"),
    [
        (7, {"done": 3, "failed": 1, "processing": 1}, (7, 3, 1, 2, 1, 42, False, True)),
        (10, {"done": 6}, (10, 6, 0, 4, 0, 60, False, False)),
        (5, {"done": 4, "failed": 1}, (5, 4, 1, 0, 0, 80, True, True)),
        (4, {"done": 1, "skipped": 2}, (4, 3, 0, 1, 0, 75, False, False)),
        (4, {"done": 1, "skipped": 3}, (4, 4, 0, 0, 0, 100, True, False)),
    ],
)
def test_the_counts_of_the_chunks_are_those_of_the_phase(
    chunks: int, state: dict[str, int], expected: tuple[Any, ...]
) -> None:
    assert tuple(counts(in_state(chunks, **state)).values())[:8] == expected


def test_the_current_chunk_is_the_first_that_is_held_then_the_last_that_was_settled(clock: Clock) -> None:
    document = make_document()
    assert (counts(document)["current_chunk_index"], counts(document)["current_page_range"]) == (None, None)
    report(document, ["processing", "processing"], start=7)
    assert counts(document)["current_page_range"] == {"start": 176, "end": 200}
    for index in (8, 7):
        clock.forward(1)
        report(document, ["completed"], start=index)
    assert counts(document)["current_chunk_index"] == 7
    clock.forward(1)
    operations.skip(job_of(document), items=[chunk(document, 3).pk], actor=None)
    assert counts(document)["current_chunk_index"] == 3
    report(document, ["processing"], start=12)
    assert counts(document)["current_chunk_index"] == 12


def test_every_message_about_a_completion_names_the_chunk_and_its_pages() -> None:
    document = make_document()
    report(document, ["completed"] * 5)
    [phase, _] = body(document)["job"]["phases"]
    assert (phase["done"], phase["percent"]) == (5, 29)
    assert phase["current"] == {
        "key": "4",
        "label": "Chunk 5 (pages 101-125)",
        "payload": {"chunk_index": 4, "page_start": 101, "page_end": 125, "document": document.pk},
    }


def test_a_chunk_shows_who_worked_on_it_when_and_what_came_of_it(clock: Clock) -> None:
    document = make_document(2)
    began = clock.forward(5)
    take(ocr(document), worker="gpu-7")
    ended = clock.forward(30)
    report(document, ["completed"])
    first, second = body(document)["chunks"]
    assert (first["status"], first["attempt"], first["worker"]) == (ItemStatus.COMPLETED, 1, "w1")
    assert (first["started_at"], first["finished_at"]) == (began, ended)
    assert (first["result_checksum"], first["result_path"]) == ("sum-0", "texts/0.txt")
    assert (second["status"], second["attempt"], second["started_at"], second["result_path"]) == (
        "pending",
        0,
        None,
        "",
    )


def test_a_path_that_is_no_text_is_not_shown_as_one() -> None:
    document = make_document(1)
    item = chunk(document, 0)
    item.result = {"path": {"bucket": "b"}}
    item.save()
    assert body(document)["chunks"][0]["result_path"] == ""


def test_the_start_of_job_and_chunk_does_not_move_with_progress(clock: Clock) -> None:
    document = make_document(3)
    began = clock.forward(5)
    take(ocr(document), limit=2)
    clock.forward(10)
    report(document, ["completed"])
    assert job_of(document).started_at == began
    assert chunk(document, 1).started_at == began
