"""Deletion of any number of rows in short transactions.

Django's own `delete` loads every referring row and works in one transaction. A job of a million items would cost
hundreds of MiB and block every other writer of SQLite meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models, transaction

# About 0.1 s of SQLite's write lock for rows with as many indexes as an item has.
PORTION = 2000


def delete(rows: models.QuerySet[Any]) -> int:
    """Delete these rows and, before them, the referring ones; return the number of deleted rows.

    Each portion is a transaction of its own: after an interruption the rest still exists, and a second call deletes
    it. Only ids are loaded.
    """
    deleted = 0
    while ids := list(rows.order_by().values_list("pk", flat=True)[:PORTION]):
        deleted += _delete_portion(rows.model, ids)
        if len(ids) < PORTION:
            break
    return deleted


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


def _referring(relation: Any, ids: Sequence[Any]) -> models.QuerySet[Any]:
    found: models.QuerySet[Any] = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": ids})
    return found
