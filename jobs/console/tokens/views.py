"""Issuing, rotating and revoking tokens: a secret is on the page that answers the form, and nowhere else ever again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from knox.models import AuthToken

from jobs.api import tokens
from jobs.console.base import back_url, forbidden_page, not_found_page, render_page
from jobs.console.forms import ReasonForm, RotateForm, TokenForm
from jobs.models import TokenUse, Worker
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

NEEDED = "To issue, rotate or revoke tokens an account needs the permission jobs.manage_tokens (role lead)."
GONE = "There is no such token in your sight; it may have ended already."
LEAST_DIGEST, MOST_AT_ONCE, WORKERS_NAMED = 12, 50, 5


@dataclass(frozen=True, slots=True)
class Row:
    """A token as the pages that ask show it: what it may do, and who would notice that it ends."""

    token: AuthToken
    roles: str
    projects: str
    used_at: datetime | None
    workers: list[Worker]


@never_cache
def issue_token(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The form, and after it the secret."""
    if not request.user.has_perm("jobs.manage_tokens"):
        return forbidden_page(request, site, NEEDED)
    form = TokenForm(request.POST or None)
    secret = _issue(request, form) if request.method == "POST" and form.is_valid() else ""
    context = {"title": "Issue a token", "button": "Issue the token", "form": form, "secret": secret}
    context["account"] = form.cleaned_data["account"] if secret else ""
    return render_page(request, site, "jobs/token.html", context)


@never_cache
def rotate_token(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """`?token=`, the first characters of its digest: what would end, and after the form the new secret."""
    if not request.user.has_perm("jobs.manage_tokens"):
        return forbidden_page(request, site, NEEDED)
    found = _asked_for(request, most=1)
    if not found:
        return not_found_page(request, site, GONE)
    form, token = RotateForm(request.POST or None), found[0]
    secret = _rotate(request, form, token) if request.method == "POST" and form.is_valid() else ""
    context = {
        "title": f"Rotate the token of {token.user.get_username()}",
        "form": form,
        "secret": secret,
        "account": token.user.get_username(),
        "rows": [] if secret else _rows(found),
        "button": "Rotate the token",
    }
    return render_page(request, site, "jobs/token.html", context)


@never_cache
def revoke_tokens(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """`?token=…&token=…`: who would notice, and after the form they have ended."""
    if not request.user.has_perm("jobs.manage_tokens"):
        return forbidden_page(request, site, NEEDED)
    found = _asked_for(request, most=MOST_AT_ONCE)
    if not found:
        return not_found_page(request, site, GONE)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _revoke(request, found, reason=form.cleaned_data["reason"])
    context = {
        "title": f"Revoke {pluralize(len(found), 'token')}",
        "form": form,
        "rows": _rows(found),
        "button": f"Revoke {pluralize(len(found), 'token')}",
        "ends": True,
    }
    return render_page(request, site, "jobs/token.html", context)


def _asked_for(request: HttpRequest, *, most: int) -> list[AuthToken]:
    """The tokens of the address that are in reach, the newest first."""
    assert isinstance(request.user, User)
    begins = [text for text in request.GET.getlist("token")[:most] if len(text) >= LEAST_DIGEST and text.isalnum()]
    reach = tokens.in_reach_of(request.user).order_by("-created")
    found: QuerySet[AuthToken] = reach.none()
    for text in begins:
        found = found | reach.filter(digest__startswith=text)
    return list(found.prefetch_related("user__groups", "user__memberships")[:most])


def _rows(found: list[AuthToken]) -> list[Row]:
    uses = dict(TokenUse.objects.filter(token__in=found).values_list("token_id", "used_at"))
    accounts = {token.user_id for token in found}
    heard: dict[int | None, list[Worker]] = {account: [] for account in accounts}
    for worker in Worker.objects.filter(account__in=accounts).order_by("-seen_at")[: WORKERS_NAMED * MOST_AT_ONCE]:
        heard[worker.account_id].append(worker)
    return [
        Row(
            token=token,
            roles=", ".join(sorted(group.name for group in token.user.groups.all())) or "none",
            projects=", ".join(sorted(each.project for each in token.user.memberships.all())) or "every project",
            used_at=uses.get(token.pk),
            workers=heard[token.user_id][:WORKERS_NAMED],
        )
        for token in found
    ]


def _issue(request: HttpRequest, form: TokenForm) -> str:
    """The secret; empty where the form has an error to show."""
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


def _rotate(request: HttpRequest, form: RotateForm, token: AuthToken) -> str:
    """The new secret; empty where the form has an error to show."""
    assert isinstance(request.user, User)
    answers = form.cleaned_data
    try:
        return tokens.rotate(
            token, grace=timedelta(hours=int(answers["grace"])), by=request.user, reason=answers["reason"]
        )
    except Refused as error:
        form.add_error(None, error.detail)
        return ""


def _revoke(request: HttpRequest, found: list[AuthToken], *, reason: str) -> HttpResponse:
    assert isinstance(request.user, User)
    done = 0
    for token in found:
        try:
            tokens.revoke(token, by=request.user, reason=reason)
            done += 1
        except Refused as error:
            messages.error(request, error.detail)
    messages.success(request, f"{pluralize(done, 'token')} revoked.")
    return HttpResponseRedirect(back_url(request, otherwise=reverse("admin:knox_authtoken_changelist")))
