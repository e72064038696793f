"""The lists of items and events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import HttpRequest
from django.utils.safestring import SafeString

from jobs.console import status_styles
from jobs.console.admin.action_mixin import ActionMixin
from jobs.console.admin.columns import job_link, pill
from jobs.console.admin.export import Column
from jobs.console.admin.filters import OfAccount, OfWorker, StatusOfItems
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.templatetags.progress_pages import clock, until
from jobs.models import Attempt, Event, Item, Job, Phase
from jobs.models.items import digest
from jobs.rules.formatting import DASH
from jobs.rules.limits import ATTEMPTS_KEPT

ATTEMPT = ("number", "worker", "started_at", "ended_at", "outcome", "error", "links")


def _attempts(item: Item) -> list[dict[str, Any]]:
    """Return the last ended attempts of an item, newest first, without their logs."""
    return [{name: getattr(attempt, name) for name in ATTEMPT} for attempt in [*item.attempts.all()][:ATTEMPTS_KEPT]]


@admin.register(Item)
class ItemAdmin(ActionMixin, ReadOnlyAdmin):
    """Items of all jobs, the newest first; the search needs a whole key."""

    when_empty = "No item yet. A job is created with its items, or a worker adds them to a phase."
    owner = (Phase, "phase_id", "job__project")
    list_display = ("state", "name", "link", "phase_code", "split", "worker", "attempt", "lease", "finished", "error")
    list_display_links = ("name",)
    list_filter = (("status", StatusOfItems), OfWorker, OfAccount)
    follows = ("phase__job",)
    search_fields = ("=key",)
    search_help_text = "A whole key"
    ordering = ("-id",)
    exported = (
        Column("id"),
        Column("job_id", "phase.job_id"),
        Column("job", "phase.job.name"),
        Column("phase", "phase.code"),
        *map(Column, ("key", "label", "split", "payload", "status", "attempt", "tries", "failures", "available_at")),
        *map(Column, ("worker", "lease_expires_at", "error", "result", "started_at", "finished_at")),
        Column("attempts", _attempts),
    )
    job_path, item_path, rows_are = "phase__job_id", "pk", "items"

    def exported_rows(self, rows: Sequence[Item]) -> Sequence[Item]:
        """Load the attempts of a batch in one query. Their logs could be some hundred MiB."""
        prefetch_related_objects(rows, Prefetch("attempts", Attempt.objects.defer("log")))
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Item], search_term: str
    ) -> tuple[QuerySet[Item], bool]:
        """Search by the digest of the key, which is indexed."""
        return (queryset.filter(key_digest=digest(search_term)) if search_term else queryset), False

    @admin.display(description="Status")
    def state(self, item: Item) -> SafeString:
        """The status."""
        return pill(status_styles.STYLES[item.status])

    @admin.display(description="Item")
    def name(self, item: Item) -> str:
        """The label, else the key."""
        return str(item)

    @admin.display(description="Job")
    def link(self, item: Item) -> SafeString | str:
        """The job."""
        return job_link(item.phase.job)

    @admin.display(description="Phase")
    def phase_code(self, item: Item) -> str:
        """The phase."""
        return item.phase.code

    @admin.display(description="Lease")
    def lease(self, item: Item) -> SafeString | str:
        """The end of the lease."""
        return until(item.lease_expires_at)

    @admin.display(description="Finished")
    def finished(self, item: Item) -> SafeString | str:
        """The time when it was settled."""
        return clock(item.finished_at)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The timeline of all jobs, the newest first."""

    when_empty = "No event yet. Everything that happens to a job is listed here."
    owner = (Job, "job_id", "project")
    list_display = ("when", "type", "link", "actor", "is_outward", "detail", "reason")
    list_display_links = ("type",)
    list_filter = ("outward",)
    follows = ("job",)
    search_fields = ("=job__name",)
    search_help_text = "The whole name of a job"
    ordering = ("-id",)
    exported = (
        *map(Column, ("id", "event_id", "job_id")),
        Column("job", "job.name"),
        Column("phase", "phase.code"),
        *map(Column, ("run", "type", "at", "actor", "reason", "detail", "outward", "data")),
    )
    raw_id_fields = ("job", "phase", "account")

    @admin.display(description="When")
    def when(self, event: Event) -> SafeString | str:
        """The time of the event."""
        return clock(event.at)

    @admin.display(description="Job")
    def link(self, event: Event) -> SafeString | str:
        """The job."""
        return job_link(event.job)

    @admin.display(description="Outward")
    def is_outward(self, event: Event) -> str:
        """Whether subscribers receive it."""
        return "outward" if event.outward else DASH
