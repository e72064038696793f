"""SQL statement counts of documents: constant in the number of chunks and documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import tracking
from jobs.models import Job
from jobs.tracking import Result
from ocr_chunks.documents import retry_chunks
from ocr_chunks.models import Document
from ocr_chunks.serializers import document_bodies
from tests.factories import WORKER
from tests.jobs.api.conftest import Api
from tests.ocr_chunks.factories import body, checksum, in_state, make_document, merge, merged, ocr, report, take
from tests.plan import size

pytestmark = pytest.mark.django_db
SIZES = (2, 40, size(400, full=4000))
Act = Callable[[], Any]


def statements(act: Act) -> int:
    """Return the number of statements of a call."""
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def costs(act: Callable[[int], Act], sizes: tuple[int, ...] = SIZES) -> set[int]:
    """Return the statement counts for these numbers of chunks; one number if they are equal."""
    return {statements(act(size)) for size in sizes}


def create(chunks: int) -> Act:
    return partial(make_document, chunks)


def look(chunks: int) -> Act:
    return partial(body, in_state(chunks, done=1, processing=1))


def claim(chunks: int) -> Act:
    phase = ocr(make_document(chunks))
    return partial(tracking.claim, phase, worker="w1", limit=min(chunks, 1000), by=WORKER)


def claim_any(chunks: int) -> Act:
    Job.objects.all().delete()
    make_document(chunks)
    return partial(tracking.claim_any, worker="w1", phase="ocr", kind="ocr", limit=1, by=WORKER)


def report_all_but_one(chunks: int) -> Act:
    document = make_document(chunks)
    phase = ocr(document)
    take(phase, limit=1)
    results = [Result(str(index), "completed", result={"checksum": "c"}) for index in range(min(chunks - 1, 1000))]
    return partial(tracking.report, phase, worker="w1", results=results, by=WORKER)


def report_a_merge(chunks: int) -> Act:
    document = in_state(chunks, done=chunks)
    take(merge(document))
    chunks_of_it = [{"chunk_index": index, "checksum": checksum(index)} for index in range(chunks)]
    return partial(merged, document, chunks=chunks_of_it)


def retry(chunks: int) -> Act:
    document = in_state(chunks, failed=chunks)
    return partial(retry_chunks, document, chunks=list(range(chunks)), actor=None)


ACTS = [
    (create, 16),
    (look, 7),
    (claim, 12),
    (claim_any, 14),
    (report_all_but_one, 11),
    (report_a_merge, 18),
    (retry, 28),  # the job failed, so that the retry also ends its incident
]


@pytest.mark.full
@pytest.mark.parametrize(("act", "most"), ACTS, ids=[act.__name__ for act, _ in ACTS])
def test_it_costs_the_same_for_a_few_chunks_and_for_thousands(act: Callable[[int], Act], most: int) -> None:
    [cost] = costs(act)
    assert cost <= most


def test_a_list_costs_the_same_for_one_document_and_for_many() -> None:
    def listed(number: int) -> Act:
        for _ in range(number):
            in_state(4, done=1, processing=1)
            in_state(4, done=2)
        newest = Document.objects.select_related("job")[: 2 * number]
        return lambda: document_bodies(list(newest), now=timezone.now())

    [cost] = costs(listed, (1, 20))
    assert cost <= 6


def test_the_endpoints_cost_the_same_for_a_few_chunks_and_for_thousands(worker: Api) -> None:
    def get(chunks: int) -> Act:
        document = in_state(chunks, done=1, processing=1)
        return lambda: [worker.get("/documents?limit=5"), worker.get(f"/documents/{document.pk}")]

    worker.get("/documents")
    [cost] = costs(get)
    assert cost <= 19


def test_creating_again_costs_little() -> None:
    again = partial(make_document, 4000, name="a.pdf")
    again()
    assert statements(again) <= 4


def test_a_document_of_4000_chunks_is_created_shown_and_worked_on_quickly() -> None:
    """Seconds that are far above what it takes, far below what a query per chunk would."""
    began = time.monotonic()
    document = make_document(4000)
    for start in range(0, 4000, 1000):
        take(ocr(document), limit=1000)
        report(document, ["completed"] * 1000, start=start)
    assert len(body(document)["chunks"]) == 4000
    assert time.monotonic() - began < 10
