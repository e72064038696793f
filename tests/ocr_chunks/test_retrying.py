"""Retrying the failed chunks of a document: one, those of the same error, all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from jobs import operations, tracking
from jobs.operations import Act
from jobs.rules.errors import Conflict, NotFound, NotPermitted, WrongState
from jobs.tracking import Result
from ocr_chunks.documents import retry_chunks
from ocr_chunks.models import Document
from tests.factories import WORKER, operator, outward, types
from tests.ocr_chunks.factories import body, chunk, fail, in_state, job_of, make_document, merge, ocr, report, take

pytestmark = pytest.mark.django_db


def retry(document: Document, **fields: Any) -> Act:
    """Retry as the system."""
    return retry_chunks(document, **{"actor": None, **fields})


def statuses(document: Document) -> list[str]:
    """The statuses of its chunks in their order."""
    return [str(row["status"]) for row in body(document)["chunks"]]


def test_all_failed_chunks_are_pending_again_and_the_others_are_untouched() -> None:
    document = in_state(5, done=1, failed=2, processing=1)
    act = retry(document)
    assert (act.changed, act.detail, act.refused) == (2, "2 failed chunks are pending again.", [])
    assert statuses(document) == ["completed", "pending", "pending", "processing", "pending"]
    assert outward(job_of(document), "item.retry_requested")[0]["keys"] == ["1", "2"]


def test_a_retried_chunk_has_no_trace_of_its_failure_but_a_new_attempt() -> None:
    document = make_document(1)
    take(ocr(document))
    fail(document, 0, "Document AI timeout")
    retry(document)
    item = chunk(document, 0)
    assert (item.status, item.error, item.result, item.started_at, item.finished_at, item.tries) == (
        "pending",
        "",
        {},
        None,
        None,
        0,
    )
    assert (item.attempt, job_of(document).error, job_of(document).status) == (2, "", "processing")


def test_one_chunk_is_retried_by_its_index() -> None:
    document = in_state(4, failed=2)
    act = retry(document, chunks=[1])
    assert (act.changed, act.detail) == (1, "1 failed chunk is pending again.")
    assert statuses(document) == ["failed", "pending", "pending", "pending"]


def test_chunks_of_the_same_error_are_retried_by_its_signature() -> None:
    document = make_document(4)
    for index, error in enumerate(("Timeout after 3 s", "Timeout after 17 s", "Broken xref")):
        fail(document, index, error)
    assert retry(document, error_signature="Timeout after # s").changed == 2
    assert statuses(document) == ["pending", "pending", "failed", "pending"]


def test_what_has_not_failed_is_refused_with_its_state() -> None:
    document = in_state(4, done=1, failed=1)
    take(ocr(document), worker="gpu-7")
    act = retry(document, chunks=[0, 1, 2, 3, 1])
    assert act.changed == 1
    assert [(refusal.id, refusal.detail.split(" until")[0]) for refusal in act.refused] == [
        (chunk(document, 0).pk, "is completed; it cannot be retried."),
        (chunk(document, 2).pk, "is processing by gpu-7"),
        (chunk(document, 3).pk, "is pending; it cannot be retried."),
    ]


@pytest.mark.parametrize("chunks", [None, [0], []])
def test_without_failed_chunks_nothing_happens(chunks: list[int] | None) -> None:
    document = in_state(3, done=1)
    before = job_of(document).revision
    act = retry(document, chunks=chunks)
    assert (act.changed, act.detail) == (0, "There are no failed chunks to retry.")
    assert job_of(document).revision == before
    assert "item.retry_requested" not in types(job_of(document))


def test_a_second_retry_finds_nothing() -> None:
    document = in_state(3, failed=2)
    assert [retry(document).changed for _ in range(2)] == [2, 0]


def test_a_failed_merge_is_no_failed_chunk() -> None:
    document = in_state(2, done=2)
    tracking.report(merge(document), worker="m1", results=[Result("merge", "failed", error="disk")], by=WORKER)
    assert retry(document).changed == 0
    assert merge(document).failed == 1


@pytest.mark.parametrize("chunks", [[17], [0, 17], [-1]])
def test_an_index_that_the_document_does_not_have_is_not_found(chunks: list[int]) -> None:
    make_document(20)
    document = in_state(17, failed=1)
    with pytest.raises(NotFound, match="its chunks are 0 to 16"):
        retry(document, chunks=chunks)
    assert statuses(document)[0] == "failed"


def test_a_failed_document_goes_on_in_the_same_run() -> None:
    document = in_state(2, done=1, failed=1)
    assert job_of(document).status == "failed"
    retry(document)
    assert (job_of(document).status, ocr(document).run, ocr(document).status) == ("processing", 1, "processing")
    report(document, ["completed"], start=1)
    assert job_of(document).stage == "Merging OCR results"


CLOSED: list[tuple[Callable[[Document], Any], str]] = [
    (lambda document: operations.cancel(job_of(document), actor=None), "is cancelled; retry is possible while"),
    (lambda document: operations.force_complete(job_of(document), actor=None, reason="x"), "closed for good"),
]


@pytest.mark.parametrize(("close", "sentence"), CLOSED)
def test_a_closed_document_refuses_with_both_states(close: Callable[[Document], Any], sentence: str) -> None:
    document = in_state(3, failed=1)
    close(document)
    with pytest.raises(WrongState, match=sentence):
        retry(document)
    assert statuses(document)[0] == "failed"


def test_a_retry_needs_its_permission_and_writes_down_who_and_why() -> None:
    document = in_state(3, failed=1)
    with pytest.raises(NotPermitted, match=r"jobs\.retry_job"):
        retry(document, actor=operator("skip"))
    retry(document, actor=operator("retry"), reason="Document AI is back.")
    assert "Document AI is back." in LogEntry.objects.get().change_message


def test_a_retry_that_was_confirmed_on_an_older_state_is_refused() -> None:
    document = in_state(3, failed=1)
    old = job_of(document).revision
    report(document, ["completed"], start=1)
    with pytest.raises(Conflict, match="look again and confirm"):
        retry(document, revision=old)


def test_an_account_of_another_project_finds_no_such_document() -> None:
    document = in_state(3, failed=1, project="m")
    with pytest.raises(NotFound):
        retry(document, actor=operator("retry", projects=["n"]))
