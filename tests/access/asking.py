"""Requests to every route as every caller. Each is undone, so all of them find the same objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from jobs.api.examples import EVENT_ID
from jobs.operations import INCIDENT_ACTS
from jobs.operations.registry import ACTS
from tests.access.callers import Caller
from tests.access.projects import FOREIGN, OWN, Project
from tests.access.routes import PARAMETER
from tests.access.table import LOGIN
from tests.jobs.api.contract import document

API = "api/v1"
MODEL = re.compile(r"admin/(\w+)/(\w+)/")
# Bodies of requests to the API that name objects; the others are the examples of the OpenAPI document.
BODIES: dict[str, Callable[[Project], Any]] = {
    "jobs": lambda project: {"name": "new", "project": project.name},
    "documents": lambda project: {"name": "new.pdf", "page_count": 3, "project": project.name},
    "training": lambda project: {"name": "new", "project": project.name, "images": [{"path": "a.jpg"}]},
    "channels": lambda project: {
        "name": "new",
        "kind": "apprise",
        "address": "jsons://hooks.example.com/new",
        "project": project.name,
    },
    "notification-rules": lambda project: {"channel": project.values["channel_id"]},
    "endpoints": lambda project: {"url": "https://example.com/new", "project": project.name},
    "events": lambda project: {
        "type": "products.images.ready.batch",
        "data": {"job_id": f"{project.mark}-vision", "event_id": EVENT_ID, "total_images": 3},
    },
    "documents/{document_id}/retry": lambda project: {},
    "workers/{worker}/free": lambda project: {},
    "workers/{worker}/lift": lambda project: {"job": project.values["job_id"]},
    "incidents/{incident_id}/assign": lambda project: {"account": ""},
    "project-limits": lambda project: {"project": project.name, "max_leased": 7},
    "jobs/{job_id}": lambda project: {"reason": "over"},
    "jobs/{job_id}/skip": lambda project: {"items": [project.values["item_id"]]},
}
# Pages that name their objects in the query string.
QUERIES = {
    "admin/replay/": "event={event_id}",
    "admin/letters/replay/": "letter={letter_id}",
    "admin/tokens/rotate/": "token={token}",
    "admin/tokens/revoke/": "token={token}",
    **{f"admin/jobs/job/act/{name}/": "job={job_id}" for name in ACTS},
    **{f"admin/incidents/act/{name}/": "incident={incident_id}" for name in INCIDENT_ACTS},
}
# A phase without items, where only such a one is started, counted or ended by name.
VALUES = {
    f"api/v1/jobs/{{job_id}}/phases/{{code}}/{verb}": {"code": "fit"} for verb in ("count", "fail", "finish", "start")
}


def address(path: str, project: Project) -> str:
    """Return the address of the objects of a project at a route."""
    named = MODEL.match(path)
    row = project.rows.get(f"{named[1]}.{named[2]}", "") if named else ""
    values = {**project.values, "object_id": row, **VALUES.get(path, {})}
    whole = f"/{path}?{QUERIES[path]}" if path in QUERIES else f"/{path}"
    return PARAMETER.sub(lambda found: quote(str(values[found[1]])), whole)


def ask(client: Client, caller: Caller, method: str, at: str, body: Any = "") -> HttpResponse:
    """Send a request and undo what it has done."""
    with transaction.atomic():
        response = caller.ask(client, method, at, body)
        transaction.set_rollback(True)
    return response


def status(response: HttpResponse) -> str:
    """Return the status, with a word of its own for the redirect to the sign-in page."""
    to_login = response.status_code == 302 and response["Location"].startswith("/admin/login/")
    return LOGIN if to_login else str(response.status_code)


def body(path: str, method: str, project: Project) -> str:
    """Return the body of a request: JSON for the API, an empty form for a page."""
    if not path.startswith(API) or method in ("GET", "HEAD"):
        return ""
    make = BODIES.get(path.removeprefix(f"{API}/"))
    return json.dumps(make(project) if make else _example(path, method))


def targets(path: str, method: str) -> list[str]:
    """Return the projects whose objects a request names: the own one alone, where it names none."""
    names_objects = (
        PARAMETER.search(path)
        or path in QUERIES
        or (method in ("POST", "PUT") and path.removeprefix(f"{API}/") in BODIES)
    )
    return [OWN, FOREIGN] if names_objects else [OWN]


def _example(path: str, method: str) -> Any:
    described = document()["paths"].get(f"/{path}", {}).get(method.lower(), {})
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    return next((each["value"] for each in content.get("examples", {}).values()), {})
