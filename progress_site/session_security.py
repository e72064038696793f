"""What protects the session of an operator: headers of every answer, the age of a session, whose sign-in it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from django_structlog.middlewares.request import RequestMiddleware

Respond = Callable[[HttpRequest], HttpResponseBase]

FEATURES = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in FEATURES)
API = "/api/"
EXTENDED_AT = "extended_at"
EXTENDED_EVERY = 600
CLIENT_PREFIX = 64


class HeadersMiddleware:
    """No answer stays in a cache that others can read, no page has features that it does not use, and no page of
    another site gets at ours. What an answer says of itself stays."""

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
    """A program may keep an answer of the API with its ETag; a page is kept nowhere."""
    if request.path.startswith(API):
        patch_cache_control(response, private=True, no_cache=True)
    else:
        patch_cache_control(response, private=True, no_store=True)


class SessionAgeMiddleware:
    """A session ends SESSION_HOURS after the last page that somebody opened. What a page asks for by itself does
    not count, so that one left open on a screen does not keep its operator signed in for ever."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.headers.get("Sec-Fetch-Mode") == "navigate" and request.user.is_authenticated:
            self._extend(request)
        return response

    def _extend(self, request: HttpRequest) -> None:
        """Written at most once in ten minutes: each time is a write to the database."""
        now = int(time.time())
        if now - request.session.get(EXTENDED_AT, 0) >= EXTENDED_EVERY:
            request.session[EXTENDED_AT] = now


class LogMiddleware(RequestMiddleware):
    """A line in the log for each request, with the address that the count of wrong passwords believes, too."""

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """`ip` in every line of this request."""
        address = client_address(request)
        structlog.contextvars.bind_contextvars(ip=str(address) if address else None)


def client_network(request: HttpRequest) -> str | None:
    """Where a request comes from, for counting wrong passwords: an IPv4 address, or the network of an IPv6 one, of
    which a single machine has all addresses."""
    address = client_address(request)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> CLIENT_PREFIX << CLIENT_PREFIX))
    return str(address) if address else None


def client_address(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """The address that a request comes from.

    X-Forwarded-For is read only where the connection comes from one of TRUSTED_PROXIES, and from its end, up to the
    first address that is none of them: what stands before that was written by the client itself.
    """
    address = _address(request.META.get("REMOTE_ADDR", ""))
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        further = _address(hop)
        if address is None or further is None or not _is_trusted(address):
            break
        address = further
    return address


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)
