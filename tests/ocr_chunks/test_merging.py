"""The merge: once, after the last chunk, and of exactly the chunks that are there."""

from __future__ import annotations

from typing import Any

import pytest

from examples.ocr_texts import merge_result
from jobs import operations, tracking
from jobs.models import Item
from jobs.tracking import Result
from ocr_chunks.models import Document
from tests.factories import WORKER, outward, types
from tests.ocr_chunks.factories import (
    body,
    checksum,
    chunk,
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


def listing(*indexes: int) -> list[dict[str, Any]]:
    """Chunks as a merge names them, each with its checksum."""
    return [{"chunk_index": index, "checksum": checksum(index)} for index in indexes]


# --- the gate ----------------------------------------------------------------------------------------


def test_nothing_is_merged_before_every_chunk_is_there() -> None:
    document = in_state(3, done=2)
    claimed = tracking.claim(merge(document), worker="m1", by=WORKER)
    assert (claimed.items, claimed.reason) == ([], "gated")
    refused = merged(document)
    assert (refused.outcome, "until every earlier phase has completed" in refused.detail) == ("closed", True)
    assert merge(document).status == "pending"
    report(document, ["completed"], start=2)
    assert [item.key for item in take(merge(document))] == ["merge"]


def test_a_failed_chunk_keeps_the_gate_closed_until_it_is_done() -> None:
    document = in_state(2, done=1, failed=1)
    assert (job_of(document).status, merge(document).gate_open) == ("failed", False)
    operations.retry(job_of(document), actor=None)
    assert not merge(document).gate_open
    report(document, ["completed"], start=1)
    assert merge(document).gate_open


def test_a_skipped_chunk_does_not_keep_the_gate_closed() -> None:
    document = in_state(2, done=1, failed=1)
    operations.skip(job_of(document), items=[chunk(document, 1).pk], actor=None)
    assert (merge(document).gate_open, job_of(document).stage) == (True, "Merging OCR results")


def test_the_last_chunk_and_the_merge_are_announced_once_and_in_this_order() -> None:
    document = in_state(2, done=2)
    report(document, ["completed"] * 2)
    merged(document)
    merged(document)
    assert types(job_of(document), outward=True) == ["ocr.completed", "merge.completed", "job.completed"]
    assert outward(job_of(document), "ocr.completed")[0]["processed_assets"] == 2


def test_a_failed_merge_fails_the_document_and_its_retry_completes_it() -> None:
    document = in_state(2, done=2)
    tracking.report(merge(document), worker="m1", results=[Result("merge", "failed", error="disk full")], by=WORKER)
    assert (job_of(document).status, job_of(document).error) == ("failed", "Merge failed: disk full")
    operations.retry(job_of(document), phase="merge", actor=None)
    assert (job_of(document).status, job_of(document).stage) == ("processing", "Merging OCR results")
    assert merged(document).outcome == "applied"
    assert (job_of(document).status, job_of(document).error) == ("completed", "")


# --- the list of chunks ------------------------------------------------------------------------------


@pytest.mark.parametrize("indexes", [(0, 1, 2), (2, 0, 1)])
def test_a_merge_of_every_chunk_in_any_order_is_taken(indexes: tuple[int, ...]) -> None:
    document = in_state(3, done=3)
    assert merged(document, chunks=listing(*indexes), path="texts/whole.txt").outcome == "applied"
    assert body(document)["job"]["status"] == "completed"


def test_a_merge_need_not_say_what_it_was_made_of() -> None:
    assert merged(in_state(3, done=3)).outcome == "applied"


WRONG: list[tuple[Any, str]] = [
    (listing(0, 1), "chunk_index 2 is completed, but the list leaves it out."),
    ([], "chunk_index 0 is completed, but the list leaves it out."),
    (listing(0, 1, 2, 3), "the document has no chunk_index 3."),
    (listing(0, 1, 2, -1), "the document has no chunk_index -1."),
    (listing(0, 1, 2, 1), "chunk_index 1 is named twice."),
    ([*listing(0, 1), {"chunk_index": 2, "checksum": "other"}], "has the checksum sum-2, not other."),
    ([*listing(0, 1), {"chunk_index": 2, "checksum": None}], "has the checksum sum-2, not none."),
    ([*listing(0, 1), {"chunk_index": 2}], "has the checksum sum-2, not none."),
    ([*listing(0, 1), {"chunk_index": "2", "checksum": "sum-2"}], "chunks[2] must be an object"),
    ([*listing(0, 2), {"chunk_index": True, "checksum": "sum-1"}], "chunks[2] must be an object"),
    ([*listing(0, 1), {"chunk_index": 2.0, "checksum": "sum-2"}], "chunks[2] must be an object"),
    ([*listing(0, 1), {"chunk_index": 2, "checksum": 7}], "chunks[2] must be an object"),
    ([{"checksum": "sum-0"}], "chunks[0] must be an object"),
    ([0, 1, 2], "chunks[0] must be an object"),
    ("all", "chunks must be a list"),
    (None, "chunks must be a list"),
    ({"0": "sum-0"}, "chunks must be a list"),
]


@pytest.mark.parametrize(("chunks", "why"), WRONG)
def test_a_merge_of_other_chunks_is_refused_and_can_be_told_again(chunks: Any, why: str) -> None:
    document = in_state(3, done=3)
    [held] = take(merge(document), worker="m1")
    refused = merged(document, chunks=chunks)
    assert (refused.outcome, refused.status) == ("invalid", "processing")
    assert refused.detail.startswith("checksum_mismatch: ")
    assert why in refused.detail
    assert (merge(document).done, job_of(document).status, held.attempt) == (0, "processing", 1)
    assert merged(document, chunks=listing(0, 1, 2)).outcome == "applied"


@pytest.mark.parametrize(
    "entry", [{"chunk_index": 0, "checksum": None}, {"chunk_index": 0}, {"chunk_index": 0, "checksum": ""}]
)
def test_a_chunk_without_a_checksum_is_named_without_one(entry: dict[str, Any]) -> None:
    document = make_document(1)
    tracking.report(ocr(document), worker="w1", results=[Result("0", "completed")], by=WORKER)
    assert merged(document, chunks=[{"chunk_index": 0, "checksum": "made up"}]).outcome == "invalid"
    assert merged(document, chunks=[entry]).outcome == "applied"


@pytest.mark.parametrize("indexes", [(0, 1), (0, 1, 2)])
def test_a_skipped_chunk_may_be_left_out(indexes: tuple[int, ...]) -> None:
    document = in_state(3, done=2, skipped=1)
    listed = [{"chunk_index": index, "checksum": checksum(index) if index < 2 else None} for index in indexes]
    assert merged(document, chunks=listed).outcome == "applied"


def test_a_chunk_that_is_not_done_cannot_have_been_merged() -> None:
    document = in_state(2, done=1, failed=1)
    operations.set_threshold(job_of(document), phase="ocr", threshold=50, actor=None)
    assert "chunk_index 1 is failed" in merged(document, chunks=listing(0, 1)).detail
    assert merged(document, chunks=listing(0)).outcome == "applied"


def test_the_merge_of_one_document_does_not_know_the_chunks_of_another() -> None:
    in_state(5, done=5)
    document = in_state(2, done=2)
    assert "has no chunk_index 4" in merged(document, chunks=listing(0, 1, 4)).detail


@pytest.mark.parametrize("wrong", ["", None, 7, "0" * 64])
def test_a_digest_stands_for_a_list_that_is_too_long(wrong: Any) -> None:
    document = in_state(500, done=499, skipped=1)
    refused = merged(document, chunks_digest=wrong)
    assert (refused.outcome, refused.detail.startswith("checksum_mismatch: chunks_digest")) == ("invalid", True)
    chunks = [{**chunk, "result_path": ""} for chunk in body(document)["chunks"]]
    result = merge_result({}, chunks)
    assert list(result) == ["chunks_digest"]
    assert merged(document, **result).outcome == "applied"


def test_a_merge_that_is_told_again_is_a_duplicate_whatever_it_lists() -> None:
    document = in_state(1, done=1)
    merged(document, chunks=listing(0))
    assert merged(document, chunks=listing(0)).outcome == "duplicate"
    assert merged(document, chunks="nonsense").outcome == "duplicate"


def test_a_chunk_may_carry_a_list_of_its_own() -> None:
    document: Document = make_document(1)
    result = {"chunks": "are not looked at here"}
    reported = tracking.report(ocr(document), worker="w1", results=[Result("0", "completed", result=result)], by=WORKER)
    assert reported.results[0].outcome == "applied"
    assert Item.objects.get(chunk__document=document).result == result
