"""Deletion of any number of rows in short transactions.

Django's own `delete` loads every referring row and works in one transaction. A job of a million items would cost
hundreds of MiB and block every other writer of SQLite meanwhile.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from math import inf
from typing import Any

from django.db import models, transaction

from jobs.db.pauses import with_pauses

# About 0.1 s of SQLite's write lock for rows with as many indexes as an item has.
PORTION = 2000
_end: ContextVar[float] = ContextVar("end", default=inf)


class _TimeIsOver(Exception):
    """The time for a deletion is over; the next call continues."""


def delete(rows: models.QuerySet[Any]) -> int:
    """Delete these rows and, before them, the referring ones; return the number of deleted rows.

    Each portion is a transaction of its own: after an interruption the rest still exists, and a second call deletes
    it. Only ids are loaded.
    """
    deleted = 0
    for ids in with_pauses(_portions(rows)):
        deleted += _delete_portion(rows.model, ids)
        if time.monotonic() >= _end.get():
            raise _TimeIsOver
    return deleted


def delete_until(end: float, rows: models.QuerySet[Any]) -> bool:
    """Delete until this time of `time.monotonic`, at least one portion; return True if nothing is left."""
    token = _end.set(end)
    try:
        delete(rows)
    except _TimeIsOver:
        return not rows.exists()
    finally:
        _end.reset(token)
    return True


def count_referring(rows: models.QuerySet[Any]) -> dict[tuple[str, str], int]:
    """Count the rows that go with these, by the singular and the plural name of their model."""
    counts: Counter[type[models.Model]] = Counter()
    _count(rows, counts)
    return {
        (str(model._meta.verbose_name), str(model._meta.verbose_name_plural)): number
        for model, number in counts.items()
        if number
    }


def _count(rows: models.QuerySet[Any], counts: Counter[type[models.Model]]) -> None:
    for relation in _relations(rows.model):
        if relation.on_delete is models.CASCADE:
            found = _referring(relation, rows.order_by().values("pk"))
            number = found.count()
            # A delivery refers to its job and to its event, but is one row.
            counts[found.model] = max(counts[found.model], number)
            if number:
                _count(found, counts)


def _portions(rows: models.QuerySet[Any]) -> Iterator[list[Any]]:
    while ids := list(rows.order_by().values_list("pk", flat=True)[:PORTION]):
        yield ids
        if len(ids) < PORTION:
            return


def _delete_portion(model: type[models.Model], ids: Sequence[Any]) -> int:
    for relation in _relations(model):
        if relation.on_delete is models.CASCADE:
            delete(_referring(relation, ids))
    with transaction.atomic():
        for relation in _relations(model):
            if relation.on_delete is models.SET_NULL:
                _referring(relation, ids).update(**{relation.field.name: None})
        gone = model._base_manager.filter(pk__in=ids)
        return int(gone._raw_delete(gone.db) or 0)


def _relations(model: type[models.Model]) -> list[Any]:
    """Return the foreign keys to this model, also the hidden ones."""
    fields = model._meta.get_fields(include_hidden=True)
    return [field for field in fields if field.auto_created and not field.concrete and not field.many_to_many]


def _referring(relation: Any, ids: Sequence[Any] | models.QuerySet[Any, Any]) -> models.QuerySet[Any]:
    found: models.QuerySet[Any] = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": ids})
    return found
