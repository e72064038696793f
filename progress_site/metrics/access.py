"""Access to the metrics: a token, networks, or both; by default neither, without the names of projects."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from progress_site.client_ip import client_address

FORWARDED = ("Forwarded", "X-Real-IP")  # progress_site.forwarded_headers has read X-Forwarded-For


def is_restricted() -> bool:
    """Return whether a token or a network is needed. Only then the metrics name projects."""
    return bool(settings.METRICS_TOKEN or settings.METRICS_NETWORKS)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Return the refusal of a request that lacks the token or comes from another network; None where it may read."""
    if settings.METRICS_NETWORKS and not _is_inside(request):
        return HttpResponse("Ask from a network in METRICS_NETWORKS.\n", status=403, content_type="text/plain")
    if settings.METRICS_TOKEN and not _has_token(request):
        text, headers = "Send the header Authorization: Bearer METRICS_TOKEN.\n", {"WWW-Authenticate": "Bearer"}
        return HttpResponse(text, status=401, content_type="text/plain", headers=headers)
    return None


def _has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(given.strip(), settings.METRICS_TOKEN)


def _is_inside(request: HttpRequest) -> bool:
    """Return whether the client is in one of the networks.

    A proxy that is not trusted may forward anybody, so its own address says nothing.
    """
    address, scope = client_address(request), getattr(request, "scope", {})
    is_forwarded = scope.get("is_forwarded")
    if scope.get("untrusted_proxy") or is_forwarded is False or address is None:
        return False
    if is_forwarded is None and any(name in request.headers for name in FORWARDED):
        return False
    return any(address in network for network in settings.METRICS_NETWORKS)
