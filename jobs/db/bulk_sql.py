"""Many rows in one SQL statement.

`insert` and `update` send what differs between their rows as one JSON parameter that the database
unfolds, and what is the same in all of them as plain parameters. So a statement's count and text stay
the same for one row and for thousands. The ORM's own bulk methods split on SQLite at 999 parameters
and build a CASE per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection, models

if TYPE_CHECKING:
    Field = models.Field[Any, Any]

Row = Sequence[Any]


class _Source:
    """Rows as SQL: the expression of each column, the FROM that they come from, and its parameters."""

    def __init__(self, fields: Sequence[Field], rows: Sequence[Row]) -> None:
        columns = [_comparable(field, values) for field, values in zip(fields, zip(*rows, strict=True), strict=True)]
        varying = [n for n, values in enumerate(columns) if values.count(values[0]) != len(values)]
        self._fields = fields
        self._place = {n: at for at, n in enumerate(varying)}
        self._same = {n: _adapter(fields[n])(columns[n][0]) for n in range(len(fields)) if n not in self._place}
        self.sql = _unfold([fields[n] for n in varying]) if varying else ""
        unfolded = _json([fields[n] for n in varying], [columns[n] for n in varying]) if varying else ""
        self.parameters = _unfolding(unfolded, len(rows)) if varying else []

    def column(self, n: int) -> tuple[str, list[Any]]:
        """The expression of the n-th column, and its parameter where it is the same in every row."""
        if n in self._place:
            return f"r.c{self._place[n]}", []
        return _parameter(self._fields[n]), [self._same[n]]

    def columns(self, numbers: Iterable[int]) -> tuple[list[str], list[Any]]:
        """Several columns at once."""
        found = [self.column(n) for n in numbers]
        return [sql for sql, _ in found], [value for _, values in found for value in values]


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
    ignore_conflicts: bool = False,
) -> int:
    """Insert rows, each a sequence of the values of `fields`; answer how many were written.

    `constants` are the same in every row; fields named nowhere take the model's default. With
    `conflict` (the fields of a unique constraint) a row that exists is left alone, unless `add`
    (its numbers grow by the new ones), `replace` (its values become the new ones) or `fill` (its texts
    become the new ones that are not empty) names fields. With `ignore_conflicts` a row that breaks any unique
    constraint is left out, also one over expressions, which no fields can name.
    """
    if not rows:
        return 0
    named = _fields(model, fields)
    fixed = _constants(model, given=set(fields), constants=constants or {})
    source = _Source(named, rows)
    values, parameters = source.columns(range(len(named)))
    parameters += [_adapter(field)(_comparable(field, [value])[0]) for field, value in fixed]
    values += [_parameter(field) for field, _ in fixed]
    columns = ", ".join(_column(field) for field in [*named, *(field for field, _ in fixed)])
    origin = f" FROM ({source.sql}) AS r WHERE true ORDER BY n" if source.sql else " WHERE true"
    sql = f"INSERT INTO {_table(model)} ({columns}) SELECT {', '.join(values)}{origin}"
    if ignore_conflicts:
        sql += " ON CONFLICT DO NOTHING"
    elif conflict:
        sql += _on_conflict(model, conflict=conflict, add=add, replace=replace, fill=fill)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *source.parameters])
        return int(cursor.rowcount)


def update(model: type[models.Model], rows: Sequence[Row], *, match: Sequence[str], fields: Sequence[str]) -> list[int]:
    """Update the rows that still match; answer the ids of those that did.

    Each row holds the values of `match` (the id first, then whatever must be unchanged) followed by
    the new values of `fields`. This is the guarded transition: a row that somebody else has moved
    meanwhile does not match and is not in the answer.
    """
    if not rows:
        return []
    guards, named = _fields(model, match), _fields(model, fields)
    source, table = _Source([*guards, *named], rows), _table(model)
    values, parameters = source.columns(range(len(guards), len(guards) + len(named)))
    wanted, guarding = source.columns(range(len(guards)))
    sets = ", ".join(f"{_column(field)} = {value}" for field, value in zip(named, values, strict=True))
    terms = [f"{table}.{_column(field)} = {value}" for field, value in zip(guards, wanted, strict=True)]
    where = " AND ".join([terms[0], *([_guard(terms[1:])] if terms[1:] else [])])
    origin = f" FROM ({source.sql}) AS r" if source.sql else ""
    sql = f"UPDATE {table} SET {sets}{origin} WHERE {where} RETURNING {table}.{_quote('id')}"
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *source.parameters, *guarding])
        return [row[0] for row in cursor.fetchall()]


def lookup(
    model: type[models.Model], pairs: Sequence[tuple[int, str]], *, match: tuple[str, str], fields: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Rows by pairs of an id and a text, the values of the fields `match`; answer the values of `fields`.

    The model has a unique index of the text and of the id as the expression `id + 0`, which no other index holds. So
    no statistics can make the planner read every row of one id instead.
    Only fields of numbers and texts can be asked for: their values come as the database has them.
    """
    table = _table(model)
    keys = _fields(model, match)
    columns = ", ".join(f"i.{_column(field)}" for field in _fields(model, fields))
    owner, text = map(_column, keys)
    # One search for each pair, in this order, whatever the planner believes: a CROSS JOIN says that to SQLite, a
    # subquery that cannot be merged (OFFSET 0) to PostgreSQL.
    found = f"SELECT * FROM {table} WHERE {text} = r.c1 AND ({owner} + 0) = r.c0 OFFSET 0"
    join = f"{table} AS i WHERE i.{text} = r.c1 AND (i.{owner} + 0) = r.c0"
    joined = f"LATERAL ({found}) AS i" if connection.vendor == "postgresql" else join
    with connection.cursor() as cursor:
        sql = f"SELECT {columns} FROM ({_unfold(keys)}) AS r CROSS JOIN {joined}"
        cursor.execute(sql, _unfolding(_dumps(pairs), len(pairs)))
        return cursor.fetchall()


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Field]:
    found = {field.name: field for field in model._meta.concrete_fields}
    return [found[name] for name in names]


def _constants(model: type[models.Model], *, given: set[str], constants: Mapping[str, Any]) -> list[tuple[Field, Any]]:
    fields = [f for f in model._meta.concrete_fields if f.name not in given and not f.primary_key]
    return [(field, constants.get(field.name, field.get_default())) for field in fields]


def _on_conflict(
    model: type[models.Model],
    *,
    conflict: Sequence[str],
    add: Sequence[str],
    replace: Sequence[str],
    fill: Sequence[str],
) -> str:
    keys = ", ".join(_column(field) for field in _fields(model, conflict))
    table = _table(model)
    sets = [f"{_column(f)} = {table}.{_column(f)} + EXCLUDED.{_column(f)}" for f in _fields(model, add)]
    sets += [f"{_column(f)} = EXCLUDED.{_column(f)}" for f in _fields(model, replace)]
    sets += [f"{c} = COALESCE(NULLIF(EXCLUDED.{c}, ''), {table}.{c})" for c in map(_column, _fields(model, fill))]
    return f" ON CONFLICT ({keys}) DO " + ("UPDATE SET " + ", ".join(sets) if sets else "NOTHING")


def _unfold(fields: Sequence[Field]) -> str:
    """The SELECT that unfolds the JSON parameter into the columns c0, c1, … and the row number n."""
    if connection.vendor == "postgresql":
        columns = ", ".join(f"(value->>{n})::{_cast(field)} AS c{n}" for n, field in enumerate(fields))
        # The limit tells the planner how many rows there are; without it a single one counts as a hundred.
        rows = "jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS a(value) LIMIT %s"
        return f"SELECT ordinality AS n, {columns} FROM {rows}"
    columns = ", ".join(f"json_extract(value, '$[{n}]') AS c{n}" for n in range(len(fields)))
    return f"SELECT key AS n, {columns} FROM json_each(%s)"


def _unfolding(json: str, rows: int) -> list[Any]:
    """The parameters of `_unfold`."""
    return [json, rows] if connection.vendor == "postgresql" else [json]


def _guard(terms: Sequence[str]) -> str:
    """These conditions as one that cannot choose the plan: only the id may.

    SQLite would rather walk an index over every pending item. PostgreSQL would too while its statistics are older than
    the phase, or believe that the conditions leave one row and compare every row with every other.
    """
    return f"CASE WHEN {' AND '.join(terms)} THEN true ELSE false END"


def _parameter(field: Field) -> str:
    return f"%s::{_cast(field)}" if connection.vendor == "postgresql" else "%s"


def _cast(field: Field) -> str:
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, models.CharField):
        return "text"
    if isinstance(target, models.AutoField):
        return "bigint"
    return str(target.db_type(connection))


def _json(fields: Sequence[Field], columns: Sequence[Sequence[Any]]) -> str:
    adapted = [
        values if _is_plain(field) else list(map(_adapter(field), values))
        for field, values in zip(fields, columns, strict=True)
    ]
    return msgspec.json.encode(list(zip(*adapted, strict=True))).decode()


def _comparable(field: Field, values: Sequence[Any]) -> Sequence[Any]:
    """JSON goes by its text, in which 1, 1.0 and true differ."""
    return [_dumps(value) for value in values] if isinstance(field, models.JSONField) else values


def _is_plain(field: Field) -> bool:
    odd = (models.DateTimeField, models.DurationField, models.UUIDField, models.ForeignKey)
    return not isinstance(field, odd)


def _adapter(field: Field) -> Callable[[Any], Any]:
    """A value as the database takes it from text: times and lengths of time in its own notation."""
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
    return msgspec.json.encode(value).decode()


def _time(value: datetime | None) -> str | None:
    return None if value is None else str(connection.ops.adapt_datetimefield_value(value))


def _length(field: Field, value: Any) -> Any:
    if isinstance(value, timedelta) and connection.vendor == "postgresql":
        return f"{value // timedelta(microseconds=1)} microseconds"
    prepared = field.get_db_prep_value(value, connection)
    return prepared if isinstance(prepared, int) else str(prepared)


def _table(model: type[models.Model]) -> str:
    return _quote(model._meta.db_table)


def _column(field: Field) -> str:
    return _quote(str(field.column))


def _quote(name: str) -> str:
    return str(connection.ops.quote_name(name))
