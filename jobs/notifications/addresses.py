"""Addresses of Apprise: which are accepted, and the form of them that may be shown.

Apprise is imported when the first address is used: it takes 0.4 s and 30 MiB, which a site without channels need not
spend.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from jobs.outbox.url_policy import is_allowed
from jobs.rules.errors import BadInput
from jobs.rules.limits import URL_LENGTH

# They reach the machine of the server, its files, its desktop or its devices, or hand the message to another Apprise.
LOCAL = frozenset(
    (
        "apprise",
        "apprises",
        "blink1",
        "dbus",
        "dbus+glib",
        "file",
        "gio",
        "glib",
        "gnome",
        "growl",
        "kde",
        "macosx",
        "qt",
        "syslog",
        "vapid",
        "windows",
    )
)
# Parameters that name files of the server, or addresses that Apprise would read.
FILES = frozenset(("attach", "keyfile", "subfile", "pgp", "pgpkey", "pgppub", "pgpprv", "file_url"))
# The host of these is the receiver's; that of all others may be a token or a secret topic.
SHOWS_HOST = frozenset(("json", "jsons", "xml", "xmls", "form", "forms"))
SCHEME = re.compile(r"^([a-z0-9][a-z0-9+.-]{1,30})://", re.IGNORECASE)
_loading = Lock()
EXAMPLE = "Enter an Apprise address, such as slack://… or mailto://…"


def check_address(address: str) -> str:
    """Return an accepted address without white space at its ends; BadInput says what to enter."""
    text = address.strip()
    scheme = scheme_of(text)
    if not scheme or len(text) > URL_LENGTH or not text.isprintable() or re.search(r"\s", text):
        raise BadInput({"address": f"{EXAMPLE}, in one line without spaces."})
    if scheme in LOCAL:
        raise BadInput({"address": f"Enter another service; {scheme}:// would reach the machine of this site."})
    if files := FILES & set(parameters(text)):
        raise BadInput({"address": f"Remove the parameter {min(files)}, which names a file of this site's machine."})
    _check_host(text)
    service = instantiate(text)
    if service is None:
        raise BadInput({"address": f"{EXAMPLE} Apprise does not accept this one; see its documentation."})
    if _reads_files(service):
        raise BadInput({"address": "Remove the parameter that names a file of this site's machine."})
    return text


def masked(address: str) -> str:
    """Return the service, and the host only where it is no secret: `slack://…`, `json://receiver.example/…`."""
    scheme = scheme_of(address)
    host = _host(address) if scheme in SHOWS_HOST else ""
    return f"{scheme}://{host}/…" if host else f"{scheme}://…"


def secrets_in(address: str) -> list[str]:
    """Return the parts of an address that no text may contain, the longest first."""
    parts = [address, address.partition("://")[2], *address.split("\n")]
    split = _split(address)
    if split is not None:
        parts += [split.username or "", split.password or "", *split.path.split("/"), split.path, split.query]
        parts += [value for _, value in parse_qsl(split.query)]
        parts += [] if scheme_of(address) in SHOWS_HOST else re.split(r"[@:]", split.netloc)
    found = {form for part in parts for form in (part, unquote(part)) if len(form) > 3}
    return sorted(found, key=len, reverse=True)


def without_secrets(text: str, address: str) -> str:
    """Return the text with every part of the address replaced by …"""
    for secret in secrets_in(address):
        text = re.sub(re.escape(secret), "…", text, flags=re.IGNORECASE)
    return text


def instantiate(address: str) -> Any:
    """Return the service of an address; None where Apprise does not accept it."""
    return library().Apprise.instantiate(address, asset=_asset())


def library() -> Any:
    """Return Apprise, imported by one thread: two that load its plugins at once block each other."""
    with _loading:
        return _loaded()


@cache
def _loaded() -> Any:
    """Import Apprise with its plugins, and keep its log apart, because it may contain addresses."""
    logger = logging.getLogger("apprise")
    logger.addFilter(collector)
    logger.setLevel(logging.DEBUG)
    found = import_module("apprise")
    found.Apprise.instantiate("json://localhost")  # the first address loads all plugins
    return found


class Collector(logging.Filter):
    """Filter that keeps what Apprise logs within `listening`. No line reaches a handler."""

    def __init__(self) -> None:
        super().__init__()
        self._records: ContextVar[list[str] | None] = ContextVar("log_of_apprise", default=None)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line, and drop the record."""
        lines = self._records.get()
        if lines is not None:
            lines.append(record.getMessage())
        return False

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Collect the lines about one message."""
        lines: list[str] = []
        token = self._records.set(lines)
        try:
            yield lines
        finally:
            self._records.reset(token)


collector = Collector()


@cache
def _asset() -> Any:
    """Return settings of Apprise: no plugins of its user, no files, no redirects, no secrets in its log."""
    return library().AppriseAsset(
        app_id="Progress Site",
        app_desc="Progress Site",
        plugin_paths=None,
        storage_mode="memory",
        secure_logging=True,
        http_redirects=False,
        async_mode=False,
        service_timeout=0,
        allow_templates=False,
    )


def scheme_of(address: str) -> str:
    """Return the scheme in lower case; empty for a text without one."""
    found = SCHEME.match(address)
    return found[1].lower() if found else ""


def parameters(address: str) -> list[str]:
    """Return the names of the parameters in lower case; Apprise marks some by a first +, - or :."""
    query = address.partition("?")[2]
    return [name.strip().lstrip("+-:").lower() for name, _ in parse_qsl(query, keep_blank_values=True)]


def _reads_files(service: Any) -> bool:
    """Return whether a value of the service is an attachment: a template or key that Apprise would read from a file."""
    attachment = library().AppriseAttachment
    return any(isinstance(value, attachment) and len(value) for value in vars(service).values())


def _check_host(address: str) -> None:
    """Refuse a host that is an address of a private network, or localhost; names are checked at each connection."""
    host = _host(address)
    written = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    with suppress(OSError, UnicodeError):
        written = socket.inet_ntoa(socket.inet_aton(written)) if "." in written else written
    with suppress(ValueError):
        ipaddress.ip_address(written.partition("%")[0])
        if not is_allowed(written):
            raise BadInput({"address": "Enter an address on a public host; this one is not public."})


def _host(address: str) -> str:
    split = _split(address)
    return (split.hostname or "") if split is not None else ""


def _split(address: str) -> Any:
    with suppress(ValueError):
        return urlsplit(address)
    return None
