"""Errors under /api/ as problem+json, whatever raised them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, Throttled, ValidationError

from jobs.rules.errors import BadInput, Refused
from progress_site.proxies import refused_host
from progress_site.rest.problems import CONTENT_TYPE, RETRY_AFTER_SECONDS, encoded, problem

log = structlog.get_logger(__name__)

UNAVAILABLE = (OperationalError, InterfaceError)
ROOT = "/api/"
RETRY = {"Retry-After": str(RETRY_AFTER_SECONDS)}


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Return the problem for an exception of a view; None for a defect."""
    body = _body(error)
    if body is None:
        return None
    if body["status"] == 503:
        log.error("database_unavailable", why=str(error).partition("\n")[0], exc_info=error)
    return _response(body, headers=_headers(error))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a failed page or middleware: 503 if the database failed, else 500."""
    body = problem(503 if isinstance(sys.exc_info()[1], UNAVAILABLE) else 500)
    if request.path_info.startswith(ROOT):
        return _response(body)
    if body["status"] == 503:
        again = {"again": request.method in ("GET", "HEAD"), "seconds": RETRY_AFTER_SECONDS}
        return HttpResponse(render_to_string("503.html", again), status=503, headers=RETRY)
    return HttpResponse(render_to_string("500.html"), status=500)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that cannot be served, such as one for a host that is missing in ALLOWED_HOSTS."""
    host = refused_host(request) if isinstance(exception, DisallowedHost) else ""
    if request.path_info.startswith(ROOT):
        return _response(_unserved(host))
    return HttpResponse(render_to_string("400.html", {"host": host}), status=400)


class ProblemMiddleware:
    """Middleware that turns errors outside of the views into problems: unknown addresses, refused hosts, defects."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path_info.startswith(ROOT):
            return response
        if response.headers.get("Content-Type", "").startswith(CONTENT_TYPE):
            return response
        kept = {name: value for name, value in response.items() if not name.startswith("Content-")}
        return _response(_unhandled(request, response.status_code), headers=kept)


def _unhandled(request: HttpRequest, status: int) -> dict[str, Any]:
    """Return the problem of an answer that no view gave."""
    if status != 400:
        return problem(status)
    try:
        request.get_host()
    except DisallowedHost:
        return _unserved(refused_host(request))
    return _unserved()


def _unserved(host: str = "") -> dict[str, Any]:
    """Return the problem of a request that was refused before its body was read: for its host, or for its form.

    It has codes of its own, because it says nothing about the body. A client may try again once the host or the proxy
    is configured.
    """
    if host:
        return problem(400, detail=f"The host {host} is not served. Add it to ALLOWED_HOSTS.", code="host_not_allowed")
    return problem(400, code="malformed_request")


def _response(body: dict[str, Any], *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    content = encoded(body)
    sized = {**(headers or {}), "Content-Length": str(len(content))}
    return HttpResponse(content, status=body["status"], headers=sized, content_type=CONTENT_TYPE)


def _body(error: Exception) -> dict[str, Any] | None:
    if isinstance(error, BadInput):
        return problem(error.status, detail=error.detail, code=error.code, errors=error.errors)
    if isinstance(error, Refused):
        return problem(error.status, detail=error.detail, code=error.code)
    if isinstance(error, ValidationError):
        errors = list(_fields(error.detail))
        return problem(400, detail="; ".join(f"{name}: {text}" for name, text in errors), errors=errors)
    if isinstance(error, APIException):
        return problem(error.status_code, detail=str(error.detail), code=_code(error))
    return _body_of_django(error)


def _body_of_django(error: Exception) -> dict[str, Any] | None:
    for kinds, status in DJANGO:
        if isinstance(error, kinds):
            return problem(status, code="malformed_request" if isinstance(error, UnreadablePostError) else "")
    return None


DJANGO: list[tuple[tuple[type[Exception], ...], int]] = [
    ((Http404,), 404),
    ((PermissionDenied,), 403),
    ((RequestDataTooBig,), 413),
    ((SuspiciousOperation, UnreadablePostError), 400),
    (UNAVAILABLE, 503),
]


def _code(error: APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) and codes != "parse_error" else ""


def _fields(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _fields(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            yield from _fields(inner, path if isinstance(inner, str) else f"{path}[{number}]")
    else:
        yield path, str(detail)


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        return {"WWW-Authenticate": getattr(error, "auth_header", "Bearer")}
    if isinstance(error, Throttled):
        return {"Retry-After": str(int(getattr(error, "wait", None) or RETRY_AFTER_SECONDS))}
    if isinstance(error, UNAVAILABLE):
        return RETRY
    return {}
