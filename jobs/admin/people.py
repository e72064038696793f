"""The lists of workers, tokens and memberships."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from knox.models import AuthToken

from jobs import tokens
from jobs.admin.columns import job_link, pill
from jobs.admin.exporting import Column
from jobs.admin.filters import Holding, Sign
from jobs.admin.lists import ReadOnlyAdmin
from jobs.models import Job, Membership, Worker
from jobs.templatetags.progress_pages import ago, clock
from jobs.views.worker_figures import figures_of_workers
from jobs.views.workers import worker_face
from jobs.words import DASH, number


class WorkerList(ChangeList):
    """A page of workers, the urgent ones first, each with its figures."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Worker]) -> list[Any]:
        """By urgency, unless a column is asked for."""
        asked: list[Any] = super().get_ordering(request, queryset)
        return asked if ORDER_VAR in self.params else ["urgency", *asked]

    def get_results(self, request: HttpRequest) -> None:
        """The rows, with their figures."""
        super().get_results(request)
        with_figures(self.result_list)


def with_figures(workers: Sequence[Any]) -> Sequence[Any]:
    """These workers, each with what it holds and has done lately."""
    figures = figures_of_workers(workers, now=timezone.now())
    for worker in workers:
        worker.figures = figures[worker.name]
    return workers


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers as they call themselves: silent ones that hold items first, those heard last first."""

    owner = (Job, "job_id", "project")
    list_display = ("state", "name", "version_told", "seen", "holds", "done", "failed", "link", "account", "message")
    list_display_links = ("name",)
    list_filter = (Sign, Holding)
    follows = ("job", "account")
    search_fields = ("name",)
    ordering = ("-seen_at", "-id")
    exported = (
        *map(Column, ("id", "name", "version", "seen_at")),
        Column("state", lambda worker: worker_face(worker.seen_at, now=timezone.now()).code),
        Column("holds", lambda worker: worker.figures.held),
        Column("done_last_hour", lambda worker: worker.figures.done),
        Column("failed_last_hour", lambda worker: worker.figures.failed),
        Column("job_id"),
        Column("job", "job.name"),
        Column("account", "account.username"),
        Column("message"),
    )
    raw_id_fields = ("job", "account")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """With how urgent each is."""
        return super().get_queryset(request).by_urgency(timezone.now())  # type: ignore[attr-defined]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """One that knows the figures of its rows."""
        return WorkerList

    def exported_rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        """With their figures."""
        return with_figures(rows)

    def _file(self, request: HttpRequest, rows: QuerySet[Any], notation: str) -> HttpResponseBase:
        """A file is in the order of columns, which can be gone on with; urgency is none."""
        columns = [term for term in rows.query.order_by if term != "urgency"]
        return super()._file(request, rows.order_by(*columns), notation)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of the worker instead of a form of columns."""
        worker = self.get_object(request, object_id)
        address = reverse("admin:jobs_worker_changelist") if worker is None else worker.get_absolute_url()
        return HttpResponseRedirect(address)

    @admin.display(description="State")
    def state(self, worker: Worker) -> SafeString:
        """Alive, silent or gone."""
        return pill(worker_face(worker.seen_at, now=timezone.now()))

    @admin.display(description="Version", ordering="version")
    def version_told(self, worker: Worker) -> str:
        """As it calls its program."""
        return worker.version or DASH

    @admin.display(description="Last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> SafeString | str:
        """How long ago."""
        return ago(worker.seen_at)

    @admin.display(description="Holds")
    def holds(self, worker: Any) -> str:
        """How many items."""
        return number(worker.figures.held)

    @admin.display(description="Done/h")
    def done(self, worker: Any) -> str:
        """In the last hour."""
        return number(worker.figures.done)

    @admin.display(description="Failed/h")
    def failed(self, worker: Any) -> str:
        """In the last hour."""
        return number(worker.figures.failed)

    @admin.display(description="Last job")
    def link(self, worker: Worker) -> SafeString | str:
        """The job it was heard on last."""
        return job_link(worker.job)


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    """Which accounts are limited to which projects."""

    list_display = ("user", "project")
    list_select_related = ("user",)
    search_fields = ("=user__username", "=project")
    raw_id_fields = ("user",)
    show_full_result_count = False


admin.site.unregister(AuthToken)


@admin.register(AuthToken)
class TokenAdmin(ReadOnlyAdmin):
    """Tokens: whose, since when, until when, last used; deleting one revokes it at once."""

    list_display = ("begins", "user", "roles", "issued", "expires", "last_use")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("-created",)
    fields = readonly_fields = ("begins", "user", "roles", "issued", "expires")
    change_list_template = "jobs/token_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuthToken]:
        """The tokens in this account's reach, with the last sign of life under their accounts."""
        seen = Worker.objects.filter(account=OuterRef("user")).order_by("-seen_at").values("seen_at")[:1]
        reach = tokens.in_reach_of(request.user).prefetch_related("user__groups")  # type: ignore[arg-type]
        return reach.annotate(seen_at=Subquery(seen)).order_by("-created")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shown to whoever manages tokens."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The kernel's own permission, not that of the library."""
        return request.user.has_perm("jobs.manage_tokens")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who issues, revokes."""
        return self.has_view_permission(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Deleting is called what it is."""
        actions: dict[str, Any] = super().get_actions(request)
        if "delete_selected" in actions:
            function, name, _ = actions["delete_selected"]
            actions["delete_selected"] = (function, name, "Revoke tokens")
        return actions

    actions = ()

    @admin.display(description="Token")
    def begins(self, token: AuthToken) -> str:
        """The first characters of its digest, as the command lists it."""
        return token.digest[:12]

    @admin.display(description="Roles")
    def roles(self, token: AuthToken) -> str:
        """The groups of its account."""
        return ", ".join(sorted(group.name for group in token.user.groups.all())) or DASH

    @admin.display(description="Issued", ordering="created")
    def issued(self, token: AuthToken) -> SafeString | str:
        """When."""
        return clock(token.created)

    @admin.display(description="Until", ordering="expiry")
    def expires(self, token: AuthToken) -> SafeString | str:
        """When it ends by itself."""
        return clock(token.expiry, missing="for ever")

    @admin.display(description="Account last heard")
    def last_use(self, token: AuthToken) -> SafeString | str:
        """The last report or heartbeat of a worker under this account."""
        return ago(token.seen_at)
