"""Documents in the state that a test of the pages needs, made by the verbs that workers call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from jobs import tracking
from jobs.models import Job
from jobs.tracking import Actor, Result
from ocr_chunks.documents import create_document
from tests.factories import WORKER, phase_of

TIMEOUT = "Document AI timeout"
LIST = "/admin/ocr_chunks/document/"
CHUNKS = "/admin/ocr_chunks/chunk/"
_numbers = count(1)


def make_document(
    *,
    name: str = "",
    project: str = "",
    pages: int = 422,
    pages_per_chunk: int = 25,
    done: Iterable[int] = (),
    failed: Iterable[int] = (),
    held: Iterable[int] = (),
    error: str = TIMEOUT,
) -> Job:
    """A document of 17 chunks unless other pages are asked for; `done`, `failed` and `held` are chunk numbers."""
    name = name or f"contract-{next(_numbers)}.pdf"
    created = create_document(name=name, project=project, page_count=pages, pages_per_chunk=pages_per_chunk, by=WORKER)
    job = created.document.job
    tell(job, done, "completed")
    tell(job, failed, "failed", error=error)
    tell(job, held, "processing")
    job.refresh_from_db()
    return job


def tell(job: Job, numbers: Iterable[int], status: str, *, error: str = "", worker: str = "ocr-1") -> None:
    """Report these chunks, by their numbers."""
    results = [Result(str(number - 1), status, error=error) for number in numbers]
    if results:
        tracking.report(phase_of(job, "ocr"), worker=worker, results=results, by=Actor(name=worker))


def tell_errors(job: Job, errors: Sequence[str]) -> None:
    """The first chunks fail with these errors."""
    results = [Result(str(index), "failed", error=error) for index, error in enumerate(errors)]
    tracking.report(phase_of(job, "ocr"), worker="ocr-1", results=results, by=WORKER)


def tell_merge(job: Job, status: str, *, error: str = "", path: object = "", worker: str = "merger-1") -> None:
    """Report the merge."""
    result = {"path": path} if path else {}
    results = [Result("merge", status, error=error, result=result)]
    [answer] = tracking.report(phase_of(job, "merge"), worker=worker, results=results, by=Actor(name=worker)).results
    assert answer.outcome == "applied", answer


def address(job: Job) -> str:
    """Return the address of the document page."""
    return f"{LIST}{job.pk}/change/"
