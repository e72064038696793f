"""Response checks: a response of a Progress Site, or one of a proxy, login page or load balancer. Pure.

Only a response of the site itself settles an outcome: a 2xx response of the expected shape, or a problem (RFC 9457)
whose code rejects the request. Any other response says nothing about the request, so the client tries again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from progress_client.errors import Refused, refusal

PROBLEM = "application/problem+json"

# Problem codes that reject the request itself. Other codes concern a temporary state or the route to the site:
# headers_too_large (a proxy adds headers), host_not_allowed, malformed_request, method_not_allowed, not_acceptable,
# unsupported_media_type, throttled, server_error, unavailable and error.
VERDICTS = frozenset(
    {
        "authentication_failed",
        "changed",
        "channel_exists",
        "checksum_mismatch",
        "conflict",
        "document_differs",
        "endpoint_exists",
        "event_id_reused",
        "invalid",
        "invalid_page_range",
        "name_taken",
        "not_authenticated",
        "not_found",
        "permission_denied",
        "refused",
        "too_large",
        "wrong_state",
    }
)

Shape = Mapping[str, Any]

JOB: Shape = {"id": int, "name": str, "status": str, "phases": list}
PAGE: Shape = {"results": list, "next": (str, type(None))}
PHASE: Shape = {"code": str, "status": str}
COUNTED: Shape = {"applied": bool, "phase": dict}
CLAIMED: Shape = {"items": list, "reason": (str, type(None))}
ACT: Shape = {"changed": int, "refused": list, "job": dict}
INCIDENT: Shape = {"id": int, "state": str, "title": str}
INCIDENT_ACT: Shape = {"changed": int, "detail": str, "incident": dict}
REPORTED: Shape = {"results": list, "phase": dict, "cancel_requested": bool}
HEARTBEAT: Shape = {"job_status": str, "cancel_requested": bool, "leases": list, "lost": list}
PROGRESS: Shape = {"processed": int, "by_split": dict}

SHAPES: tuple[tuple[str, Shape | None], ...] = (
    (r"GET /jobs", PAGE),
    (r"POST /jobs", JOB),
    (r"POST /claim", CLAIMED),
    (r"GET /jobs/\d+", JOB),
    (r"GET /jobs/\d+/progress", PROGRESS),
    (r"GET /jobs/\d+/errors", None),
    (r"GET /jobs/\d+/timeline", PAGE),
    (r"POST /jobs/\d+/heartbeat", HEARTBEAT),
    (r"POST /jobs/\d+/[a-z-]+", ACT),
    (r"GET /incidents", PAGE),
    (r"GET /incidents/\d+", INCIDENT),
    (r"POST /incidents/\d+/[a-z-]+", INCIDENT_ACT),
    (r"GET /jobs/\d+/phases/[^/]+/items", PAGE),
    (r"POST /jobs/\d+/phases/[^/]+/items", {"added": int, "existing": int}),
    (r"GET /jobs/\d+/phases/[^/]+/items/\d+/attempts", {"results": list}),
    (r"POST /jobs/\d+/phases/[^/]+/claim", CLAIMED),
    (r"POST /jobs/\d+/phases/[^/]+/report", REPORTED),
    (r"POST /jobs/\d+/phases/[^/]+/(count|announce)", COUNTED),
    (r"POST /jobs/\d+/phases/[^/]+/(start|finish|fail)", PHASE),
)


def decode(content: bytes) -> Any:
    """Decode a JSON body; None if it is not JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def is_expected(method: str, path: str, body: Any) -> bool:
    """Check that the body of a 2xx response has the shape of this call. A shape of None stands for a list."""
    called = f"{method} {path.partition('?')[0]}"
    for pattern, shape in SHAPES:
        if re.fullmatch(pattern, called):
            return isinstance(body, list) if shape is None else fits(body, shape)
    return isinstance(body, (dict, list))


def fits(body: Any, shape: Shape) -> bool:
    """Check that a body is an object with fields of these types; more fields are allowed."""
    return isinstance(body, dict) and all(isinstance(body.get(name, ...), kind) for name, kind in shape.items())


def are_results(rows: Any, *, number: int) -> bool:
    """Check that these are the results of exactly `number` outcomes."""
    return len(rows) == number and all(fits(row, {"key": str, "outcome": str}) for row in rows)


def verdict(status: int, content_type: str | None, body: Any) -> Refused | None:
    """Return the error of a request that the site rejects, or None if the response is no such rejection."""
    if (content_type or "").partition(";")[0].strip().lower() != PROBLEM or not isinstance(body, dict):
        return None
    code = body.get("code")
    if body.get("status") != status or not isinstance(code, str) or code not in VERDICTS:
        return None
    return refusal(status, body)
