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


def client_address(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Return the address of the client.

    X-Forwarded-For is read only if the connection comes from one of TRUSTED_PROXIES. It is read from its end up to the
    first address that is not a trusted proxy: the client itself may have written everything before that.
    """
    address = connected_address(request)
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        further = _address(hop)
        if address is None or further is None or not _is_trusted(address):
            break
        address = further
    return address


def connected_address(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Return the address that the connection comes from: the client, or the last proxy."""
    return _address(request.META.get("REMOTE_ADDR", ""))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)
