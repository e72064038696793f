"""Middlewares that protect the session of an operator: security headers, and the age of a session."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

Respond = Callable[[HttpRequest], HttpResponseBase]

FEATURES = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in FEATURES)
API = "/api/"
EXTENDED_AT = "extended_at"
EXTENDED_EVERY = 600


class HeadersMiddleware:
    """Security headers: private caches only, no unused browser features, no use by pages of other sites.

    Headers that a response has already stay as they are.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if "Cache-Control" not in response.headers:
            _keep_private(request, response)
        return response


def _keep_private(request: HttpRequest, response: HttpResponseBase) -> None:
    """Forbid shared caches. An API client may keep a response with its ETag; a page is never stored."""
    if request.path_info.startswith(API):
        patch_cache_control(response, private=True, no_cache=True)
    else:
        patch_cache_control(response, private=True, no_store=True)


class SessionAgeMiddleware:
    """End of a session SESSION_HOURS after the last page that its operator opened.

    Requests that a page sends by itself do not count: a page left open would otherwise keep the session alive forever.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.headers.get("Sec-Fetch-Mode") == "navigate" and request.user.is_authenticated:
            self._extend(request)
        return response

    def _extend(self, request: HttpRequest) -> None:
        """Extend the session, at most once in ten minutes, because each extension writes to the database."""
        now = int(time.time())
        if now - request.session.get(EXTENDED_AT, 0) >= EXTENDED_EVERY:
            request.session[EXTENDED_AT] = now
