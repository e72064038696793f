"""What an act is about: the jobs or items that somebody ticked, or everything that a list matches.

How a page asks. The doors are `admin:job-act` (one job: `/admin/jobs/job/7/retry/`) and `admin:jobs-act` (several:
`/admin/jobs/job/act/retry/`); both take, in their address:

    ?job=1&job=2                     these jobs (only `jobs-act`)
    &item=5&item=6                   of them, these items
    ?match=jobs_job&query=status%3Dfailed%26q%3Dmatter
                                     every row of that list under its own query string, as one encoded value: any list
                                     of the admin whose class has ActsOnRows (jobs_job, jobs_item, ocr_chunks_document,
                                     ocr_chunks_chunk, training_trainingsession), or a name that a page has registered
    ?match=items&status=failed&split=train&q=…&worker=…&signature=…&phase=…
                                     at `job-act`: the items of that job under the filters of its page
    &phase=ocr  &signature=timeout   only this phase, only this error, in each of the jobs
    &all=1  &only=failed             release: live leases too; restart: only what failed
    &back=/admin/…                   where one comes back to

So the errors of a list of jobs are retried by `?match=jobs_job&query=…&signature=…`, and a page that chooses jobs in
its own way registers how, once, in its module:

    @source("errors")
    def failures(request: HttpRequest, site: AdminSite, query: QueryDict) -> Found:
        return Found(words="jobs of kind ocr that failed in the last 24 h", rows=jobs_with_failures(request, query))

What is found is cut down to the jobs in the account's sight. One confirmation takes at most MOST_JOBS jobs and
MOST_ITEMS items; of more it takes the newest jobs, and the page says how many it leaves for the next time.
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

from jobs.console.base import numbers
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
    """Everything that a list matches: in words, and its rows with the way to the job's id, and to the item's where
    they are items."""

    words: str
    rows: QuerySet[Any]
    job: str = "pk"
    item: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What an act is about. `items` are those of each job; None where it is about jobs as a whole.

    `rest` says what is left out where more match than one confirmation takes.
    """

    words: str
    jobs: list[Job] = field(default_factory=list)
    items: Mapping[int, tuple[int, ...]] | None = None
    rest: str = ""

    def of(self, job: Job) -> tuple[int, ...]:
        """The chosen items of a job; empty where it is meant as a whole."""
        return self.items.get(job.pk, ()) if self.items is not None else ()


Source = Callable[[HttpRequest, AdminSite, QueryDict], ListMatch]
SOURCES: dict[str, Source] = {}


def source(name: str) -> Callable[[Source], Source]:
    """Register how the rows behind `?match=name` are found."""

    def register(find: Source) -> Source:
        SOURCES[name] = find
        return find

    return register


def selected(
    request: HttpRequest, site: AdminSite, visible: JobQuerySet, *, job_id: int | None = None
) -> Selection | None:
    """What the address chooses of the visible jobs, at `job-act` of that one; None where it makes no sense."""
    if job_id is not None and not visible.filter(pk=job_id).exists():
        return None
    if "match" in request.GET:
        found = _matched(request, site, job_id)
        return None if found is None else _all_of(found, visible if job_id is None else visible.filter(pk=job_id))
    job_ids = numbers(request.GET, "job", most=MOST_JOBS + 1) if job_id is None else [job_id]
    item_ids = numbers(request.GET, "item", most=MOST_ITEMS + 1)
    return _ticked(visible, job_ids, item_ids)


# --- ticked ------------------------------------------------------------------------------------------


def _ticked(visible: JobQuerySet, job_ids: list[int], item_ids: list[int]) -> Selection:
    jobs = list(visible.filter(pk__in=job_ids[:MOST_JOBS]).order_by("-pk"))
    kept = item_ids[:MOST_ITEMS]
    words = f"{pluralize(len(kept), 'ticked item')}" if kept else f"{pluralize(len(jobs), 'ticked job')}"
    if not item_ids:
        return Selection(words, jobs, rest=_rest(job_ids, MOST_JOBS, "ticked job"))
    rest = _rest(item_ids, MOST_ITEMS, "ticked item")
    if len(jobs) == 1:
        return Selection(words, jobs, {jobs[0].pk: tuple(kept)}, rest)
    rows = Item.objects.filter(phase__job__in=jobs).with_ids(kept).order_by("pk")
    items = _by_job(rows.values_list("phase__job_id", "pk"))
    return Selection(words, [job for job in jobs if job.pk in items], items, rest)


def _rest(ids: list[int], most: int, one: str) -> str:
    """More ids than these are not even read from the address."""
    return f"Only the first {pluralize(most, one)} are taken; tick the others afterwards." if len(ids) > most else ""


def _by_job(pairs: Any) -> dict[int, tuple[int, ...]]:
    items: dict[int, list[int]] = defaultdict(list)
    for job_id, item_id in pairs:
        items[job_id].append(item_id)
    return {job_id: tuple(sorted(ids)) for job_id, ids in items.items()}


# --- matched -----------------------------------------------------------------------------------------


def _all_of(found: ListMatch, visible: JobQuerySet) -> Selection:
    """Everything that is found, or of more than one confirmation takes the newest jobs."""
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
    """Say how much is taken, and that the rest needs another confirmation.."""
    of = f"{format_number(MOST_COUNTED)} {one}s or more" if matched == MOST_COUNTED else pluralize(matched, one)
    return (
        f"More match than one confirmation takes: these are {format_number(taken)} of {of}, the newest jobs first. "
        "When they are done, come back for the others."
    )


def _matched(request: HttpRequest, site: AdminSite, job_id: int | None) -> ListMatch | None:
    """Ask the list behind `match`; None where there is none of that name, or its filters make no sense."""
    query = _query_of(request)
    if job_id is not None:
        query["job"] = str(job_id)
    find = SOURCES.get(request.GET["match"], _rows_of_list)
    try:
        return find(request, site, query)
    except (IncorrectLookupParameters, LookupError, PermissionDenied):
        return None


def _query_of(request: HttpRequest) -> QueryDict:
    """The query of the list: nested in `query`, or else the address itself without what is ours."""
    if "query" in request.GET:
        nested = request.GET["query"].replace("\0", "")
        return QueryDict(nested, mutable=True)
    query = request.GET.copy()
    for name in OWN:
        query.pop(name, None)
    return query


def _rows_of_list(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """The rows of a list of the admin."""
    lists = {f"{model._meta.app_label}_{model._meta.model_name}": each for model, each in site._registry.items()}
    model_admin: Any = lists[request.GET["match"]]
    if not hasattr(model_admin, "matched") or not model_admin.has_view_permission(request):
        raise PermissionDenied
    asked = copy(request)
    for name in ("p", "all", "e"):
        query.pop(name, None)
    asked.GET = query  # type: ignore[assignment]
    return model_admin.matched(asked)


@source("items")
def items_of_job(request: HttpRequest, site: AdminSite, query: QueryDict) -> ListMatch:
    """The items of one job (`job`, and `phase` if given) under the filters of its page."""
    [job_id] = numbers(query, "job", most=1) or [0]
    filters, phase = filters_of(query), query.get("phase", "").replace("\0", "")
    items = narrowed(Item.objects.filter(phase__job=job_id), filters)
    said = ", ".join(filter(None, [f"phase {phase}" if phase else "", in_words(filters)]))
    return ListMatch(
        words=f"items: {said}" if said else "all items",
        rows=items.filter(phase__code=phase) if phase else items,
        job="phase__job_id",
        item="pk",
    )
