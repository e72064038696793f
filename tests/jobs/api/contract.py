"""OpenAPI document as a contract: each answer must match it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

UNDESCRIBED = (405,)
# Retry-After of a claim is sent with an empty answer only.
REQUIRED_HEADERS = {"ETag", "Location", "WWW-Authenticate"}


@cache
def document() -> dict[str, Any]:
    """Return the whole document, as /api/v1/schema serves it."""
    made: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
    return made


def operation(method: str, path: str) -> dict[str, Any] | None:
    """Return the description of one method at one address, None without one."""
    route = resolve(path.partition("?")[0]).route
    template = "/" + route.replace("<int:", "{").replace("<str:", "{").replace(">", "}")
    found: dict[str, Any] | None = document()["paths"].get(template, {}).get(method.lower())
    return found


def check(method: str, path: str, response: HttpResponse) -> None:
    """Fail unless the status is described and the body has the described shape."""
    described = operation(method, path)
    if described is None or response.status_code in UNDESCRIBED:
        return
    assert str(response.status_code) in described["responses"], f"{method} {path}: {response.status_code}"
    answer = described["responses"][str(response.status_code)]
    promised = {name.lower() for name in answer.get("headers", {}).keys() & REQUIRED_HEADERS}
    assert promised <= {name.lower() for name in response.headers}
    if kinds := answer.get("content"):
        schema = kinds[response.headers["Content-Type"]]["schema"]
        Draft202012Validator({**schema, "components": document()["components"]}).validate(response.json())
