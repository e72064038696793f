"""The policy for webhook addresses: public hosts over HTTPS, and private ones where they are allowed.

A host is resolved once; the request goes to exactly the address that was checked.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from jobs.rules.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")
# Not for hosts of the internet, although some versions of Python call them global: protocol assignments, 6to4 relays,
# AS112, documentation.
SPECIAL = [
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
PLAIN_HTTP = "Plain http is for private addresses, where WEBHOOK_ALLOW_PRIVATE allows them."
PORTS = {"http": 80, "https": 443}


class Unreachable(Exception):
    """The host has no usable address; the message says why."""


def check_url(url: str) -> SplitResult:
    """Return the parts of a valid webhook URL; BadInput names the error."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadInput({"url": "Enter a valid URL."}) from error
    if parts.scheme not in ("https", "http") or not host or port == 0 or not url.isascii() or not url.isprintable():
        raise BadInput({"url": "Enter a URL such as https://host/path, or amqp for the broker."})
    if parts.scheme != "https" and not (settings.DEBUG or settings.WEBHOOK_ALLOW_PRIVATE):
        raise BadInput({"url": f"Enter an https URL. {PLAIN_HTTP}"})
    if parts.username is not None or parts.fragment or " " in url:
        raise BadInput({"url": "Enter a URL without user, password, fragment or space."})
    _check_literal(host, plain=parts.scheme == "http")
    return parts


def check_address(url: SplitResult, address: str) -> None:
    """Raise Unreachable where events would cross the internet without encryption."""
    if url.scheme == "http" and not settings.DEBUG and is_public(address):
        raise Unreachable(f"The host {url.hostname} has the public address {address}. {PLAIN_HTTP}")


def resolve(host: str, port: int) -> str:
    """Return the first address of a host; Unreachable if it has none, or one that is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The host {host} cannot be resolved.") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    private = [address for address in addresses if not is_allowed(address)]
    if private or not addresses:
        raise Unreachable(f"The host {host} has the address {', '.join(private)}, which is not public.")
    return addresses[0]


def is_allowed(address: str) -> bool:
    """Return whether a webhook may be sent there. WEBHOOK_ALLOW_PRIVATE allows addresses of the private network."""
    return bool(settings.WEBHOOK_ALLOW_PRIVATE) or is_public(address)


def is_public(address: str) -> bool:
    """Return whether this is an address of the public internet; an IPv4 address within IPv6 counts as itself."""
    try:
        outer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(map(_is_of_internet, _unwrapped(outer)))


def _is_of_internet(address: Address) -> bool:
    """Check one address. Python calls unknown addresses global, but of IPv6 only 2000::/3 is assigned to hosts."""
    if address.version == 6 and address not in UNICAST:
        return False
    special = any(address in network for network in SPECIAL if network.version == address.version)
    return address.is_global and not (address.is_multicast or address.is_reserved or special)


def _unwrapped(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour:
        return [address, address.sixtofour]
    return [address]


def _check_literal(host: str, *, plain: bool) -> None:
    """Check a host that is an address, also in the older forms 127.1, 0x7f000001 and 2130706433."""
    written = host.partition("%")[0]
    with suppress(OSError):
        written = socket.inet_ntoa(socket.inet_aton(host))
    with suppress(ValueError):
        ipaddress.ip_address(written)
        if not is_allowed(written):
            raise BadInput({"url": "Enter a public address; this one is not public."})
        if plain and not settings.DEBUG and is_public(written):
            raise BadInput({"url": f"Enter an https URL. {PLAIN_HTTP}"})
