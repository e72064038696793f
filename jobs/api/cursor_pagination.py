"""Cursor pagination of the API's lists: every page costs the same, and rows are never counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django.core import signing
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from jobs.rules.errors import BadInput

M = TypeVar("M", bound=Model)


def page(
    request: Request,
    rows: QuerySet[M],
    *,
    field: str,
    limit: int,
    cursor: str = "",
    body: Callable[[M], Any] | None = None,
    bodies: Callable[[Sequence[M]], Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Return one page of at most `limit` rows by (`field`, id), `-` before the field for the largest first.

    `body` makes the body of one row, `bodies` those of all rows of the page. The answer has `results` and `next`,
    the whole address of the following page or None. BadInput for a cursor of another list.
    """
    found = list(_after(rows, field=field, cursor=cursor)[: limit + 1])
    shown = found[:limit]
    following = _cursor(shown[-1], field=field) if len(found) > limit else ""
    return {
        "results": bodies(shown) if bodies else [body(row) if body else row for row in shown],
        "next": replace_query_param(request.build_absolute_uri(), "cursor", following) if following else None,
    }


def _after(rows: QuerySet[M], *, field: str, cursor: str) -> QuerySet[M]:
    name, sign = field.removeprefix("-"), "-" if field.startswith("-") else ""
    ordered = rows.order_by(field) if name == "id" else rows.order_by(field, f"{sign}id")
    if not cursor:
        return ordered
    value, pk = _read(cursor, model=rows.model, field=field)
    beyond = "lt" if sign else "gt"
    return ordered.filter(
        Q(**{f"{name}__{beyond}e": value}), Q(**{f"{name}__{beyond}": value}) | Q(**{f"id__{beyond}": pk})
    )


def _cursor(row: Model, *, field: str) -> str:
    value = _column(type(row), field).value_to_string(row)
    return signing.dumps([value, row.pk], salt=_salt(type(row), field), compress=True)


def _read(cursor: str, *, model: type[Model], field: str) -> tuple[Any, int]:
    try:
        value, pk = signing.loads(cursor, salt=_salt(model, field))
    except signing.BadSignature as error:
        raise BadInput({"cursor": "Enter the cursor of this list in this order, or omit it."}) from error
    return _column(model, field).to_python(value), pk


def _column(model: type[Model], field: str) -> Field[Any, Any]:
    return cast("Field[Any, Any]", model._meta.get_field(field.removeprefix("-")))


def _salt(model: type[Model], field: str) -> str:
    return f"{model._meta.label}:{field}"
