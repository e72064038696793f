"""Inserts, updates and lookups of many rows in one SQL statement.

`insert` and `update` send the columns that differ between rows as one JSON parameter, which the database unfolds, and
the others as plain parameters. So the number and the text of the statements are the same for one row and for thousands.
The ORM's own bulk methods split on SQLite at 999 parameters and build a CASE per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection, models

from jobs.db import bulk_text, statements
from jobs.db.statements import STATEMENTS

if TYPE_CHECKING:
    Field = models.Field[Any, Any]

Row = Sequence[Any]
Adapter = Callable[[Any], Any]
_encode = msgspec.json.Encoder().encode


class _Values:
    """The values of rows: `varying` columns as one JSON parameter, and the others as one parameter each."""

    def __init__(self, model: type[models.Model], names: tuple[str, ...], rows: Sequence[Row]) -> None:
        adapters, documents = _adapters(model, names), _documents(model, names)
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for n in documents:  # JSON is compared as text, in which 1, 1.0 and true differ
            columns[n] = [_dumps(value) for value in columns[n]]
        self.varying = tuple(n for n, values in enumerate(columns) if values.count(values[0]) != len(values))
        self._same = {n: adapters[n](values[0]) for n, values in enumerate(columns) if n not in self.varying}
        self.unfolded: list[Any] = []
        if self.varying:
            adapted = [_adapted(adapters[n], columns[n]) for n in self.varying]
            json = _dumps(list(zip(*adapted, strict=True)))
            self.unfolded = bulk_text.unfolding(json, len(rows))

    def parameters(self, numbers: Iterable[int]) -> list[Any]:
        """Return the parameters of these columns that are the same in every row."""
        return [self._same[n] for n in numbers if n in self._same]


def insert(
    model: type[models.Model],
    rows: Sequence[Row],
    *,
    fields: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    conflict: Sequence[str] = (),
    add: Sequence[str] = (),
    replace: Sequence[str] = (),
    fill: Sequence[str] = (),
    within: str = "",
    runs: tuple[str, str] | None = None,
    ignore_conflicts: bool = False,
) -> int:
    """Insert rows, each a sequence of the values of `fields`; return the number of written rows.

    `constants` are the same in every row; fields named nowhere take the model's default. With
    `conflict` (the fields of a unique constraint) a row that exists is left alone, unless `add`
    (its numbers grow by the new ones), `replace` (its values become the new ones) or `fill` (its values
    become the new ones that are not empty) names fields. With `within`, `add` and `fill` hold only while this
    field stays the same; where it changes, the new values replace the old ones. `runs` names two numbers: the first
    grows by the new one, but restarts with it where the second is new and positive. With `ignore_conflicts` a row
    that breaks any unique constraint is left out, also one over expressions, which no fields can name.
    """
    if not rows:
        return 0
    names = tuple(fields)
    given = constants or {}
    rest = bulk_text.rest_of(model, names)
    values = _Values(model, names, rows)
    parameters = values.parameters(range(len(names)))
    for field, adapter in zip(rest, _adapters(model, tuple(field.name for field in rest)), strict=True):
        value = given[field.name] if field.name in given else field.get_default()
        parameters.append(adapter(_dumps(value) if isinstance(field, models.JSONField) else value))
    sql = bulk_text.insert_sql(
        connection.vendor,
        model,
        names,
        values.varying,
        conflict=tuple(conflict),
        add=tuple(add),
        replace=tuple(replace),
        fill=tuple(fill),
        within=within,
        runs=runs,
        ignore_conflicts=ignore_conflicts,
    )
    return statements.count(sql, [*parameters, *values.unfolded])


def update(model: type[models.Model], rows: Sequence[Row], *, match: Sequence[str], fields: Sequence[str]) -> list[int]:
    """Update the rows that still match; return the ids of those that did.

    Each row has the values of `match` (the id first, then the columns that must be unchanged), followed by the new
    values of `fields`. This is the guarded transition: a row that another writer has changed does not match, and its
    id is not returned.
    """
    if not rows:
        return []
    guards, names = tuple(match), tuple(fields)
    values = _Values(model, guards + names, rows)
    guarding = values.parameters(range(len(guards)))
    parameters = values.parameters(range(len(guards), len(guards) + len(names)))
    sql = bulk_text.update_sql(connection.vendor, model, guards, names, values.varying)
    return [row[0] for row in statements.rows(sql, [*parameters, *values.unfolded, *guarding])]


def lookup(
    model: type[models.Model], pairs: Sequence[tuple[int, str]], *, match: tuple[str, str], fields: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Find rows by pairs of an id and a text, the values of the fields `match`; return the values of `fields`.

    The model has a unique index of the text and of the id as the expression `id + 0`, which no other index has. So no
    statistics can make the planner read every row of one id instead. `fields` may be numbers, texts and times. Their
    values come as the database has them; `moment` reads a time. An id that is the same in every pair is sent once: the
    database unfolds plain texts in half the time of pairs.
    """
    owners = {owner for owner, _ in pairs}
    alone = len(owners) == 1
    sql = bulk_text.lookup_sql(connection.vendor, model, match, tuple(fields), alone=alone)
    json = _dumps([text for _, text in pairs] if alone else pairs)
    return statements.rows(sql, [*(owners if alone else ()), *bulk_text.unfolding(json, len(pairs))])


def moment(value: datetime | None) -> datetime | None:
    """Return a time as an aware one; SQLite stores UTC without a zone."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def insert_selected(model: type[models.Model], rows: models.QuerySet[Any], *, fields: Mapping[str, Any]) -> int:
    """Insert a row for each row that a query finds; return their number.

    `fields` maps each field to a column or an expression of the query. Other fields take the model's default.
    """
    rest = bulk_text.rest_of(model, tuple(fields))
    defaults = [models.Value(field.get_default(), output_field=field) for field in rest]
    sql, parameters = rows.values_list(*fields.values(), *defaults).query.sql_with_params()
    columns = ", ".join(map(bulk_text.column_of, [*bulk_text.fields_of(model, tuple(fields)), *rest]))
    return statements.count(f"INSERT INTO {bulk_text.table_of(model)} ({columns}) {sql}", parameters)


def keep_newest(model: type[models.Model], owners: Sequence[int], *, owner: str, keep: int) -> int:
    """Delete all but the newest rows of each of these owners; return the number of deleted rows."""
    ids = sorted(set(owners))
    if not ids:
        return 0
    sql = bulk_text.keep_newest_sql(connection.vendor, model, owner)
    return statements.count(sql, [*bulk_text.unfolding(_dumps([[pk] for pk in ids]), len(ids)), keep])


# --- values --------------------------------------------------------------------------------------------


@lru_cache(maxsize=STATEMENTS)
def _adapters(model: type[models.Model], names: tuple[str, ...]) -> tuple[Adapter, ...]:
    return tuple(_adapter(field) for field in bulk_text.fields_of(model, names))


@lru_cache(maxsize=STATEMENTS)
def _documents(model: type[models.Model], names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(n for n, field in enumerate(bulk_text.fields_of(model, names)) if isinstance(field, models.JSONField))


def _adapted(adapter: Adapter, values: Sequence[Any]) -> Sequence[Any]:
    return values if adapter is _same else list(map(adapter, values))


def _adapter(field: Field) -> Adapter:
    """Return the function that makes a value readable as text by the database: times and durations in its notation."""
    if isinstance(field, models.ForeignKey):
        return lambda value: getattr(value, "pk", value)
    if isinstance(field, models.DateTimeField):
        return _time
    if isinstance(field, (models.DurationField, models.UUIDField)):
        return lambda value: None if value is None else _length(field, value)
    return _same


def _same(value: Any) -> Any:
    return value


def _dumps(value: Any) -> str:
    return _encode(value).decode()


@lru_cache(maxsize=STATEMENTS)  # a transaction writes the same moment into many columns
def _time(value: datetime | None) -> str | None:
    return None if value is None else str(connection.ops.adapt_datetimefield_value(value))


def _length(field: Field, value: Any) -> Any:
    if isinstance(value, timedelta) and connection.vendor == "postgresql":
        return f"{value // timedelta(microseconds=1)} microseconds"
    prepared = field.get_db_prep_value(value, connection)
    return prepared if isinstance(prepared, int) else str(prepared)
