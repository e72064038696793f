"""Creating documents: with their job and all chunks at once, and once for each project and name."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from jobs.change import Actor
from jobs.models import Item, Job
from jobs.rules.errors import BadInput, Conflict, NotPermitted
from ocr_chunks import documents
from ocr_chunks.models import Chunk, Document
from ocr_chunks.page_ranges import PageRange
from tests.factories import WORKER, make_job, operator, phase_of
from tests.ocr_chunks.factories import (
    body,
    chunk,
    chunks_of,
    in_state,
    job_of,
    make_document,
    merge,
    ocr,
    report,
    take,
)

pytestmark = pytest.mark.django_db


def create(**fields: Any) -> documents.Created:
    """Create `m/a.pdf` of 60 pages, but for what is given."""
    return documents.create_document(**{"name": "a.pdf", "page_count": 60, "project": "m", "by": WORKER, **fields})


def test_a_new_document_has_its_own_job_chunks_and_merge() -> None:
    document = make_document(name="contract-4711.pdf", project="matter-789")
    job = job_of(document)
    assert (job.pk, job.name, job.kind, job.project) == (
        document.pk,
        "matter-789/contract-4711.pdf",
        "ocr",
        "matter-789",
    )
    assert [(c.chunk_index, c.page_start, c.page_end) for c in chunks_of(document)][::16] == [
        (0, 1, 25),
        (16, 401, 422),
    ]
    assert (ocr(document).expected, merge(document).expected, merge(document).gate_open) == (17, 1, False)
    assert (job.status, job.stage, job.percent, document.created_at) == (
        "pending",
        "Processing chunk 0/17",
        0,
        job.created_at,
    )


def test_a_job_without_a_project_has_the_name_of_its_document() -> None:
    assert job_of(make_document(name="a.pdf")).name == "a.pdf"


def test_a_chunk_is_an_item_with_its_index_as_key_and_its_pages_in_the_label() -> None:
    document = make_document()
    item = chunk(document, 11)
    assert (item.key, item.label, str(Chunk.objects.get(pk=item.pk))) == ("11", *["Chunk 12 (pages 276-300)"] * 2)
    assert item.payload == {"chunk_index": 11, "page_start": 276, "page_end": 300, "document": document.pk}
    one = Item.objects.get(phase=merge(document))
    assert (one.key, one.label, one.payload) == ("merge", "Merge", {"document": document.pk})


def test_the_phases_are_those_of_ocr() -> None:
    fields = ("code", "weight", "threshold", "gated", "trigger", "on_shortfall", "stage", "announced", "deadline_at")
    assert list(job_of(make_document()).phases.order_by("position").values_list(*fields)) == [
        ("ocr", 100, 100, False, "at_threshold", "fail", "Processing chunk {done}/{expected}", False, None),
        ("merge", 0, 100, True, "at_threshold", "fail", "Merging OCR results", False, None),
    ]


def test_the_threshold_of_the_settings_is_not_that_of_documents(settings: Any) -> None:
    settings.COMPLETION_THRESHOLD_PERCENTAGE = 50
    assert ocr(make_document()).threshold == 100


def test_chunks_have_25_pages_where_nobody_says_how_many() -> None:
    assert (create().document.pages_per_chunk, Chunk.objects.count()) == (25, 3)


def test_a_creator_may_give_the_ranges() -> None:
    given = [PageRange(1, 1), PageRange(2, 59), PageRange(60, 60)]
    document = create(chunks=given, pages_per_chunk=7).document
    assert document.pages_per_chunk is None
    assert [(c.page_start, c.page_end) for c in chunks_of(document)] == given


def test_creating_again_finds_the_document_with_what_is_done() -> None:
    document = in_state(3, done=2, name="a.pdf", project="m", page_count=60)
    [held] = take(ocr(document))
    again = create(pages_per_chunk=7)
    assert (again.created, again.document) == (False, document)
    assert (Document.objects.count(), Chunk.objects.count(), Job.objects.count()) == (1, 3, 1)
    assert [chunk["status"] for chunk in body(again.document)["chunks"]] == ["completed", "completed", "processing"]
    assert (held.key, again.document.job.revision) == ("2", job_of(document).revision)


def test_chunks_that_are_done_are_not_given_out_after_creating_again() -> None:
    document = in_state(3, done=2, name="a.pdf", project="m", page_count=60)
    create()
    assert [item.key for item in take(ocr(document), limit=10)] == ["2"]


def test_another_number_of_pages_is_another_document() -> None:
    create()
    with pytest.raises(Conflict, match=r"m/a\.pdf exists and has 60 pages, not 61") as refusal:
        create(page_count=61)
    assert refusal.value.code == "document_differs"


def test_the_same_name_in_another_project_is_another_document() -> None:
    assert create().document != create(project="n").document != create(project="").document
    assert set(Job.objects.values_list("name", flat=True)) == {"m/a.pdf", "n/a.pdf", "a.pdf"}


@pytest.mark.parametrize(("name", "project"), [("m/a.pdf", ""), ("a.pdf", "x/m")])
def test_a_document_whose_job_would_have_the_name_of_another_is_refused(name: str, project: str) -> None:
    create(name=f"{project}/{name}".lstrip("/"), project="") if project else create()
    with pytest.raises(Conflict) as refusal:
        create(name=name, project=project)
    assert (refusal.value.code, Document.objects.count()) == ("name_taken", 1)


def test_a_job_of_another_kind_keeps_its_name() -> None:
    make_job(name="m/a.pdf")
    with pytest.raises(Conflict) as refusal:
        create()
    assert (refusal.value.code, Document.objects.count()) == ("name_taken", 0)


def test_project_and_name_are_together_as_long_as_the_name_of_a_job() -> None:
    create(name="x" * 198)
    with pytest.raises(BadInput) as refusal:
        create(name="x" * 199)
    assert (list(refusal.value.errors), Document.objects.count()) == (["name"], 1)


def test_an_account_creates_only_within_its_projects() -> None:
    create()
    other = Actor(account=operator(projects=["n"]))
    with pytest.raises(NotPermitted):
        create(name="b.pdf", by=other)
    with pytest.raises(Conflict) as refusal:
        create(by=other)
    assert (refusal.value.code, Document.objects.count()) == ("name_taken", 1)


def test_what_is_refused_leaves_nothing_behind() -> None:
    with pytest.raises(BadInput):
        create(chunks=[PageRange(1, 10), PageRange(12, 60)])
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_browsers_hear_of_a_new_document_once_and_not_of_one_that_was_rolled_back(broadcasts: list[int]) -> None:
    with transaction.atomic():
        create(name="b.pdf")
        transaction.set_rollback(True)
    assert (broadcasts, Document.objects.count()) == ([], 0)
    document = create().document
    create()
    assert broadcasts == [document.pk]


BROKEN: list[dict[str, int]] = [
    {"chunk_index": 0, "page_start": 26, "page_end": 27},
    {"chunk_index": 1, "page_start": 1, "page_end": 27},
    {"chunk_index": 1, "page_start": 0, "page_end": 27},
    {"chunk_index": 1, "page_start": 28, "page_end": 27},
]


@pytest.mark.parametrize("values", BROKEN)
def test_the_database_holds_each_index_and_first_page_once_and_pages_in_order(values: dict[str, int]) -> None:
    document = make_document(1)
    item = Item.objects.get(phase=merge(document))
    with pytest.raises(IntegrityError), transaction.atomic():
        Chunk.objects.create(item=item, document=document, **values)


def test_the_database_holds_each_name_once_per_project_and_at_least_a_page() -> None:
    document = make_document(1, name="a.pdf", project="m")
    for fields in ({"name": "a.pdf"}, {"name": "b.pdf", "page_count": 0}, {"name": "b.pdf", "pages_per_chunk": 0}):
        values: dict[str, Any] = {"page_count": 1, "project": "m", "created_at": document.created_at, **fields}
        with pytest.raises(IntegrityError), transaction.atomic():
            Document.objects.create(job=make_job(), **values)


def test_a_document_is_deleted_with_its_job() -> None:
    document = in_state(2, done=1)
    job_of(document).delete()
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()


def test_a_list_of_chunks_takes_no_key_that_it_does_not_hold() -> None:
    document = make_document(2)
    [outcome] = report(document, ["completed"], start=2).results
    assert (outcome.outcome, phase_of(job_of(document), "ocr").done) == ("invalid", 0)
