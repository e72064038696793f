"""Text of the statements of `bulk_sql`, made once for each vendor, model, choice of columns and varying columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import connection, models

from jobs.db.statements import STATEMENTS

if TYPE_CHECKING:
    Field = models.Field[Any, Any]


@lru_cache(maxsize=STATEMENTS)
def insert_sql(
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
    """Return an INSERT; `bulk_sql.insert` explains the choices."""
    fields, rest = fields_of(model, names), rest_of(model, names)
    columns = ", ".join(map(column_of, [*fields, *rest]))
    values = [*_expressions(fields, varying), *map(_parameter, rest)]
    origin = f" FROM ({_unfold([fields[n] for n in varying])}) AS r WHERE true ORDER BY n" if varying else " WHERE true"
    sql = f"INSERT INTO {table_of(model)} ({columns}) SELECT {', '.join(values)}{origin}"
    if ignore_conflicts:
        sql += " ON CONFLICT DO NOTHING"
    elif conflict:
        sql += _on_conflict(model, conflict=conflict, add=add, replace=replace, fill=fill, within=within, runs=runs)
    return sql


@lru_cache(maxsize=STATEMENTS)
def update_sql(
    vendor: str,
    model: type[models.Model],
    match: tuple[str, ...],
    names: tuple[str, ...],
    varying: tuple[int, ...],
) -> str:
    """Return an UPDATE of the rows that still match."""
    fields, table = fields_of(model, match + names), table_of(model)
    columns, values = list(map(column_of, fields)), _expressions(fields, varying)
    pairs = list(zip(columns, values, strict=True))
    sets = ", ".join(f"{column} = {value}" for column, value in pairs[len(match) :])
    terms = [f"{table}.{column} = {value}" for column, value in pairs[: len(match)]]
    where = " AND ".join([terms[0], *([_guard(terms[1:])] if terms[1:] else [])])
    origin = f" FROM ({_unfold([fields[n] for n in varying])}) AS r" if varying else ""
    return f"UPDATE {table} SET {sets}{origin} WHERE {where} RETURNING {table}.{_quote('id')}"


@lru_cache(maxsize=STATEMENTS)
def lookup_sql(
    vendor: str, model: type[models.Model], match: tuple[str, str], names: tuple[str, ...], *, alone: bool
) -> str:
    """Return a SELECT with one search for each pair."""
    table, keys = table_of(model), fields_of(model, match)
    columns = ", ".join(f"i.{column_of(field)}" for field in fields_of(model, names))
    owner, text = map(column_of, keys)
    pairs = _unfold_texts(_parameter(keys[0])) if alone else _unfold(keys)
    # One search for each pair, in this order, whatever the planner's statistics: by a CROSS JOIN on SQLite, by a
    # subquery that cannot be merged (OFFSET 0) on PostgreSQL.
    found = f"SELECT * FROM {table} WHERE {text} = r.c1 AND ({owner} + 0) = r.c0 OFFSET 0"
    join = f"{table} AS i WHERE i.{text} = r.c1 AND (i.{owner} + 0) = r.c0"
    joined = f"LATERAL ({found}) AS i" if vendor == "postgresql" else join
    return f"SELECT {columns} FROM ({pairs}) AS r CROSS JOIN {joined}"


@lru_cache(maxsize=STATEMENTS)
def keep_newest_sql(vendor: str, model: type[models.Model], owner: str) -> str:
    """Return a DELETE of all but the newest rows of each owner."""
    table, owners = table_of(model), fields_of(model, (owner,))
    column = column_of(owners[0])
    newest_old = f"SELECT b.id FROM {table} AS b WHERE b.{column} = r.c0 ORDER BY b.id DESC LIMIT 1 OFFSET %s"
    rows = f"({_unfold(owners)}) AS r CROSS JOIN {table} AS a"
    old = f"SELECT a.id FROM {rows} WHERE a.{column} = r.c0 AND a.id <= ({newest_old})"
    return f"DELETE FROM {table} WHERE id IN ({old})"


def _expressions(fields: Sequence[Field], varying: Sequence[int]) -> list[str]:
    """Return the expression of each column: of the unfolded rows where it varies, else a parameter."""
    place = {n: at for at, n in enumerate(varying)}
    return [f"r.c{place[n]}" if n in place else _parameter(field) for n, field in enumerate(fields)]


@lru_cache(maxsize=STATEMENTS)
def fields_of(model: type[models.Model], names: tuple[str, ...]) -> tuple[Field, ...]:
    """Return the fields of these names."""
    found = {field.name: field for field in model._meta.concrete_fields}
    return tuple(found[name] for name in names)


@lru_cache(maxsize=STATEMENTS)
def rest_of(model: type[models.Model], names: tuple[str, ...]) -> tuple[Field, ...]:
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
    keys = ", ".join(column_of(field) for field in fields_of(model, conflict))
    table = table_of(model)
    kept = {c: f"{table}.{c} + EXCLUDED.{c}" for c in map(column_of, fields_of(model, add))}
    for field in fields_of(model, fill):
        column = column_of(field)
        given = f"NULLIF(EXCLUDED.{column}, '')" if isinstance(field, models.CharField) else f"EXCLUDED.{column}"
        kept[column] = f"COALESCE({given}, {table}.{column})"
    if runs:
        run, ended = map(column_of, fields_of(model, runs))
        longer = f"{table}.{run} + EXCLUDED.{run}"
        kept[run] = f"CASE WHEN EXCLUDED.{ended} > 0 THEN EXCLUDED.{run} ELSE {longer} END"
    if within:
        [of] = map(column_of, fields_of(model, (within,)))
        same = f"{table}.{of} = EXCLUDED.{of}"
        kept = {c: f"CASE WHEN {same} THEN {value} ELSE EXCLUDED.{c} END" for c, value in kept.items()}
    sets = [f"{column} = {value}" for column, value in kept.items()]
    sets += [f"{c} = EXCLUDED.{c}" for c in map(column_of, fields_of(model, replace))]
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


def unfolding(json: str, rows: int) -> list[Any]:
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


def table_of(model: type[models.Model]) -> str:
    """Return the quoted name of the table."""
    return _quote(model._meta.db_table)


def column_of(field: Field) -> str:
    """Return the quoted name of the column."""
    return _quote(str(field.column))


def _quote(name: str) -> str:
    return str(connection.ops.quote_name(name))
