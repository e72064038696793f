"""Documents created by many at once, chunks finished by many at once: each document once, each merge once."""

from __future__ import annotations

from functools import partial

import pytest

from jobs import tracking
from jobs.models import Job
from jobs.rules.errors import Conflict
from jobs.tracking import Actor, Result
from ocr_chunks import documents
from ocr_chunks.models import Chunk, Document
from tests.factories import WORKER, types
from tests.jobs.races.concurrency import assert_whole, fresh, outcomes, threads
from tests.ocr_chunks.factories import checksum, in_state, job_of, make_document, ocr

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(6)


def claim_and_report(document: Document, *, worker: str) -> int:
    """Take chunks one by one and report them until none is left; how many those were."""
    done = 0
    while items := tracking.claim(ocr(document), worker=worker, limit=1, by=Actor(name=worker)).items:
        fields = {"checksum": checksum(items[0].payload["chunk_index"])}
        result = Result(items[0].key, "completed", items[0].attempt, result=fields)
        tracking.report(ocr(document), worker=worker, results=[result], by=Actor(name=worker))
        done += 1
    return done


def claim_merge(document: Document, *, worker: str) -> int:
    """Return the number of merges that this worker claims."""
    return len(tracking.claim_any(worker=worker, phase="merge", kind="ocr", by=Actor(name=worker)).items)


def test_creators_of_the_same_document_get_the_same_one_with_its_chunks_once() -> None:
    with threads(4) as team:
        for number in ROUNDS:
            create = partial(documents.create_document, name=f"{number}.pdf", project="m", page_count=422, by=WORKER)
            answers = team.at_once(*[create] * 4)
            [job] = Job.objects.filter(name=f"m/{number}.pdf")
            assert {answer.document.pk for answer in answers} == {job.pk}
            assert sum(answer.created for answer in answers) == 1
            assert Chunk.objects.filter(document=job.pk).count() == assert_whole(job).items_total == 17
            assert types(job).count("job.created") == 1


def test_creators_of_the_same_name_with_other_pages_are_refused_but_one() -> None:
    with threads(2) as team:
        for number in ROUNDS:
            create = partial(documents.create_document, name=f"{number}.pdf", by=WORKER)
            answers = team.at_once(partial(create, page_count=50), partial(create, page_count=60))
            [refusal] = [answer for answer in answers if isinstance(answer, Conflict)]
            assert refusal.code == "document_differs"


def test_documents_whose_jobs_would_have_the_same_name_are_refused_but_one() -> None:
    with threads(2) as team:
        for number in ROUNDS:
            create = partial(documents.create_document, page_count=5, by=WORKER)
            one, other = (
                partial(create, project=f"{number}/a", name="b"),
                partial(create, project=f"{number}", name="a/b"),
            )
            [refusal] = [answer for answer in team.at_once(one, other) if isinstance(answer, Conflict)]
            assert (refusal.code, Document.objects.count()) == ("name_taken", number + 1)


def test_the_last_chunks_at_once_open_the_gate_once_and_one_worker_gets_the_merge() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            document = in_state(6, done=2)
            done = team.at_once(*[partial(claim_and_report, document, worker=f"w{n}") for n in range(4)])
            assert sum(done) == 4
            assert types(job_of(document), outward=True) == ["ocr.completed"]
            merges = team.at_once(*[partial(claim_merge, document, worker=f"w{n}") for n in range(4)])
            assert sorted(merges) == [0, 0, 0, 1]
            assert_whole(job_of(document))


def test_a_merge_that_is_reported_by_many_completes_once() -> None:
    with threads(4) as team:
        for _ in ROUNDS:
            document = in_state(2, done=2)
            listed = [{"chunk_index": index, "checksum": checksum(index)} for index in (1, 0)]
            results = [Result("merge", "completed", result={"chunks": listed, "checksum": "whole"})]
            phase = fresh(job_of(document), "merge")
            answers = team.at_once(*[partial(tracking.report, phase, results=results, by=WORKER)] * 4)
            assert outcomes(answers) == ["applied", "duplicate", "duplicate", "duplicate"]
            assert types(job_of(document), outward=True).count("job.completed") == 1


def test_a_retry_and_the_late_success_of_the_chunk_lead_to_one_of_both() -> None:
    with threads(2) as team:
        for _ in ROUNDS:
            document = in_state(2, done=1, failed=1)
            late = partial(tracking.report, ocr(document), results=[Result("1", "completed")], by=WORKER)
            retry = partial(documents.retry_chunks, document, actor=None)
            team.at_once(retry, late)
            job = job_of(document)
            assert (job.status, assert_whole(job).failed) == ("processing", 0)


def test_seventeen_workers_finish_a_document_of_seventeen_chunks() -> None:
    with threads(17) as team:
        document = make_document(17)
        done = team.at_once(*[partial(claim_and_report, document, worker=f"w{n}") for n in range(17)])
        assert (sum(done), job_of(document).stage) == (17, "Merging OCR results")
        assert_whole(job_of(document))
