"""Bulk SQL: one statement for many rows, and the same values back, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from jobs.db import bulk_sql, event_order
from jobs.models import Event, Item, Phase, Tally, Worker
from jobs.models.items import digest
from tests.factories import item_of, make_job, phase_of

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
TEXTS = {
    "empty": "",
    "blanks": "  a\tb\nc\r\n ",
    "quotes": """it's "quoted" `so` and $$so$$""",
    "backslashes": "C:\\new\\table \\u0041 \\\\ \\",
    "percent": "100 % %s %(name)s ? :name {0}",
    "umlauts": "Prüfung größer ß Ñandú",
    "far east": "進捗サイト 진행률",
    "right to left": "تقدم העבודה",
    "astral": "🧩👩‍🔬 𐍈 🏳️‍🌈",
    "composed": "é e\u0301 \u200d \ufeff \u2028",
    "controls": "\x01\x08\x1f\x7f\x85",
    "like sql": "'); DROP TABLE jobs_item; --",
    "like json": '{"a": [1, null, "b"]} null true 1.0',
    "like a number": "007",
    "like nothing": "null",
}
JSONS: dict[str, Any] = {
    "empty": {},
    "nested": {"a": {"b": [{"c": [1, [2, [3]]]}, None, True, False, ""]}},
    "numbers": {"zero": 0, "minus": -1, "big": 2**53, "float": 0.1, "tiny": 1e-9},
    "texts": TEXTS,
    "odd keys": {"": 1, "a b": 2, "$.x": 3, "'": 4, '"': 5, "ключ": 6},
    "16 KiB": {"blob": 'ä"\\' * 2700},
    "list": [1, "two", {"three": 3}],
}


def insert_item(phase: Phase, key: str, **values: Any) -> Item:
    """Insert one item of this phase by `bulk_sql.insert`."""
    names = ("phase", "key", "key_digest", *values)
    bulk_sql.insert(Item, [(phase.pk, key, digest(key), *values.values())], fields=names)
    return Item.objects.get(phase=phase, key_digest=digest(key))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    phase = phase_of(make_job())
    item = insert_item(phase, f"key {text}", label=text)
    assert (item.key, item.label) == (f"key {text}", text)
    bulk_sql.update(Item, [(item.pk, text, f"{text}!")], match=("id", "label"), fields=("error",))
    assert item_of(phase.job, item.key).error == f"{text}!"


@pytest.mark.parametrize("value", JSONS.values(), ids=JSONS)
def test_json_comes_out_as_it_went_in(value: Any) -> None:
    phase = phase_of(make_job())
    item = insert_item(phase, "k", payload=value)
    assert item.payload == value
    bulk_sql.update(Item, [(item.pk, {"was": value})], match=("id",), fields=("result",))
    assert item_of(phase.job, "k").result == {"was": value}


def test_stored_json_is_found_by_its_keys_as_the_orm_stores_it() -> None:
    phase = phase_of(make_job())
    insert_item(phase, "k", payload={"page": {"start": 101}})
    assert Item.objects.get(payload__page__start=101).key == "k"


@pytest.mark.parametrize(
    "moment",
    [
        MOMENT,
        MOMENT.replace(microsecond=0),
        MOMENT.replace(microsecond=1),
        datetime(2000, 2, 29, tzinfo=UTC),
        datetime(2031, 7, 1, 12, 0, 0, 120_000, tzinfo=UTC),
        None,
    ],
)
def test_a_time_comes_out_to_the_microsecond(moment: datetime | None) -> None:
    phase = phase_of(make_job())
    item = insert_item(phase, "k", finished_at=moment)
    assert item.finished_at == moment
    bulk_sql.update(Item, [(item.pk, moment)], match=("id",), fields=("started_at",))
    assert item_of(phase.job, "k").started_at == moment
    assert Item.objects.filter(started_at=moment).exists()


def test_times_written_in_bulk_compare_with_times_written_by_the_orm() -> None:
    phase = phase_of(make_job())
    item = insert_item(phase, "k", finished_at=MOMENT)
    earlier, later = MOMENT - timedelta(microseconds=1), MOMENT + timedelta(microseconds=1)
    assert Item.objects.filter(pk=item.pk, finished_at__gt=earlier, finished_at__lt=later).exists()
    assert not Item.objects.filter(pk=item.pk, finished_at__lt=MOMENT).exists()


@pytest.mark.parametrize(
    "left",
    [
        None,
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(microseconds=10),
        timedelta(seconds=899, microseconds=999_999),
        timedelta(days=365),
        timedelta(days=3650, microseconds=7),
    ],
)
def test_a_length_of_time_comes_out_to_the_microsecond(left: timedelta | None) -> None:
    phase = phase_of(make_job())
    bulk_sql.update(Phase, [(phase.pk, left)], match=("id",), fields=("deadline_left",))
    assert phase_of(phase.job).deadline_left == left


@pytest.mark.parametrize("answer", [True, False])
def test_a_yes_or_no_comes_out_as_it_went_in(answer: bool) -> None:
    phase = phase_of(make_job())
    bulk_sql.update(Phase, [(phase.pk, answer, not answer)], match=("id",), fields=("listed", "counted"))
    again = phase_of(phase.job)
    assert (again.listed, again.counted) == (answer, not answer)


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**53, 2**63 - 1, None])
def test_a_number_comes_out_as_it_went_in(number: int | None) -> None:
    phase = phase_of(make_job())
    bulk_sql.update(Phase, [(phase.pk, number)], match=("id",), fields=("expected",))
    assert phase_of(phase.job).expected == number


def test_an_id_of_its_own_kind_comes_out_as_it_went_in() -> None:
    job = make_job()
    event_id = uuid4()
    given = {"pk": 10**15, "event_id": event_id, "job": job.pk, "type": "note", "at": MOMENT}
    bulk_sql.insert(Event, [tuple(given.values())], fields=("id", *list(given)[1:]))
    event = Event.objects.get(event_id=event_id)
    assert (event.pk, event.event_id, event.at, event.data) == (10**15, UUID(str(event_id)), MOMENT, {})


def test_what_is_named_nowhere_takes_the_default_of_the_model() -> None:
    item = insert_item(phase_of(make_job()), "k")
    assert (item.status, item.attempt, item.tries, item.payload, item.lease_expires_at) == ("pending", 0, 0, {}, None)


def test_constants_are_the_same_in_every_row() -> None:
    phase = phase_of(make_job())
    values = [(key, digest(key)) for key in ("a", "b")]
    constants = {"phase": phase.pk, "split": "it's", "payload": {"a": [1]}, "finished_at": MOMENT}
    bulk_sql.insert(Item, values, fields=("key", "key_digest"), constants=constants)
    found = phase.items.values_list("split", "payload", "finished_at")
    assert list(found) == [("it's", {"a": [1]}, MOMENT)] * 2


def test_rows_get_their_ids_in_the_order_in_which_they_were_given() -> None:
    phase = phase_of(make_job())
    keys = [f"k{n}" for n in range(1500)]
    bulk_sql.insert(Item, [(phase.pk, key, digest(key)) for key in keys], fields=("phase", "key", "key_digest"))
    assert list(phase.items.order_by("pk").values_list("key", flat=True)) == keys


@pytest.mark.parametrize("number", [1, 5000])
def test_any_number_of_rows_is_one_statement(number: int) -> None:
    phase = phase_of(make_job())
    keys = [f"k{n}" for n in range(number)]
    with CaptureQueriesContext(connection) as captured:
        bulk_sql.insert(Item, [(phase.pk, key, digest(key)) for key in keys], fields=("phase", "key", "key_digest"))
        ids = list(phase.items.values_list("pk", flat=True))
        bulk_sql.update(Item, [(pk, "x") for pk in ids], match=("id",), fields=("label",))
    assert len(captured) == 3
    assert phase.items.filter(label="x").count() == number


def test_a_row_that_exists_is_left_alone_and_not_counted() -> None:
    phase = phase_of(make_job())
    item = insert_item(phase, "a", label="first")
    values = [(phase.pk, key, digest(key), "second") for key in ("a", "b")]
    names = ("phase", "key", "key_digest", "label")
    assert bulk_sql.insert(Item, values, fields=names, ignore_conflicts=True) == 1
    assert Item.objects.get(pk=item.pk).label == "first"
    assert bulk_sql.insert(Item, values, fields=names, ignore_conflicts=True) == 0


def test_without_conflict_a_row_that_exists_is_an_error() -> None:
    phase = phase_of(make_job())
    insert_item(phase, "a")
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_item(phase, "a")


def test_added_numbers_grow_and_the_others_stay() -> None:
    phase = phase_of(make_job())
    names = ("phase", "minute", "done", "failed")
    minute = MOMENT.replace(second=0, microsecond=0)
    for _ in range(3):
        bulk_sql.insert(Tally, [(phase.pk, minute, 5, 1)], fields=names, conflict=("phase", "minute"), add=("done",))
    tally = Tally.objects.get(phase=phase)
    assert (tally.minute, tally.done, tally.failed, tally.skipped) == (minute, 15, 1, 0)


def test_replaced_values_are_new_and_the_others_stay() -> None:
    names = ("name", "owner", "message", "seen_at")
    for message, seen_at in (("first", MOMENT), ("second", MOMENT + timedelta(hours=1))):
        row = ("w1", 0, message, seen_at)
        bulk_sql.insert(Worker, [row], fields=names, conflict=("name", "owner"), replace=("seen_at",))
    worker = Worker.objects.get(name="w1")
    assert (worker.message, worker.seen_at) == ("first", MOMENT + timedelta(hours=1))


def test_within_a_field_numbers_grow_and_empty_texts_stay_and_elsewhere_they_begin_anew() -> None:
    names, key = ("name", "owner", "project", "message", "failed_in_a_row", "seen_at"), ("name", "owner")

    def insert(project: str, message: str) -> tuple[str, str, int]:
        bulk_sql.insert(
            Worker,
            [("w1", 7, project, message, 2, MOMENT), ("w2", 7, project, message, 3, MOMENT)],
            fields=names,
            conflict=key,
            replace=("project",),
            fill=("message",),
            add=("failed_in_a_row",),
            within="project",
        )
        found = Worker.objects.get(name="w1")
        return found.project, found.message, found.failed_in_a_row

    assert insert("a", "first") == ("a", "first", 2)
    assert insert("a", "") == ("a", "first", 4)
    assert insert("b", "") == ("b", "", 2)


def test_an_update_answers_the_rows_that_still_matched_and_moves_only_those() -> None:
    phase = phase_of(make_job(items=3))
    first, second, third = phase.items.order_by("pk")
    Item.objects.filter(pk=second.pk).update(attempt=7)
    values = [(item.pk, "pending", 0, "x") for item in (first, second, third)]
    moved = bulk_sql.update(Item, values, match=("id", "status", "attempt"), fields=("label",))
    assert sorted(moved) == [first.pk, third.pk]
    assert list(phase.items.order_by("pk").values_list("label", flat=True)) == ["x", "", "x"]


def test_each_row_gets_its_own_values() -> None:
    phase = phase_of(make_job(items=50))
    items = list(phase.items.order_by("pk"))
    bulk_sql.update(Item, [(item.pk, item.key[::-1]) for item in items], match=("id",), fields=("label",))
    assert all(item.label == item.key[::-1] for item in phase.items.all())


def test_values_that_python_calls_equal_stay_apart() -> None:
    phase = phase_of(make_job())
    values: list[Any] = [1, True, 1.0]
    given = [(phase.pk, f"k{n}", digest(f"k{n}"), {"value": value}) for n, value in enumerate(values)]
    bulk_sql.insert(Item, given, fields=("phase", "key", "key_digest", "payload"))
    found = [item.payload["value"] for item in phase.items.order_by("pk")]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]


def test_the_same_update_of_many_rows_moves_them_all() -> None:
    phase = phase_of(make_job(items=3))
    ids = list(phase.items.values_list("pk", flat=True))
    assert sorted(bulk_sql.update(Item, [(pk, MOMENT) for pk in ids], match=("id",), fields=("started_at",))) == ids
    assert phase.items.filter(started_at=MOMENT).count() == 3


def test_nothing_to_write_writes_nothing() -> None:
    assert bulk_sql.insert(Item, [], fields=("phase", "key", "key_digest")) == 0
    assert bulk_sql.update(Item, [], match=("id",), fields=("label",)) == []


def test_ids_are_handed_out_once_and_ascending() -> None:
    given = [event_order.next_ids(number, outward=True) for number in (1, 3, 2)]
    flat = [number for some in given for number in some]
    assert flat == list(range(flat[0], flat[0] + 6))
