"""Lists, a page at a time."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request

from jobs.api.cursor_pagination import page
from jobs.api.query_params import PageQuery
from jobs.models import Job
from jobs.rules.errors import BadInput
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def read(
    *, field: str, limit: int = 2, cursor: str = "", address: str = "/api/v1/jobs?status=pending"
) -> dict[str, Any]:
    """One page of the names of the jobs."""
    request = Request(RequestFactory().get(address))
    wanted = PageQuery(limit=limit, cursor=cursor)
    return page(request, Job.objects.all(), wanted, field=field, body=lambda job: job.name)


def cursor_of(address: str) -> str:
    """The cursor in the address of the next page."""
    return parse_qs(urlsplit(address).query)["cursor"][0]


def walk(*, field: str, limit: int = 2) -> list[str]:
    """The names on all pages, one after the other."""
    names: list[str] = []
    cursor = ""
    while True:
        found = read(field=field, limit=limit, cursor=cursor)
        names += found["results"]
        if found["next"] is None:
            return names
        cursor = cursor_of(found["next"])


@pytest.mark.parametrize("field", ["id", "-id", "name", "-name", "updated_at", "-updated_at", "percent", "-percent"])
@pytest.mark.parametrize("limit", [1, 2, 5, 200])
def test_every_row_is_on_exactly_one_page_in_the_order_asked_for(field: str, limit: int) -> None:
    for name in "badce":
        make_job(name=name)
    Job.objects.filter(name__in="ab").update(percent=50)
    direction = "-" if field.startswith("-") else ""
    expected = Job.objects.order_by(field, f"{direction}id").values_list("name", flat=True)
    assert walk(field=field, limit=limit) == list(expected)


def test_rows_that_come_and_go_between_two_pages_move_no_other_row() -> None:
    for name in "abcdef":
        make_job(name=name)
    first = read(field="name")
    Job.objects.filter(name__in=["a", "b"]).delete()
    make_job(name="aa")
    assert read(field="name", cursor=cursor_of(first["next"]))["results"] == ["c", "d"]


def test_next_is_the_whole_address_with_what_was_asked_for() -> None:
    for name in "abc":
        make_job(name=name)
    address = urlsplit(read(field="name")["next"])
    assert (address.scheme, address.netloc, address.path) == ("http", "testserver", "/api/v1/jobs")
    assert parse_qs(address.query)["status"] == ["pending"]


def test_a_page_is_one_query_and_counts_nothing(django_assert_num_queries: Any) -> None:
    for name in "abcdef":
        make_job(name=name)
    cursor = cursor_of(read(field="-updated_at")["next"])
    with django_assert_num_queries(1) as queries:
        read(field="-updated_at", cursor=cursor)
    assert isinstance(queries, CaptureQueriesContext)
    assert "COUNT(" not in queries[0]["sql"].upper()


@pytest.mark.parametrize("cursor", ["x", "WzEsMV0", "é", "a:b:c", "\0"])
def test_a_wrong_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(field="name", cursor=cursor)
    assert list(refused.value.errors) == ["cursor"]


def test_a_cursor_of_another_order_is_refused() -> None:
    for name in "abc":
        make_job(name=name)
    with pytest.raises(BadInput):
        read(field="-name", cursor=cursor_of(read(field="name")["next"]))
