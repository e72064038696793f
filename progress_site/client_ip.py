"""IP address of the client, for the log and for counting wrong passwords."""

from __future__ import annotations

from ipaddress import IPv6Address

import structlog
from django.http import HttpRequest
from django_structlog.middlewares.request import RequestMiddleware

from progress_site.forwarded_headers import Address, address_of

# A machine usually has all addresses of an IPv6 network of this size.
CLIENT_PREFIX = 64


class LogMiddleware(RequestMiddleware):
    """Log line of each request, with the client's address."""

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """Bind `ip` to every log line of this request."""
        address = client_address(request)
        structlog.contextvars.bind_contextvars(ip=str(address) if address else None)


def client_network(request: HttpRequest) -> str | None:
    """Return the network of the client for counting wrong passwords: an IPv4 address, or the network of an IPv6
    address."""
    address = client_address(request)
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> CLIENT_PREFIX << CLIENT_PREFIX))
    return str(address) if address else None


def client_address(request: HttpRequest) -> Address | None:
    """Return the address of the client; progress_site.forwarded_headers has read it from a trusted proxy."""
    return address_of(request.META.get("REMOTE_ADDR", ""))
