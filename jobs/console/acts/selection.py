"""The selection of an act: selected jobs or items, or every row that a list matches.

The pages are `admin:job-act` (one job: `/admin/jobs/job/7/retry/`) and `admin:jobs-act` (several jobs:
`/admin/jobs/job/act/retry/`). Both read the query string:

    ?job=1&job=2                     these jobs (only `jobs-act`)
    &item=5&item=6                   of them, these items
    ?match=jobs_job&query=status%3Dfailed%26q%3Dmatter
                                     every row of that list under its own query string, as one encoded value: any list
                                     of the admin whose class has ActionMixin (jobs_job, jobs_item, ocr_chunks_document,
                                     ocr_chunks_chunk, training_trainingsession), or a name that a page has registered
    ?match=items&status=failed&split=train&q=…&worker=…&signature=…&phase=…
                                     at `job-act`: the items of that job under the filters of its page
    &phase=ocr  &signature=timeout   only this phase, only this error, in each of the jobs
    &all=1  &only=failed             release: live leases too; restart: only failed items
    &back=/admin/…                   the page to return to

So `?match=jobs_job&query=…&signature=…` retries one error in a list of jobs. A page that selects jobs in its own way
registers a source once, in its module:

    @source("errors")
    def failures(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
        return ListMatch(words="jobs of kind ocr that failed in the last 24 h", rows=jobs_with_failures(request, query))

The selection is cut down to the jobs that are visible to the account. One confirmation takes at most MOST_JOBS jobs and
MOST_ITEMS items. Of more it takes the newest jobs, and the page says how many are left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from jobs.console.base import ids_in_query
from jobs.console.items.filters import filters_of, in_words, narrowed
from jobs.models import Item, Job
from jobs.models.jobs import JobQuerySet
from jobs.rules.formatting import format_number, pluralize

MOST_JOBS = 5_000
MOST_ITEMS = 50_000
MOST_COUNTED = 100_000
OWN = ("match", "query", "back")


@dataclass(frozen=True, slots=True)
class ListMatch:
    """Every row that a list matches.

    `words` describes the filters. `job` and `item` are the paths from a row to the ids; `item` is empty where the rows
    are no items.
    """

    words: str
    rows: QuerySet[Any]
    job: str = "pk"
    item: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The jobs of an act, and the selected items of each; `items` is None where the act is on whole jobs.

    `rest` says how much is left out where more match than one confirmation takes.
    """

    words: str
    jobs: list[Job] = field(default_factory=list)
    items: Mapping[int, tuple[int, ...]] | None = None
    rest: str = ""

    def of(self, job: Job) -> tuple[int, ...]:
        """Return the selected items of a job; empty for the whole job."""
        return self.items.get(job.pk, ()) if self.items is not None else ()


Source = Callable[[HttpRequest, AdminSite, QueryDict], ListMatch]
SOURCES: dict[str, Source] = {}


def source(name: str) -> Callable[[Source], Source]:
    """Register a function that finds the rows of `?match=name`."""

    def register(find: Source) -> Source:
        SOURCES[name] = find
        return find

    return register


def selected(
    request: HttpRequest, site: AdminSite, visible: JobQuerySet, *, job_id: int | None = None
) -> Selection | None:
    """Return the selection of the query string among the visible jobs; None where it is not valid.

    With a `job_id` it stays within that job.
    """
    if job_id is not None and not visible.filter(pk=job_id).exists():
        return None
    if "match" in request.GET:
        found = _matched(request, site, job_id)
        return None if found is None else _all_of(found, visible if job_id is None else visible.filter(pk=job_id))
    job_ids = ids_in_query(request.GET, "job", most=MOST_JOBS + 1) if job_id is None else [job_id]
    item_ids = ids_in_query(request.GET, "item", most=MOST_ITEMS + 1)
    return _ticked(visible, job_ids, item_ids)


# --- selected rows -----------------------------------------------------------------------------------


def _ticked(visible: JobQuerySet, job_ids: list[int], item_ids: list[int]) -> Selection:
    jobs = list(visible.filter(pk__in=job_ids[:MOST_JOBS]).order_by("-pk"))
    kept = item_ids[:MOST_ITEMS]
    words = f"{pluralize(len(kept), 'selected item')}" if kept else f"{pluralize(len(jobs), 'selected job')}"
    if not item_ids:
        return Selection(words, jobs, rest=_rest(job_ids, MOST_JOBS, "selected job"))
    rest = _rest(item_ids, MOST_ITEMS, "selected item")
    if len(jobs) == 1:
        return Selection(words, jobs, {jobs[0].pk: tuple(kept)}, rest)
    rows = Item.objects.filter(phase__job__in=jobs).with_ids(kept).order_by("pk")
    items = _by_job(rows.values_list("phase__job_id", "pk"))
    return Selection(words, [job for job in jobs if job.pk in items], items, rest)


def _rest(ids: list[int], most: int, one: str) -> str:
    # No more than most + 1 ids are read, so that the number of the rest is not known.
    if len(ids) <= most:
        return ""
    return f"Only the first {pluralize(most, one)} are included. Select the rest in a second step."


def _by_job(pairs: Any) -> dict[int, tuple[int, ...]]:
    items: dict[int, list[int]] = defaultdict(list)
    for job_id, item_id in pairs:
        items[job_id].append(item_id)
    return {job_id: tuple(sorted(ids)) for job_id, ids in items.items()}


# --- everything that a list matches ------------------------------------------------------------------


def _all_of(found: ListMatch, visible: JobQuerySet) -> Selection:
    """Return everything that matches; of more than one confirmation takes, the newest jobs."""
    rows = found.rows.order_by()
    most, pair = MOST_ITEMS if found.item else MOST_JOBS, (found.job, found.item or found.job)
    ids = list(rows.values_list(*pair)[: most + 1])
    is_cut = len(ids) > most or len({job_id for job_id, _ in ids}) > MOST_JOBS
    if is_cut:
        ids = list(
            rows.order_by(f"-{found.job}", found.item or found.job).values_list(found.job, found.item or found.job)[
                :most
            ]
        )
    wanted = sorted({job_id for job_id, _ in ids}, reverse=True)[:MOST_JOBS]
    jobs, items = list(visible.filter(pk__in=wanted).order_by("-pk")), _by_job(ids)
    kept = {job.pk: items[job.pk] for job in jobs} if found.item else None
    taken = sum(map(len, kept.values())) if kept is not None else len(jobs)
    rest = _left(rows[:MOST_COUNTED].count(), taken, "item" if found.item else "job") if is_cut and jobs else ""
    return Selection(found.words, jobs, kept, rest)


def _left(matched: int, taken: int, one: str) -> str:
    """Say how much is included, and that the rest needs another confirmation."""
    of = f"{format_number(MOST_COUNTED)} {one}s or more" if matched == MOST_COUNTED else pluralize(matched, one)
    return (
        f"More match than one confirmation can include: these are {format_number(taken)} of {of}, "
        "the newest jobs first. Repeat the act for the rest when these are done."
    )


def _matched(request: HttpRequest, site: AdminSite, job_id: int | None) -> ListMatch | None:
    """Return the rows of the list named by `match`; None where there is no such list or its filters are not valid."""
    query = _query_of(request)
    if job_id is not None:
        query["job"] = str(job_id)
    find = SOURCES.get(request.GET["match"], _rows_of_list)
    try:
        return find(request, site, query)
    except (IncorrectLookupParameters, LookupError, PermissionDenied):
        return None


def _query_of(request: HttpRequest) -> QueryDict:
    """Return the query string of the list: nested in `query`, else the own one without the names of this page."""
    if "query" in request.GET:
        nested = request.GET["query"].replace("\0", "")
        return QueryDict(nested, mutable=True)
    query = request.GET.copy()
    for name in OWN:
        query.pop(name, None)
    return query


def _rows_of_list(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """Return the rows of a list of the admin."""
    lists = {f"{model._meta.app_label}_{model._meta.model_name}": each for model, each in site._registry.items()}
    model_admin: Any = lists[request.GET["match"]]
    if not hasattr(model_admin, "matched") or not model_admin.has_view_permission(request):
        raise PermissionDenied
    inner = copy(request)
    for name in ("p", "all", "e"):
        query.pop(name, None)
    inner.GET = query  # type: ignore[assignment]
    return model_admin.matched(inner)


@source("items")
def items_of_job(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """Return the items of one job (`job`, and `phase` if given) under the filters of its page."""
    [job_id] = ids_in_query(query, "job", most=1) or [0]
    filters, phase = filters_of(query), query.get("phase", "").replace("\0", "")
    items = narrowed(Item.objects.filter(phase__job=job_id), filters)
    words = ", ".join(filter(None, [f"phase {phase}" if phase else "", in_words(filters)]))
    return ListMatch(
        words=f"items: {words}" if words else "all items",
        rows=items.filter(phase__code=phase) if phase else items,
        job="phase__job_id",
        item="pk",
    )
