"""Many rows in one SQL statement.

`insert` and `update` send all their rows as one JSON parameter that the database unfolds, so that
a statement's count, its text and its parameters stay the same for one row and for thousands. The
ORM's own bulk methods split on SQLite at 999 parameters and build a CASE per row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models

Row = Sequence[Any]


def insert(
    model: type[models.Model],
    rows: Iterable[Row],
    *,
    fields: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    conflict: Sequence[str] = (),
    add: Sequence[str] = (),
    replace: Sequence[str] = (),
) -> int:
    """Insert rows, each a sequence of the values of `fields`; answer how many were written.

    `constants` are the same in every row; fields named nowhere take the model's default. With
    `conflict` (the fields of a unique constraint) a row that exists is left alone, unless `add`
    (its numbers grow by the new ones) or `replace` (its values become the new ones) names fields.
    """
    named = _fields(model, fields)
    fixed = _constants(model, given=set(fields), constants=constants or {})
    columns = ", ".join(_column(field) for field in [*named, *(field for field, _ in fixed)])
    values = ", ".join([f"c{n}" for n in range(len(named))] + [_parameter(field) for field, _ in fixed])
    sql = f"INSERT INTO {_table(model)} ({columns}) SELECT {values} FROM ({_source(named)}) AS r WHERE true ORDER BY n"
    if conflict:
        sql += _on_conflict(model, conflict=conflict, add=add, replace=replace)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*(_adapt(field, value) for field, value in fixed), _json(named, rows)])
        return int(cursor.rowcount)


def update(
    model: type[models.Model], rows: Iterable[Row], *, match: Sequence[str], fields: Sequence[str]
) -> list[int]:
    """Update the rows that still match; answer the ids of those that did.

    Each row holds the values of `match` (the id first, then whatever must be unchanged) followed by
    the new values of `fields`. This is the guarded transition: a row that somebody else has moved
    meanwhile does not match and is not in the answer.
    """
    guards, named = _fields(model, match), _fields(model, fields)
    columns = [*guards, *named]
    table = _table(model)
    sets = ", ".join(f"{_column(field)} = r.c{len(guards) + n}" for n, field in enumerate(named))
    where = " AND ".join(f"{table}.{_column(field)} = r.c{n}" for n, field in enumerate(guards))
    sql = f"UPDATE {table} SET {sets} FROM ({_source(columns)}) AS r WHERE {where} RETURNING {_quote('id')}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [_json(columns, rows)])
        return [row[0] for row in cursor.fetchall()]


def next_ids(model: type[models.Model], count: int) -> range:
    """Take `count` ids from a one-row counter table and keep its row locked until the commit."""
    table = _table(model)
    sql = (
        f"INSERT INTO {table} (id, value) VALUES (1, %s) "
        f"ON CONFLICT (id) DO UPDATE SET value = {table}.value + EXCLUDED.value RETURNING value"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [count])
        last = int(cursor.fetchone()[0])
    return range(last - count + 1, last + 1)


def _fields(model: type[models.Model], names: Sequence[str]) -> list[models.Field[Any, Any]]:
    return [model._meta.get_field(name) for name in names]  # type: ignore[misc]


def _constants(
    model: type[models.Model], *, given: set[str], constants: Mapping[str, Any]
) -> list[tuple[models.Field[Any, Any], Any]]:
    fields = [f for f in model._meta.concrete_fields if f.name not in given and not f.primary_key]
    return [(field, constants.get(field.name, field.get_default())) for field in fields]


def _on_conflict(
    model: type[models.Model], *, conflict: Sequence[str], add: Sequence[str], replace: Sequence[str]
) -> str:
    keys = ", ".join(_column(field) for field in _fields(model, conflict))
    added = [f"{_column(f)} = {_table(model)}.{_column(f)} + EXCLUDED.{_column(f)}"
             for f in _fields(model, add)]  # fmt: skip
    replaced = [f"{_column(f)} = EXCLUDED.{_column(f)}" for f in _fields(model, replace)]
    act = "UPDATE SET " + ", ".join(added + replaced) if added or replaced else "NOTHING"
    return f" ON CONFLICT ({keys}) DO {act}"


def _source(fields: Sequence[models.Field[Any, Any]]) -> str:
    """The SELECT that unfolds the JSON parameter into the columns c0, c1, … and the row number n."""
    if connection.vendor == "postgresql":
        columns = ", ".join(f"(value->>{n})::{_cast(field)} AS c{n}" for n, field in enumerate(fields))
        return f"SELECT ordinality AS n, {columns} FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS a(value)"
    columns = ", ".join(f"json_extract(value, '$[{n}]') AS c{n}" for n in range(len(fields)))
    return f"SELECT key AS n, {columns} FROM json_each(%s)"


def _parameter(field: models.Field[Any, Any]) -> str:
    return f"%s::{_cast(field)}" if connection.vendor == "postgresql" else "%s"


def _cast(field: models.Field[Any, Any]) -> str:
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, models.CharField):
        return "text"
    if isinstance(target, models.AutoField):
        return "bigint"
    return str(target.db_type(connection))


def _json(fields: Sequence[models.Field[Any, Any]], rows: Iterable[Row]) -> str:
    encoders = [_encoder(field) for field in fields]
    return json.dumps(
        [[encode(value) for encode, value in zip(encoders, row, strict=True)] for row in rows], separators=(",", ":")
    )


def _encoder(field: models.Field[Any, Any]) -> Any:
    if isinstance(field, models.JSONField):
        return _dumps
    if isinstance(field, (models.DateTimeField, models.DurationField, models.UUIDField)):
        return lambda value: _adapt(field, value)
    return _plain


def _plain(value: Any) -> Any:
    return value


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _adapt(field: models.Field[Any, Any], value: Any) -> Any:
    """A value as the database takes it from text: times and lengths of time in its own notation."""
    if value is None:
        return None
    if isinstance(field, models.JSONField):
        return _dumps(value)
    if isinstance(value, datetime):
        return str(connection.ops.adapt_datetimefield_value(value))
    if isinstance(value, timedelta) and connection.vendor == "postgresql":
        return f"{value.total_seconds()} seconds"
    prepared = field.get_db_prep_value(value, connection)
    return prepared if isinstance(prepared, (str, int, float, bool, type(None))) else str(prepared)


def _table(model: type[models.Model]) -> str:
    return _quote(model._meta.db_table)


def _column(field: models.Field[Any, Any]) -> str:
    return _quote(str(field.column))


def _quote(name: str) -> str:
    return str(connection.ops.quote_name(name))
