"""Documents in the global search: by the beginning of their name, whatever their project."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.console.search.finders import ENOUGH, job_hit
from jobs.console.search.registry import Hit, SearchQuery
from jobs.db.prefix import begins_with
from jobs.rules import names
from jobs.rules.limits import NAME_LENGTH
from ocr_chunks.models import Document


def find_documents(query: SearchQuery) -> Iterator[Hit]:
    """Find documents by the beginning of their name; a job's name begins with the project."""
    name = names.plain(query.text)[:NAME_LENGTH]
    found = Document.objects.filter(begins_with("name", name), job__removed_at__isnull=True).select_related("job")
    if query.access.projects is not None:
        found = found.filter(project__in=sorted(query.access.projects))
    for document in found.order_by("name")[:ENOUGH] if name else ():
        yield job_hit(document.job)
