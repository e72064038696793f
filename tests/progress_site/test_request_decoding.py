"""Decoding of requests into structs; a wrong value names its field."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from django.test import RequestFactory
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from jobs.api.request_decoding import decode_body, decode_query
from jobs.rules.errors import BadInput


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One of many."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    event_id: UUID | None = None


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """A body, and a query."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=200)]
    lines: list[Line] = []
    stuck: bool | None = None
    q: str = ""


def decoded(body: Any) -> Order:
    """Decode the body as the views do."""
    raw = RequestFactory().post("/", msgspec.json.encode(body), content_type="application/json")
    return decode_body(Request(raw, parsers=[JSONParser()]), Order)


def queried(text: str) -> Order:
    """Decode the query as the views do."""
    return decode_query(Request(RequestFactory().get(f"/?{text}")), Order)


def test_a_body_that_fits_is_taken() -> None:
    line = {"key": "a", "event_id": "8c17f6c5-3551-4985-892b-eb97c74aed7d"}
    assert decoded({"limit": 5, "lines": [line]}).lines[0].event_id == UUID(line["event_id"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "limit"),
        ({"limit": "10"}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": None}, "limit"),
        ({"limit": 3.5}, "limit"),
        ({"limit": 3.0}, "limit"),
        ({"limit": -5}, "limit"),
        ({"limit": 1, "limits": 2}, "limits"),
        ({"limit": 1, "lines": {}}, "lines"),
        ({"limit": 1, "lines": [{"key": "a"}, {"key": 1}]}, "lines[1].key"),
        ({"limit": 1, "lines": [{"key": "a"}, {}]}, "lines[1].key"),
        ({"limit": 1, "lines": [{"key": "a", "kee": ""}]}, "lines[0].kee"),
        ({"limit": 1, "lines": [{"key": "abcdef"}]}, "lines[0].key"),
        ({"limit": 1, "lines": [{"key": "a", "event_id": "x"}]}, "lines[0].event_id"),
        ({"limit": 1, "lines": [1]}, "lines[0]"),
    ],
)
def test_a_body_that_does_not_fit_names_the_field(body: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        decoded(body)
    assert list(refused.value.errors) == [field]
    assert all(sentence.endswith(".") and "$" not in sentence for sentence in refused.value.errors.values())


@pytest.mark.parametrize(
    ("text", "stuck"),
    [("limit=5", None), ("limit=5&stuck=true", True), ("limit=5&stuck=0", False), ("limit=5&q=", None)],
)
def test_a_query_that_fits_is_taken(text: str, stuck: bool | None) -> None:
    wanted = queried(text)
    assert (wanted.limit, wanted.stuck) == (5, stuck)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=1000000000", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=1&page=2", "page"),
        ("limit=1&stuck=maybe", "stuck"),
        ("limit=1&stuck=null", "stuck"),
        ("limit=1&q=a%00b", "q"),
    ],
)
def test_a_query_that_does_not_fit_names_the_parameter(text: str, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        queried(text)
    assert list(refused.value.errors) == [field]
