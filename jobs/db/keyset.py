"""Keyset pagination: an order of columns, and the condition for the rows after a given one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.admin.utils import get_fields_from_path
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy

Rows = TypeVar("Rows", bound="QuerySet[Any]")


@dataclass(frozen=True, slots=True)
class Term:
    """One column of an order. Rows without a value come last in both directions, on every database."""

    path: str
    descending: bool
    nullable: bool

    @property
    def order(self) -> OrderBy:
        """The expression for order_by()."""
        last = True if self.nullable else None
        return F(self.path).desc(nulls_last=last) if self.descending else F(self.path).asc(nulls_last=last)

    def same(self, value: Any) -> Q:
        """Match rows with this value."""
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})

    def beyond(self, value: Any, *, or_same: bool = False) -> Q:
        """Match rows after this value; no row comes after those without one."""
        if value is None:
            return Q(pk__in=[])
        comparison = f"{self.path}__{'lt' if self.descending else 'gt'}{'e' if or_same else ''}"
        later = Q(**{comparison: value})
        return later | Q(**{f"{self.path}__isnull": True}) if self.nullable else later


def order_of(rows: QuerySet[Any]) -> list[Term]:
    """Return the columns of the order, each once, up to the first unique one; by default the primary key."""
    terms: dict[str, Term] = {}
    for name in (*rows.query.order_by, "-pk"):
        term, is_key = _term(rows.model, str(name))
        terms.setdefault(term.path, term)
        if is_key:
            break
    return list(terms.values())


def newest(rows: Rows, column: str, most: int) -> Rows:
    """Return the newest rows by a column that has always a value, to be filtered further; at first read their end.

    As `pk__in` with a limited subquery, PostgreSQL may read that once for each row where its statistics are too low.
    """
    left_out = rows.order_by(f"-{column}", "-pk").values_list(column, "pk")[most : most + 1]
    rising = [Term(column, descending=False, nullable=False), Term("pk", descending=False, nullable=False)]
    for end in left_out:
        return rows.filter(after(rising, end))
    return rows


def value_of(row: Any, path: str) -> Any:
    """Return the value at the end of a path (`item__worker`); None where a relation is empty."""
    for name in path.split("__"):
        row = None if row is None else getattr(row, name)
    return row


def _term(model: type[Model], name: str) -> tuple[Term, bool]:
    path = name.removeprefix("-")
    if path == "pk":
        return Term("pk", descending=name.startswith("-"), nullable=False), True
    fields = get_fields_from_path(model, path)
    before = path.rpartition("__")[0]
    path = f"{before}__{fields[-1].attname}" if before else fields[-1].attname
    nullable = any(field.null for field in fields)
    return Term(path, name.startswith("-"), nullable), len(fields) == 1 and fields[0].primary_key


def after(terms: Sequence[Term], last: Sequence[Any]) -> Q:
    """Match the rows after the one with these values.

    The condition on the first column is redundant. With it the database starts at a place of the index.
    """
    first, value = terms[0], last[0]
    start = first.same(None) if value is None else first.beyond(value, or_same=True)
    return start & _after(terms, last)


def _after(terms: Sequence[Term], last: Sequence[Any]) -> Q:
    beyond = terms[0].beyond(last[0])
    return beyond | (terms[0].same(last[0]) & _after(terms[1:], last[1:])) if len(terms) > 1 else beyond
