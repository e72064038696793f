"""The list of workers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.safestring import SafeString

from jobs.console.admin.change_list import ConsoleList
from jobs.console.admin.columns import job_link, pill
from jobs.console.admin.export import Column
from jobs.console.admin.filters import Holding, WorkerState
from jobs.console.admin.lists import Prepare, ReadOnlyAdmin
from jobs.console.base import visible_projects
from jobs.console.status_styles import FAILING
from jobs.console.templatetags.progress_pages import ago
from jobs.console.workers.worker_figures import figures_of_workers
from jobs.console.workers.worker_queries import worker_style
from jobs.models import Worker
from jobs.models.workers import MANY_FAILURES, SILENT
from jobs.rules.formatting import DASH, format_number


class WorkerList(ConsoleList):
    """A page of workers with their numbers, the urgent ones first."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Worker]) -> list[Any]:
        """Order by urgency unless the query string names a column."""
        ordering: list[Any] = super().get_ordering(request, queryset)
        return ordering if ORDER_VAR in self.params else ["urgency", *ordering]

    def get_results(self, request: HttpRequest) -> None:
        """Load the rows with their numbers."""
        super().get_results(request)
        with_figures(self.result_list, visible_projects(request))


def with_figures(workers: Sequence[Any], projects: Collection[str] | None) -> Sequence[Any]:
    """Add to each worker its numbers of leased, done and failed items in these projects (None: in all)."""
    figures = figures_of_workers(workers, projects, now=timezone.now())
    for worker in workers:
        worker.figures = figures[worker.pk]
    return workers


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers: silent ones with leased items first, then the latest ones."""

    when_empty = "No worker yet. A worker appears with its first claim, report or heartbeat."
    list_display = ("state", "name", "version_text", "seen", "holds", "done", "failed", "link", "account", "message")
    list_display_links = ("name",)
    list_filter = (WorkerState, Holding)
    follows = ("job", "account")
    search_fields = ("name",)
    ordering = ("-seen_at", "-id")
    exported = (
        *map(Column, ("id", "name", "version", "seen_at")),
        Column("state", lambda worker: worker_style(worker.seen_at, now=timezone.now()).code),
        Column("holds", lambda worker: worker.figures.held),
        Column("done_last_hour", lambda worker: worker.figures.done),
        Column("failed_last_hour", lambda worker: worker.figures.failed),
        Column("job_id"),
        Column("job", "job.name"),
        Column("account", "account.username"),
        Column("message"),
        Column("progress"),
    )
    raw_id_fields = ("job", "account")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """Add the urgency of each worker."""
        return super().get_queryset(request).by_urgency(timezone.now())  # type: ignore[attr-defined]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with numbers."""
        return WorkerList

    def _file(
        self, request: HttpRequest, rows: QuerySet[Any], notation: str, *, prepare: Prepare | None = None
    ) -> HttpResponseBase:
        """Return the rows with their numbers, in the order of columns: urgency is none and has no keyset."""
        columns = [term for term in rows.query.order_by if term != "urgency"]
        figures = partial(with_figures, projects=visible_projects(request))
        return super()._file(request, rows.order_by(*columns), notation, prepare=figures)

    def page_of(self, row: Worker) -> str:
        """Return the page of the worker."""
        return row.get_absolute_url()

    @admin.display(description="State")
    def state(self, worker: Worker) -> SafeString:
        """The state: alive, silent or gone; failing where it is not gone and its last items all failed."""
        now = timezone.now()
        only_fails = worker.failed_in_a_row >= MANY_FAILURES and now - worker.seen_at <= SILENT
        return pill(FAILING if only_fails else worker_style(worker.seen_at, now=now))

    @admin.display(description="Version", ordering="version")
    def version_text(self, worker: Worker) -> str:
        """The version of its program."""
        return worker.version or DASH

    @admin.display(description="Last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> SafeString | str:
        """The time since its last sign of life."""
        return ago(worker.seen_at)

    @admin.display(description="Leased")
    def holds(self, worker: Any) -> str:
        """The number of leased items."""
        return format_number(worker.figures.held)

    @admin.display(description="Done/h")
    def done(self, worker: Any) -> str:
        """The number of done items of the last hour."""
        return format_number(worker.figures.done)

    @admin.display(description="Failed/h")
    def failed(self, worker: Any) -> str:
        """The number of failed items of the last hour."""
        return format_number(worker.figures.failed)

    @admin.display(description="Last job")
    def link(self, worker: Worker) -> SafeString | str:
        """The last job of the worker."""
        return job_link(worker.job)
