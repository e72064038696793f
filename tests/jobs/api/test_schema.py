"""The OpenAPI document and its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from tests.jobs.api.contract import document

APPS = ("jobs", "ocr_chunks", "training")
METHODS = ("get", "post", "put", "patch", "delete")
NAMES = Path(__file__).with_name("operation_names.txt")
OPERATIONS = [
    pytest.param(described, id=described["operationId"])
    for path in document()["paths"].values()
    for method, described in path.items()
    if method in METHODS
]


def nodes(node: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each object of the document with the name of its member."""
    if isinstance(node, dict):
        yield name, node
    for key, each in node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ()):
        if key not in ("example", "examples"):
            yield from nodes(each, str(key))


def test_the_document_is_valid_and_complete() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_address_of_the_api_is_described() -> None:
    routes = {pattern.name for app in APPS for pattern in get_resolver(f"{app}.urls").url_patterns}
    assert len(document()["paths"]) == len(routes - {"api-schema", "api-docs", "api-asyncapi"})


@pytest.mark.parametrize("described", OPERATIONS)
def test_every_operation_says_what_it_takes_and_answers(described: dict[str, Any]) -> None:
    assert described["summary"]
    assert {"401", "403", "503"} <= described["responses"].keys()
    good = [answer for status, answer in described["responses"].items() if status in ("200", "201")]
    assert all(kind["schema"] for answer in good for kind in answer["content"].values())
    if "requestBody" in described:
        body = described["requestBody"]["content"]["application/json"]
        assert body["examples"]
        assert {"400", "413"} <= described["responses"].keys()


def test_the_names_of_the_operations_are_pinned() -> None:
    """A name is part of every generated client: changing one breaks them. Add the line of a new operation."""
    found = [
        f"{described['operationId']:28}{method.upper():7}{path.removeprefix('/api/v1')}"
        for path, methods in document()["paths"].items()
        for method, described in methods.items()
    ]
    assert found == NAMES.read_text().splitlines()


def test_the_deletion_of_a_job_takes_a_reason() -> None:
    body = document()["paths"]["/api/v1/jobs/{job_id}"]["delete"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/DeleteInput")


def test_no_schema_has_what_generators_misread() -> None:
    for name, node in nodes(document()):
        assert "default" not in node or name == "properties", node
        assert "(?" not in str(node.get("pattern", "")), node
        assert "type" in node or not isinstance(node.get("enum"), list), node
        assert node.get("type") != "object" or {"properties", "additionalProperties"} & node.keys(), node


@pytest.mark.parametrize(
    ("path", "method", "status", "header"),
    [
        ("jobs", "post", "201", "Location"),
        ("jobs/{job_id}", "get", "200", "ETag"),
        ("claim", "post", "200", "Retry-After"),
        ("claim", "post", "503", "Retry-After"),
        ("acts", "get", "401", "WWW-Authenticate"),
    ],
)
def test_a_response_names_its_headers(path: str, method: str, status: str, header: str) -> None:
    assert header in document()["paths"][f"/api/v1/{path}"][method]["responses"][status]["headers"]


@pytest.mark.parametrize(
    ("schema", "field", "value"),
    [
        ("EndpointBody", "format", "cloudevents"),
        ("IncidentBody", "kind", "job_failed"),
        ("IncidentBody", "state", "open"),
        ("ResultAnswer", "status", ""),
        ("PhaseBody", "status", "completed"),
    ],
)
def test_a_field_with_fixed_values_names_them(schema: str, field: str, value: str) -> None:
    schemas = document()["components"]["schemas"]
    described = schemas[schema]["properties"][field]
    target = schemas[described["$ref"].rpartition("/")[2]] if "$ref" in described else described
    assert (target["type"], value in target["enum"]) == ("string", True)


def test_the_feed_is_described_as_a_page_and_as_a_stream() -> None:
    described = document()["paths"]["/api/v1/events"]["get"]
    assert set(described["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert "Last-Event-ID" in {parameter["name"] for parameter in described["parameters"]}


def test_the_document_names_licence_and_server() -> None:
    assert document()["info"]["license"]["identifier"]
    assert [server["url"] for server in document()["servers"]] == ["/"]


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
