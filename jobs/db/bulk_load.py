"""Rows by their ids, in one SQL statement whose text is made once.

The ORM builds the text of a query again for every call. For the few queries that every call of a worker makes, this
takes ten times as long as to run them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from django.db import connection, models

from jobs.db import statements

M = TypeVar("M", bound=models.Model)
STATEMENTS = 64  # texts that are kept


def load(
    model: type[M],
    ids: Iterable[int],
    *,
    match: str = "id",
    order: Sequence[str] = ("id",),
    null: Sequence[str] = (),
    lock: str = "",
) -> list[M]:
    """Load the rows whose column `match` is one of these ids, as models; those columns of `null` must be null.

    `lock` is the end of the statement, such as `FOR NO KEY UPDATE`.
    """
    names = [field.name for field in model._meta.concrete_fields]
    found = values(model, ids, fields=names, match=match, order=order, null=null, lock=lock)
    columns = [field.attname for field in model._meta.concrete_fields]
    return [model.from_db(connection.alias, columns, row) for row in found]


def values(
    model: type[models.Model],
    ids: Iterable[int],
    *,
    fields: Sequence[str],
    match: str = "id",
    order: Sequence[str] = ("id",),
    null: Sequence[str] = (),
    lock: str = "",
) -> list[list[Any]]:
    """Return the values of `fields` of the rows that `load` would load."""
    wanted, names = list(ids), tuple(fields)
    if not wanted:
        return []
    db = statements.database()
    sql = _values_sql(db.vendor, model, names, match, tuple(order), tuple(null), lock)
    parameter = wanted if db.vendor == "postgresql" else msgspec.json.encode(wanted).decode()
    found = [list(row) for row in statements.rows(sql, [parameter])]
    for place, column, converters in _converters(db.vendor, model, names):
        for row in found:
            if row[place] is not None:
                for convert in converters:
                    row[place] = convert(row[place], column, db)
    return found


@lru_cache(maxsize=STATEMENTS)
def _values_sql(
    vendor: str,
    model: type[models.Model],
    names: tuple[str, ...],
    match: str,
    order: tuple[str, ...],
    null: tuple[str, ...],
    lock: str,
) -> str:
    columns = ", ".join(_column(model, name) for name in names)
    of_ids = "= ANY(%s)" if vendor == "postgresql" else "IN (SELECT value FROM json_each(%s))"
    terms = [f"{_column(model, match)} {of_ids}", *(f"{_column(model, name)} IS NULL" for name in null)]
    sorting = ", ".join(_column(model, name) for name in order)
    table = connection.ops.quote_name(model._meta.db_table)
    return f"SELECT {columns} FROM {table} WHERE {' AND '.join(terms)} ORDER BY {sorting} {lock}".rstrip()


@lru_cache(maxsize=STATEMENTS)
def _converters(vendor: str, model: type[models.Model], names: tuple[str, ...]) -> list[tuple[int, Any, list[Any]]]:
    """Return the columns whose values must be converted: their place, expression and converters."""
    columns = [model._meta.get_field(name).get_col(model._meta.db_table) for name in names]  # type: ignore[union-attr]
    found = [[*connection.ops.get_db_converters(col), *col.get_db_converters(connection)] for col in columns]
    return [(place, columns[place], converters) for place, converters in enumerate(found) if converters]


def _column(model: type[models.Model], name: str) -> str:
    return str(connection.ops.quote_name(str(model._meta.get_field(name).column)))  # type: ignore[union-attr]
