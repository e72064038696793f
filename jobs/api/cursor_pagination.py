"""Cursor pagination of the API's lists: every page costs the same, and rows are never counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django.core import signing
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from jobs.api.query_params import PageQuery
from jobs.db.keyset import Term, after, order_of
from jobs.rules.errors import BadInput

M = TypeVar("M", bound=Model)


def page(
    request: Request,
    rows: QuerySet[M],
    wanted: PageQuery,
    *,
    field: str,
    body: Callable[[M], Any] | None = None,
    bodies: Callable[[Sequence[M]], Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Return the wanted page of rows, by (`field`, id), `-` before the field for the largest first.

    `body` makes the body of one row, `bodies` those of all rows of the page. The answer has `results` and `next`,
    the whole address of the following page or None. BadInput for a cursor of another list.
    """
    ordered, terms = _ordered(rows, field)
    start = after(terms, _read(wanted.cursor, model=rows.model, field=field)) if wanted.cursor else Q()
    found = list(ordered.filter(start)[: wanted.limit + 1])
    shown = found[: wanted.limit]
    following = _cursor(shown[-1], field=field) if len(found) > wanted.limit else ""
    return {
        "results": bodies(shown) if bodies else [body(row) if body else row for row in shown],
        "next": replace_query_param(request.build_absolute_uri(), "cursor", following) if following else None,
    }


def _ordered(rows: QuerySet[M], field: str) -> tuple[QuerySet[M], list[Term]]:
    """Order the rows by the field and, in the same direction, by id."""
    ordered = rows.order_by(field, "-pk" if field.startswith("-") else "pk")
    terms = order_of(ordered)
    return ordered.order_by(*(term.order for term in terms)), terms


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
