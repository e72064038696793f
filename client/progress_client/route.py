"""Route to a server: proxy and certificate authority, from arguments and the usual environment variables."""

from __future__ import annotations

import http.client
import os
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Union
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from progress_client.errors import ProgressError

Certificates = Union[Path, str, None]


class Route:
    """Opens connections to one server, directly or through the proxy of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.

    `ca` is a file or folder with certificates of authorities that are trusted beside those of the system.
    """

    def __init__(self, server: SplitResult, *, ca: Certificates = None) -> None:
        self._netloc, self._secure = server.netloc, server.scheme == "https"
        self._proxy = _proxy_for(server)
        self._tls = _trust(ca) if self._secure else None
        self.through = f" through the proxy {_place(self._proxy)}" if self._proxy else ""
        # A request to a proxy names the server; in a tunnel, and without a proxy, it does not.
        self.prefix = f"http://{self._netloc}" if self._proxy and not self._secure else ""
        self.headers = _credentials(self._proxy) if self.prefix else {}

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """Create a connection that is not open yet."""
        netloc = _place(self._proxy) if self._proxy else self._netloc
        if not self._tls:
            return http.client.HTTPConnection(netloc, timeout=timeout)
        made = http.client.HTTPSConnection(netloc, timeout=timeout, context=self._tls)
        if self._proxy:
            made.set_tunnel(self._netloc, headers=_credentials(self._proxy))
        return made


def _proxy_for(server: SplitResult) -> SplitResult | None:
    """Return the proxy of a server; ProgressError if it is not an HTTP proxy."""
    address = getproxies().get(server.scheme)
    if not address or proxy_bypass(server.netloc.rpartition("@")[2]):
        return None
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    if proxy.scheme != "http" or not proxy.hostname:
        name = f"{server.scheme.upper()}_PROXY"
        raise ProgressError(
            f"{name} must be an HTTP proxy, such as http://proxy.example:3128; {proxy.scheme}:// is not supported."
            f" Correct it, or add {server.hostname} to NO_PROXY."
        )
    return proxy


def _place(proxy: SplitResult) -> str:
    """Return host and port, without the password."""
    return proxy.netloc.rpartition("@")[2]


def _credentials(proxy: SplitResult | None) -> dict[str, str]:
    if proxy is None or proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _trust(ca: Certificates) -> ssl.SSLContext:
    """Create a context that trusts the system's authorities and `ca`; ProgressError if it cannot be read."""
    context = ssl.create_default_context()
    place = ca or os.environ.get("PROGRESS_CA")
    if place:
        path = Path(place).expanduser()
        try:
            context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
        except OSError as error:
            raise ProgressError(
                f"The certificates in {path} cannot be read ({error}). Set PROGRESS_CA or ca= to a PEM file."
            ) from error
    return context
