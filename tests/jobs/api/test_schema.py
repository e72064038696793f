"""The OpenAPI document and its page."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from tests.jobs.api.contract import document

APPS = ("jobs", "ocr_chunks", "training")
METHODS = ("get", "post", "patch")
OPERATIONS = [
    pytest.param(described, id=described["operationId"])
    for path in document()["paths"].values()
    for method, described in path.items()
    if method in METHODS
]


def test_the_document_is_valid_and_complete() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_address_of_the_api_is_described() -> None:
    routes = {pattern.name for app in APPS for pattern in get_resolver(f"{app}.urls").url_patterns}
    assert len(document()["paths"]) == len(routes - {"api-schema", "api-docs"})


@pytest.mark.parametrize("described", OPERATIONS)
def test_every_operation_says_what_it_takes_and_answers(described: dict[str, Any]) -> None:
    assert described["summary"]
    assert {"401", "403", "503"} <= described["responses"].keys()
    good = [answer for status, answer in described["responses"].items() if status in ("200", "201")]
    assert all(kind["schema"] for answer in good for kind in answer["content"].values())
    if described["operationId"].startswith(("post", "patch")):
        body = described["requestBody"]["content"]["application/json"]
        assert body["examples"]
        assert {"400", "413"} <= described["responses"].keys()


def test_the_bounds_of_a_field_are_in_the_document() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["ItemInput"]["properties"]["key"] == {"maxLength": 1024, "minLength": 1, "type": "string"}
    assert schemas["ItemInput"]["additionalProperties"] is False
    assert schemas["JobBody"]["properties"]["created_at"] == {"format": "date-time", "type": "string"}


def test_the_document_is_served_to_everybody(client: Client) -> None:
    response = client.get("/api/v1/schema", headers={"Accept": "application/json"})
    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.")


def test_the_try_it_page_works_offline(client: Client) -> None:
    response = client.get("/api/v1/docs")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', response.content.decode())
    assert addresses
    assert all(address.startswith("/") for address in addresses)
    for address in addresses:
        # The way back to the console leads through the sign-in page.
        assert client.get(address, follow=True).status_code == 200, address


def test_the_try_it_page_has_the_content_policy_of_every_page(client: Client) -> None:
    policies = {client.get(path).headers["Content-Security-Policy"] for path in ("/api/v1/docs", "/admin/login/")}
    assert len(policies) == 1
    assert "unsafe" not in policies.pop()
