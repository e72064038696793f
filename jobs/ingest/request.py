"""Requests that the lean path takes: their address, and their headers."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from jobs.api import worker_calls
from jobs.api.worker_calls import WorkerCall

PHASE = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
ADDRESS = re.compile(rf"/api/v1/(?:claim|jobs/([0-9]{{1,15}})/(?:(heartbeat)|phases/({PHASE})/([a-z]+)))")
OF_PHASE = {
    "report": worker_calls.REPORT,
    "claim": worker_calls.CLAIM,
    "count": worker_calls.COUNT,
    "announce": worker_calls.ANNOUNCE,
}
BEARER = re.compile(rb"[Bb]earer +([!-~]{16,256})")
CONTENT_TYPES = (b"application/json", b"application/json; charset=utf-8")
ACCEPTED = (None, b"*/*", b"application/json", b"application/json, */*", b"application/json, text/plain, */*")
# With one of these headers the request is not an ordinary one of a worker.
UNUSUAL = frozenset((b"cookie", b"transfer-encoding", b"content-encoding", b"sec-fetch-mode", b"expect"))

Headers = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Address:
    """A kind of call, and the job and phase that its address names."""

    kind: WorkerCall
    job_id: int = 0
    code: str = ""


def address_of(scope: dict[str, Any]) -> Address | None:
    """Return the call at this address, None for other requests."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    match = ADDRESS.fullmatch(scope["path"])
    if match is None:
        return None
    job_id, heartbeat, code, verb = match.groups()
    if job_id is None:
        return Address(worker_calls.CLAIM_ANY)
    kind = worker_calls.HEARTBEAT if heartbeat else OF_PHASE.get(verb)
    return Address(kind, int(job_id), code or "") if kind else None


class OrdinaryHeaders:
    """The headers of an ordinary worker: a bearer token and a JSON body of a given length, for a host of the site."""

    def __init__(self) -> None:
        self._served: dict[bytes, bool] = {}

    def read(self, scope: dict[str, Any]) -> Headers | None:
        """Return the headers by their names; None where the request is not an ordinary one."""
        headers: Headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if (
            len(headers) == len(scope["headers"])  # else one of them comes twice
            and UNUSUAL.isdisjoint(headers)
            and headers.get(b"content-type", b"").lower() in CONTENT_TYPES
            and headers.get(b"accept") in ACCEPTED
            and length.isdigit()
            and int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            and self._is_served(headers.get(b"host", b""))
        ):
            return headers
        return None

    def _is_served(self, host: bytes) -> bool:
        if host not in self._served:
            if len(self._served) > 1000:
                self._served.clear()
            self._served[host] = is_served(host.decode("latin-1"), settings.ALLOWED_HOSTS)
        return self._served[host]


def is_served(host: str, allowed: Collection[str]) -> bool:
    """Return whether this Host header names a host of the site."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def secret_of(headers: Headers) -> str:
    """Return the bearer token; empty without one."""
    match = BEARER.fullmatch(headers.get(b"authorization", b""))
    return match[1].decode("ascii") if match else ""
