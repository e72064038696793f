"""The list of tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from knox.models import AuthToken

from jobs.api import tokens
from jobs.api.tokens import DIGEST_SHOWN
from jobs.console.admin.action_mixin import confirm_selected
from jobs.console.admin.lists import ReadOnlyAdmin
from jobs.console.templatetags.progress_pages import ago, clock
from jobs.console.tokens.views import MOST_AT_ONCE
from jobs.rules.formatting import DASH

EVERY_PROJECT = "every project"

admin.site.unregister(AuthToken)


def roles_of(token: AuthToken) -> list[str]:
    """Return the groups of the account."""
    return sorted(group.name for group in token.user.groups.all())


def projects_of(token: AuthToken) -> list[str]:
    """Return the projects that limit the account."""
    return sorted(membership.project for membership in token.user.memberships.all())


@admin.action(description="Revoke…", permissions=["view"])
def revoke(model_admin: admin.ModelAdmin, request: HttpRequest, queryset: QuerySet[AuthToken]) -> HttpResponse:
    """Open the confirmation page."""
    digests = queryset.annotate(begins=Left("digest", DIGEST_SHOWN)).values_list("begins", flat=True)
    return confirm_selected(request, digests, most=MOST_AT_ONCE, page="admin:tokens-revoke", name="token")


@admin.register(AuthToken)
class TokenAdmin(ReadOnlyAdmin):
    """Tokens with their account, permissions, expiry and last use."""

    when_empty = "No token yet. A worker sends one with each call. A lead issues it for an account."
    list_display = ("begins", "user", "roles", "projects", "issued", "expires", "last_use", "act")
    list_display_links = None
    noun_one, noun_many = "token", "tokens"
    search_fields = ("user__username",)
    search_help_text = "Part of an account's name"
    ordering = ("-created",)
    fields = readonly_fields = ("begins", "user", "roles", "projects", "issued", "expires", "last_use")
    change_list_template = "jobs/tokens/token_list.html"
    actions = (revoke,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuthToken]:
        """Return the tokens that this account may manage."""
        reach = tokens.in_reach_of(request.user)  # type: ignore[arg-type]
        return reach.select_related("use").prefetch_related("user__groups", "user__memberships").order_by("-created")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the list to accounts that manage tokens."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Check the permission of this site, not that of the library."""
        return request.user.has_perm("jobs.manage_tokens")

    @admin.display(description="Token")
    def begins(self, token: AuthToken) -> str:
        """The first characters of the digest, as in the output of the command."""
        return token.digest[:DIGEST_SHOWN]

    @admin.display(description="Roles")
    def roles(self, token: AuthToken) -> str:
        """The groups of the account."""
        return ", ".join(roles_of(token)) or DASH

    @admin.display(description="Projects")
    def projects(self, token: AuthToken) -> str:
        """The projects that limit the account."""
        return ", ".join(projects_of(token)) or EVERY_PROJECT

    @admin.display(description="Issued", ordering="created")
    def issued(self, token: AuthToken) -> SafeString | str:
        """The time of issue."""
        return clock(token.created)

    @admin.display(description="Expires", ordering="expiry")
    def expires(self, token: AuthToken) -> SafeString | str:
        """The expiry."""
        return clock(token.expiry, missing="no expiry")

    @admin.display(description="Last used")
    def last_use(self, token: AuthToken) -> SafeString | str:
        """The time of the last use, to the minute."""
        return ago(token.use.used_at) if hasattr(token, "use") else "never"

    @admin.display(description="Act")
    def act(self, token: AuthToken) -> SafeString:
        """The buttons that rotate and revoke."""
        query = urlencode({"token": token.digest[:DIGEST_SHOWN]})
        return format_html(
            '<a class="act" href="{0}?{2}">Rotate…</a> <a class="act grave" href="{1}?{2}">Revoke…</a>',
            reverse("admin:token-rotate"),
            reverse("admin:tokens-revoke"),
            query,
        )
