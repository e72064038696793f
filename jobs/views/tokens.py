"""Issuing a token: the secret is on the page that answers the form, and nowhere else ever again."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from jobs import tokens
from jobs.errors import Refused
from jobs.forms import TokenForm
from jobs.views.pages import forbidden, page

NEEDED = "To issue tokens an account needs the permission jobs.manage_tokens (role lead)."


@never_cache
def issue_token(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The form, and after it the secret."""
    if not request.user.has_perm("jobs.manage_tokens"):
        return forbidden(request, site, NEEDED)
    form = TokenForm(request.POST or None)
    secret = _issue(request, form) if request.method == "POST" and form.is_valid() else ""
    context = {"title": "Issue a token", "form": form, "secret": secret}
    return page(request, site, "jobs/token.html", context)


def _issue(request: HttpRequest, form: TokenForm) -> str:
    """The secret; empty where the form has an error to show."""
    assert isinstance(request.user, User)
    answers = form.cleaned_data
    try:
        return tokens.issue(
            answers["account"],
            roles=[answers["role"]],
            projects=answers["projects"] or None,
            days=answers["days"],
            by=request.user,
        )
    except Refused as error:
        form.add_error(None, error.detail)
        return ""
