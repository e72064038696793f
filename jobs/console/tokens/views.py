"""The pages that issue, rotate and revoke tokens. A secret is shown once, in the response to the form."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from knox.models import AuthToken

from jobs.api import tokens
from jobs.console.base import forbidden_page, render_page
from jobs.console.confirm_view import ConfirmView
from jobs.console.tokens.forms import RotateForm, TokenForm
from jobs.models import TokenUse, Worker
from jobs.models.jobs import projects_of
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

NEEDED = "To issue, rotate or revoke tokens, your account needs the permission jobs.manage_tokens (role lead)."
LEAST_DIGEST, MOST_AT_ONCE, WORKERS_NAMED = 12, 50, 5


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token with its permissions, its last use, and the workers that use its account."""

    token: AuthToken
    roles: str
    projects: str
    used_at: datetime | None
    workers: list[Worker]


@never_cache
def issue_token(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Issue a token."""
    if not request.user.has_perm("jobs.manage_tokens"):
        return forbidden_page(request, site, NEEDED)
    form = TokenForm(request.POST or None)
    secret = _issue(request, form) if request.method == "POST" and form.is_valid() else ""
    if secret:
        return _secret_page(request, site, form.cleaned_data["account"], secret, title="Issue a token")
    return render_page(request, site, "jobs/tokens/issue.html", {"title": "Issue a token", "form": form})


class _TokensView(ConfirmView):
    """A confirmation page on tokens: `?token=…&token=…`, the first characters of their digests."""

    template = "jobs/tokens/confirm.html"
    home = "admin:knox_authtoken_changelist"
    not_found = "There is no such token, or it is not visible to you. It may have expired."
    most = MOST_AT_ONCE

    tokens: list[AuthToken]

    def missing_permission(self) -> str:
        """Check the permission to manage tokens."""
        return "" if self.user.has_perm("jobs.manage_tokens") else NEEDED

    def find(self) -> bool:
        """Find the tokens that the account may manage, the newest first."""
        given = self.request.GET.getlist("token")[: self.most]
        digests = [text for text in given if len(text) >= LEAST_DIGEST and text.isalnum()]
        reach = tokens.in_reach_of(self.user).order_by("-created")
        found: QuerySet[AuthToken] = reach.none()
        for digest in digests:
            found = found | reach.filter(digest__startswith=digest)
        self.tokens = list(found.prefetch_related("user__groups", "user__memberships")[: self.most])
        return bool(self.tokens)


class RotateTokenView(_TokensView):
    """The confirmation page before a token gets a new secret."""

    form_class = RotateForm
    shows_secret = True
    most = 1

    def context(self) -> dict[str, Any]:
        """Describe the token."""
        title = f"Rotate the token of {self.tokens[0].user.get_username()}"
        return {"title": title, "rows": _rows(self.tokens, projects_of(self.user)), "button": "Rotate the token"}

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Show the new secret; show the form again where the rotation is refused."""
        [token] = self.tokens
        grace, reason = timedelta(hours=int(form.cleaned_data["grace"])), form.cleaned_data["reason"]
        try:
            secret = tokens.rotate(token, grace=grace, by=self.user, reason=reason)
        except Refused as error:
            form.add_error(None, error.detail)
            return self.page(form)
        account = token.user.get_username()
        return _secret_page(self.request, self.site, account, secret, title=f"Rotate the token of {account}")


class RevokeTokensView(_TokensView):
    """The confirmation page before tokens end."""

    grave = True
    shows_secret = True

    def context(self) -> dict[str, Any]:
        """Describe the tokens."""
        label = f"Revoke {pluralize(len(self.tokens), 'token')}"
        return {"title": label, "rows": _rows(self.tokens, projects_of(self.user)), "button": label, "ends": True}

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Revoke each token on its own."""
        done = 0
        for token in self.tokens:
            try:
                tokens.revoke(token, by=self.user, reason=form.cleaned_data["reason"])
                done += 1
            except Refused as error:
                messages.error(self.request, error.detail)
        messages.success(self.request, f"{pluralize(done, 'token')} revoked.")
        return self.go_back()


def _secret_page(request: HttpRequest, site: AdminSite, account: str, secret: str, *, title: str) -> HttpResponse:
    context = {"title": title, "account": account, "secret": secret}
    return render_page(request, site, "jobs/tokens/secret.html", context)


def _rows(found: list[AuthToken], projects: Collection[str] | None) -> list[TokenRow]:
    uses = dict(TokenUse.objects.filter(token__in=found).values_list("token_id", "used_at"))
    workers: dict[int | None, list[Worker]] = {token.user_id: [] for token in found}
    own = Worker.objects.within(projects).filter(account__in=workers)
    for worker in own.order_by("-seen_at")[: WORKERS_NAMED * MOST_AT_ONCE]:
        workers[worker.account_id].append(worker)
    return [
        TokenRow(
            token=token,
            roles=", ".join(sorted(group.name for group in token.user.groups.all())) or "none",
            projects=", ".join(sorted(each.project for each in token.user.memberships.all())) or "every project",
            used_at=uses.get(token.pk),
            workers=workers[token.user_id][:WORKERS_NAMED],
        )
        for token in found
    ]


def _issue(request: HttpRequest, form: TokenForm) -> str:
    """Return the secret; empty where the form has an error to show."""
    assert isinstance(request.user, User)
    answers = form.cleaned_data
    try:
        return tokens.issue(
            answers["account"],
            roles=answers["role"],
            projects=answers["projects"] or None,
            days=answers["days"],
            by=request.user,
            reason=answers["reason"],
        )
    except Refused as error:
        form.add_error(None, error.detail)
        return ""
