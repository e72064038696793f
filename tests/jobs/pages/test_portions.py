"""Keyset pagination over whole lists, and the stream of a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from django.contrib import admin
from django.db import OperationalError, connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from jobs.console.admin import keyset_export
from jobs.console.admin.export import INCOMPLETE, Column, Csv, FileFormat, Json, file_chunks, stream
from jobs.console.admin.items import EventAdmin, ItemAdmin
from jobs.console.admin.keyset_export import batches
from jobs.db.keyset import order_of
from jobs.models import Event, Item, Job, Phase, Worker
from tests.factories import make_job

COLUMNS = (Column("key"),)
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset_export, "FIRST_BATCH", 2)
    monkeypatch.setattr(keyset_export, "BATCH", 3)


def read(rows: QuerySet[Any]) -> list[list[Any]]:
    """The ids of each portion."""
    return [[row.pk for row in portion] for portion in batches(rows)]


def items(number: int) -> QuerySet[Item]:
    """The items of a new job."""
    return Item.objects.filter(phase__job=make_job(items=number)).order_by("pk")


def phases_with_deadlines() -> None:
    """Phases of which some have no deadline, and some the same."""
    jobs = [make_job(items=1) for _ in range(9)]
    for number, job in enumerate(jobs):
        deadline = None if number % 3 == 0 else DAY + timedelta(days=number // 3)
        Phase.objects.filter(job=job).update(deadline_at=deadline)


# --- portions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (5, [2, 3]), (9, [2, 3, 3, 1])]
)
def test_every_row_comes_once_whatever_their_number(db: None, number: int, sizes: list[int]) -> None:
    found = read(items(number))
    assert [len(batch) for batch in found] == sizes
    assert list(chain(*found)) == list(Item.objects.order_by("pk").values_list("pk", flat=True))


@pytest.mark.parametrize("order", [("status",), ("-status",), ("attempt", "-id"), ("-phase__job__name",)])
def test_rows_that_are_alike_in_the_order_come_once(db: None, order: tuple[str, ...]) -> None:
    items(4)
    items(5)
    rows = Item.objects.order_by(*order, "-pk")
    assert list(chain(*read(rows))) == list(rows.values_list("pk", flat=True))


@pytest.mark.parametrize("sign", ["", "-"])
def test_rows_without_a_value_come_last_in_both_directions(db: None, sign: str) -> None:
    phases_with_deadlines()
    found = [phase for portion in batches(Phase.objects.order_by(f"{sign}deadline_at")) for phase in portion]
    deadlines = [phase.deadline_at for phase in found]
    given = sorted((each for each in deadlines if each), reverse=bool(sign))
    assert len({phase.pk for phase in found}) == 9
    assert deadlines == [*given, None, None, None]


def test_the_order_ends_at_the_first_key_and_names_no_column_twice() -> None:
    rows = Job.objects.order_by("-updated_at", "-id", "-updated_at", "name")
    assert [term.path for term in order_of(rows)] == ["updated_at", "id"]
    assert [term.path for term in order_of(Worker.objects.order_by("account"))] == ["account_id", "pk"]


def test_what_is_added_at_the_front_meanwhile_changes_nothing(db: None) -> None:
    rows = items(6).order_by("-pk")
    expected = list(rows.values_list("pk", flat=True))
    following = batches(Item.objects.order_by("-pk"))
    first = next(following)
    items(4)
    assert [row.pk for row in first] + [row.pk for portion in following for row in portion] == expected


# --- what it costs -------------------------------------------------------------------------------------


def written(
    rows: QuerySet[Any], columns: tuple[Column, ...], prepare: Any = lambda portion: portion
) -> Iterator[bytes]:
    """The file_chunks of a CSV file."""
    return file_chunks(rows, columns, Csv(), prepare=prepare)


@pytest.mark.parametrize(
    ("rows", "columns", "queries"),
    [(Item.objects, ItemAdmin.exported, 4), (Event.objects, EventAdmin.exported, 3)],
    ids=["items", "events"],
)
def test_a_portion_costs_the_same_whatever_is_in_it(db: None, rows: Any, columns: Any, queries: int) -> None:
    for _ in range(5):
        make_job(items=2, done=1)
    prepare = admin.site._registry[rows.model].exported_rows
    following, counts = written(rows.order_by("-pk"), columns, prepare), []
    for _ in range(3):
        with CaptureQueriesContext(connection) as asked:
            next(following)
        counts.append(len(asked))
    assert max(counts) <= queries


def test_the_first_portion_is_there_before_the_second_is_read(db: None) -> None:
    following = written(items(9), COLUMNS)
    with CaptureQueriesContext(connection) as asked:
        assert next(following) == b"k0\r\nk1\r\n"
    assert len(asked) == 1
    Item.objects.filter(key="k8").delete()
    assert b"".join(following).split() == [b"k2", b"k3", b"k4", b"k5", b"k6", b"k7"]


# --- the stream ----------------------------------------------------------------------------------------


async def test_the_names_are_sent_before_anything_is_read() -> None:
    def nothing_yet() -> Iterator[bytes]:
        raise AssertionError("read too early")
        yield b""

    begun: AsyncIterator[bytes] = stream(COLUMNS, Csv(), nothing_yet())
    assert await anext(begun) == b"\xef\xbb\xbfkey\r\n"


@pytest.mark.parametrize(("notation", "end"), [(Csv(), f"k0\r\n{INCOMPLETE}\r\n"), (Json(), "k0\r\n")])
async def test_a_file_that_the_database_breaks_off_cannot_be_taken_for_a_whole_one(
    notation: FileFormat, end: str
) -> None:
    def failing() -> Iterator[bytes]:
        yield b"k0\r\n"
        raise OperationalError("gone")

    file = b"".join([piece async for piece in stream(COLUMNS, notation, failing())])
    assert file.decode().endswith(end)


def test_json_is_whole_over_its_batches(db: None) -> None:
    rows = items(4)
    notation = Json()
    parts = [*file_chunks(rows, COLUMNS, notation, prepare=lambda portion: portion)]
    file = notation.begin(COLUMNS) + b"".join(parts) + notation.end(is_truncated=False)
    assert file == b'[\n{"key":"k0"},\n{"key":"k1"},\n{"key":"k2"},\n{"key":"k3"}\n]\n'
