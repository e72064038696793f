"""Middleware that leads an account to its second factor before any other page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode

from progress_site.rest.problems import CONTENT_TYPE, encoded, problem
from progress_site.session_security import API
from progress_site.sign_in.factors import is_missing

DETAIL = "This account needs a second factor. Sign in on the site and set one up. Tokens are not affected."
# Pages of the factors themselves, the ends of a session, and pages that everybody may see.
OPEN = ("login", "logout", "badge", "api-schema", "api-docs", "company-sign-in", "company-callback")
OF_FACTORS = ("mfa_", "account_")


class SecondFactorMiddleware:
    """Second factor of the roles in SECOND_FACTOR_ROLES, for sessions; calls with a token have none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Lead to the factor, or refuse a call with 403, while the session lacks it."""
        if not settings.SECOND_FACTOR_ROLES or not request.user.is_authenticated or _is_open(request):
            return None
        if not is_missing(request):
            return None
        if request.path_info.startswith(API):
            return HttpResponse(encoded(problem(403, detail=DETAIL)), status=403, content_type=CONTENT_TYPE)
        return HttpResponseRedirect(_way_to_factor(request))


def _way_to_factor(request: HttpRequest) -> str:
    """Return the page that asks for a factor of the account, or the set-up where it has none."""
    methods = get_adapter().get_reauthentication_methods(request.user)
    ways = [method["url"] for method in methods if method["id"].startswith("mfa")]
    return f"{ways[0]}?{urlencode({'next': request.get_full_path()})}" if ways else reverse("mfa_index")


def _is_open(request: HttpRequest) -> bool:
    name = (request.resolver_match and request.resolver_match.url_name) or ""
    return name in OPEN or name.startswith(OF_FACTORS)
