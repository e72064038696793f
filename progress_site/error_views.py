"""Error pages: not permitted, not found, locked out, expired form."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import requires_csrf_token

from jobs.rules.formatting import MINUTE, format_duration
from progress_site.proxies import form_remedy


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403: the account may not see this."""
    return _page(request, "403.html", {}, status=403)


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404: no such page or object, or it is not visible to the account."""
    return _page(request, "404.html", {}, status=404)


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403: the form was not made by a page of this session; nothing was done."""
    context = {
        "remedy": form_remedy(request, reason),
        "no_cookie": reason == REASON_NO_CSRF_COOKIE,
        "again": request.path,
    }
    return _page(request, "csrf.html", context, status=403)


@requires_csrf_token
def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer 429 after too many wrong passwords, with the time to wait. The text is the same for unknown accounts."""
    seconds = _seconds_left(request, credentials)
    wait = format_duration(ceil(seconds / MINUTE) * MINUTE)
    page = _page(request, "locked_out.html", {"wait": wait, "again": request.path}, status=429)
    page.headers["Retry-After"] = str(seconds)
    return page


def _seconds_left(request: HttpRequest, credentials: dict[str, Any] | None) -> int:
    """Return the seconds until the last counted wrong password expires."""
    now, cool_off = timezone.now(), settings.AXES_COOLOFF_TIME
    tries = AxesProxyHandler.get_implementation().get_user_attempts(request, credentials)
    counted = [attempts.aggregate(last=Max("attempt_time"))["last"] or now for attempts in tries]
    left: timedelta = max(counted, default=now) + cool_off - now
    return max(1, ceil(left.total_seconds()))


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int) -> HttpResponse:
    return render(request, template, {**admin.site.each_context(request), **context}, status=status)
