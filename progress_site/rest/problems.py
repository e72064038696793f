"""Problem details as described by RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
    431: "headers_too_large",
    500: "server_error",
    503: "unavailable",
}
DETAILS = {
    400: "The request is malformed. Send a valid HTTP request.",
    401: "Send a valid token as Authorization: Bearer <token>.",
    403: "This account does not have the permission.",
    404: "There is no page or object at this address.",
    413: "The body is larger than 1 MiB. Send it in several requests.",
    431: "The headers are larger than 16 KiB, or Accept and Content-Type larger than 2 KiB. Shorten them.",
    500: "The request failed because of a defect in the server. See the server's log.",
    503: "The database is down, locked or full. Try again later.",
}


def problem(
    status: int,
    *,
    detail: str = "",
    code: str = "",
    errors: Mapping[str, str] | Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Return the body of an error; `errors` has a sentence for each wrong field."""
    title = HTTPStatus(status).phrase
    pairs = errors.items() if isinstance(errors, Mapping) else errors
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or DETAILS.get(status, f"{title}."),
        "code": code or CODES.get(status, "error"),
    }
    return {**body, "errors": [{"field": field, "detail": text} for field, text in pairs]}


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return the body as bytes."""
    return json.dumps(body).encode()
