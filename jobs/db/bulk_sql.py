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

from jobs.db import statements
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
            self.unfolded = _unfolding(json, len(rows))

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
    rest = _rest(model, names)
    values = _Values(model, names, rows)
    parameters = values.parameters(range(len(names)))
    for field, adapter in zip(rest, _adapters(model, tuple(field.name for field in rest)), strict=True):
        value = given[field.name] if field.name in given else field.get_default()
        parameters.append(adapter(_dumps(value) if isinstance(field, models.JSONField) else value))
    sql = _insert_sql(
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
    sql = _update_sql(connection.vendor, model, guards, names, values.varying)
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
    sql = _lookup_sql(connection.vendor, model, match, tuple(fields), alone=alone)
    json = _dumps([text for _, text in pairs] if alone else pairs)
    return statements.rows(sql, [*(owners if alone else ()), *_unfolding(json, len(pairs))])


def moment(value: datetime | None) -> datetime | None:
    """Return a time as an aware one; SQLite stores UTC without a zone."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def insert_selected(model: type[models.Model], rows: models.QuerySet[Any], *, fields: Mapping[str, Any]) -> int:
    """Insert a row for each row that a query finds; return their number.

    `fields` maps each field to a column or an expression of the query. Other fields take the model's default.
    """
    rest = _rest(model, tuple(fields))
    defaults = [models.Value(field.get_default(), output_field=field) for field in rest]
    sql, parameters = rows.values_list(*fields.values(), *defaults).query.sql_with_params()
    columns = ", ".join(map(_column, [*_fields(model, tuple(fields)), *rest]))
    return statements.count(f"INSERT INTO {_table(model)} ({columns}) {sql}", parameters)


def keep_newest(model: type[models.Model], owners: Sequence[int], *, owner: str, keep: int) -> int:
    """Delete all but the newest rows of each of these owners; return the number of deleted rows."""
    ids = sorted(set(owners))
    if not ids:
        return 0
    sql = _keep_newest_sql(connection.vendor, model, owner)
    return statements.count(sql, [*_unfolding(_dumps([[pk] for pk in ids]), len(ids)), keep])


# --- the text of a statement, made once for each vendor, model, choice of columns and set of those that vary ----------


@lru_cache(maxsize=STATEMENTS)
def _insert_sql(
    vendor: str,
    model: type[models.Model],
    names: tuple[str, ...],
    varying: tuple[int, ...],
    *,
    conflict: tuple[str, ...],
    add: tuple[str, ...],
    replace: tuple[str, ...],
    fill: tuple[str, ...],
    within: str,
    runs: tuple[str, str] | None,
    ignore_conflicts: bool,
) -> str:
    fields, rest = _fields(model, names), _rest(model, names)
    columns = ", ".join(map(_column, [*fields, *rest]))
    values = [*_expressions(fields, varying), *map(_parameter, rest)]
    origin = f" FROM ({_unfold([fields[n] for n in varying])}) AS r WHERE true ORDER BY n" if varying else " WHERE true"
    sql = f"INSERT INTO {_table(model)} ({columns}) SELECT {', '.join(values)}{origin}"
    if ignore_conflicts:
        sql += " ON CONFLICT DO NOTHING"
    elif conflict:
        sql += _on_conflict(model, conflict=conflict, add=add, replace=replace, fill=fill, within=within, runs=runs)
    return sql


@lru_cache(maxsize=STATEMENTS)
def _update_sql(
    vendor: str,
    model: type[models.Model],
    match: tuple[str, ...],
    names: tuple[str, ...],
    varying: tuple[int, ...],
) -> str:
    fields, table = _fields(model, match + names), _table(model)
    columns, values = list(map(_column, fields)), _expressions(fields, varying)
    pairs = list(zip(columns, values, strict=True))
    sets = ", ".join(f"{column} = {value}" for column, value in pairs[len(match) :])
    terms = [f"{table}.{column} = {value}" for column, value in pairs[: len(match)]]
    where = " AND ".join([terms[0], *([_guard(terms[1:])] if terms[1:] else [])])
    origin = f" FROM ({_unfold([fields[n] for n in varying])}) AS r" if varying else ""
    return f"UPDATE {table} SET {sets}{origin} WHERE {where} RETURNING {table}.{_quote('id')}"


@lru_cache(maxsize=STATEMENTS)
def _lookup_sql(
    vendor: str, model: type[models.Model], match: tuple[str, str], names: tuple[str, ...], *, alone: bool
) -> str:
    table, keys = _table(model), _fields(model, match)
    columns = ", ".join(f"i.{_column(field)}" for field in _fields(model, names))
    owner, text = map(_column, keys)
    pairs = _unfold_texts(_parameter(keys[0])) if alone else _unfold(keys)
    # One search for each pair, in this order, whatever the planner's statistics: by a CROSS JOIN on SQLite, by a
    # subquery that cannot be merged (OFFSET 0) on PostgreSQL.
    found = f"SELECT * FROM {table} WHERE {text} = r.c1 AND ({owner} + 0) = r.c0 OFFSET 0"
    join = f"{table} AS i WHERE i.{text} = r.c1 AND (i.{owner} + 0) = r.c0"
    joined = f"LATERAL ({found}) AS i" if vendor == "postgresql" else join
    return f"SELECT {columns} FROM ({pairs}) AS r CROSS JOIN {joined}"


@lru_cache(maxsize=STATEMENTS)
def _keep_newest_sql(vendor: str, model: type[models.Model], owner: str) -> str:
    table, owners = _table(model), _fields(model, (owner,))
    column = _column(owners[0])
    newest_old = f"SELECT b.id FROM {table} AS b WHERE b.{column} = r.c0 ORDER BY b.id DESC LIMIT 1 OFFSET %s"
    rows = f"({_unfold(owners)}) AS r CROSS JOIN {table} AS a"
    old = f"SELECT a.id FROM {rows} WHERE a.{column} = r.c0 AND a.id <= ({newest_old})"
    return f"DELETE FROM {table} WHERE id IN ({old})"


def _expressions(fields: Sequence[Field], varying: Sequence[int]) -> list[str]:
    """Return the expression of each column: of the unfolded rows where it varies, else a parameter."""
    place = {n: at for at, n in enumerate(varying)}
    return [f"r.c{place[n]}" if n in place else _parameter(field) for n, field in enumerate(fields)]


@lru_cache(maxsize=STATEMENTS)
def _fields(model: type[models.Model], names: tuple[str, ...]) -> tuple[Field, ...]:
    found = {field.name: field for field in model._meta.concrete_fields}
    return tuple(found[name] for name in names)


@lru_cache(maxsize=STATEMENTS)
def _adapters(model: type[models.Model], names: tuple[str, ...]) -> tuple[Adapter, ...]:
    return tuple(_adapter(field) for field in _fields(model, names))


@lru_cache(maxsize=STATEMENTS)
def _documents(model: type[models.Model], names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(n for n, field in enumerate(_fields(model, names)) if isinstance(field, models.JSONField))


@lru_cache(maxsize=STATEMENTS)
def _rest(model: type[models.Model], names: tuple[str, ...]) -> tuple[Field, ...]:
    """Return the fields that are not given, whose values are constants or defaults."""
    found = model._meta.concrete_fields
    return tuple(field for field in found if field.name not in names and not field.primary_key)


def _on_conflict(
    model: type[models.Model],
    *,
    conflict: tuple[str, ...],
    add: tuple[str, ...],
    replace: tuple[str, ...],
    fill: tuple[str, ...],
    within: str,
    runs: tuple[str, str] | None,
) -> str:
    keys = ", ".join(_column(field) for field in _fields(model, conflict))
    table = _table(model)
    kept = {c: f"{table}.{c} + EXCLUDED.{c}" for c in map(_column, _fields(model, add))}
    for field in _fields(model, fill):
        column = _column(field)
        given = f"NULLIF(EXCLUDED.{column}, '')" if isinstance(field, models.CharField) else f"EXCLUDED.{column}"
        kept[column] = f"COALESCE({given}, {table}.{column})"
    if runs:
        run, ended = map(_column, _fields(model, runs))
        longer = f"{table}.{run} + EXCLUDED.{run}"
        kept[run] = f"CASE WHEN EXCLUDED.{ended} > 0 THEN EXCLUDED.{run} ELSE {longer} END"
    if within:
        [of] = map(_column, _fields(model, (within,)))
        same = f"{table}.{of} = EXCLUDED.{of}"
        kept = {c: f"CASE WHEN {same} THEN {value} ELSE EXCLUDED.{c} END" for c, value in kept.items()}
    sets = [f"{column} = {value}" for column, value in kept.items()]
    sets += [f"{c} = EXCLUDED.{c}" for c in map(_column, _fields(model, replace))]
    return f" ON CONFLICT ({keys}) DO " + ("UPDATE SET " + ", ".join(sets) if sets else "NOTHING")


def _unfold(fields: Sequence[Field]) -> str:
    """Return the SELECT that unfolds the JSON parameter into the columns c0, c1, … and the row number n."""
    if connection.vendor == "postgresql":
        columns = ", ".join(f"(value->>{n})::{_cast(field)} AS c{n}" for n, field in enumerate(fields))
        # The limit gives the planner the number of rows; without it a single one counts as a hundred.
        rows = "jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS a(value) LIMIT %s"
        return f"SELECT ordinality AS n, {columns} FROM {rows}"
    columns = ", ".join(f"json_extract(value, '$[{n}]') AS c{n}" for n in range(len(fields)))
    return f"SELECT key AS n, {columns} FROM json_each(%s)"


def _unfold_texts(first: str) -> str:
    """Return the SELECT that unfolds plain texts into the column c1, beside the same first value c0."""
    if connection.vendor == "postgresql":
        return f"SELECT {first} AS c0, value AS c1 FROM jsonb_array_elements_text(%s::jsonb) AS a(value) LIMIT %s"
    return f"SELECT {first} AS c0, value AS c1 FROM json_each(%s)"


def _unfolding(json: str, rows: int) -> list[Any]:
    """Return the parameters of `_unfold` and `_unfold_texts`."""
    return [json, rows] if connection.vendor == "postgresql" else [json]


def _guard(terms: Sequence[str]) -> str:
    """Join these conditions to one that cannot choose the plan: only the id may.

    SQLite would rather walk an index over every pending item. PostgreSQL would too while its statistics are older than
    the phase. Or it would expect one row of the conditions and compare every row with every other.
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


def _table(model: type[models.Model]) -> str:
    return _quote(model._meta.db_table)


def _column(field: Field) -> str:
    return _quote(str(field.column))


def _quote(name: str) -> str:
    return str(connection.ops.quote_name(name))
