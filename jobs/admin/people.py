"""The lists of workers, tokens and memberships."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from knox.models import AuthToken

from jobs import tokens
from jobs.admin.columns import job_link, pill
from jobs.admin.exporting import Column
from jobs.admin.lists import ReadOnlyAdmin
from jobs.models import Job, Membership, Worker
from jobs.templatetags.progress_pages import ago, clock
from jobs.views.workers import worker_face
from jobs.words import DASH


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers as they call themselves, those heard last first."""

    owner = (Job, "job_id", "project")
    list_display = ("state", "name", "seen", "link", "account", "message")
    list_display_links = ("name",)
    follows = ("job", "account")
    search_fields = ("name",)
    ordering = ("-seen_at", "-id")
    exported = (
        *map(Column, ("id", "name", "seen_at", "job_id")),
        Column("job", "job.name"),
        Column("account", "account.username"),
        Column("message"),
    )
    raw_id_fields = ("job", "account")

    @admin.display(description="State")
    def state(self, worker: Worker) -> SafeString:
        """Alive, silent or gone."""
        return pill(worker_face(worker.seen_at, now=timezone.now()))

    @admin.display(description="Last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> SafeString | str:
        """How long ago."""
        return ago(worker.seen_at)

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
