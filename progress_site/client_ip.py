"""IP address of the client behind trusted proxies, for the log and for counting wrong passwords."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog
from django.conf import settings
from django.http import HttpRequest
from django_structlog.middlewares.request import RequestMiddleware

# A machine usually has all addresses of an IPv6 network of this size.
CLIENT_PREFIX = 64


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
