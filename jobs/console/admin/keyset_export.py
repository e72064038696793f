"""Reading a whole list in portions, each continuing after the last row of the one before: no cursor and no
transaction stays open meanwhile, and the last portion costs no more than the first where an index has the order.

A row that moves in the order while the list is read (a job by its last change) may be left out or come twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import get_fields_from_path
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy

FIRST_PORTION = 100
PORTION = 1000


@dataclass(frozen=True, slots=True)
class Term:
    """One column of an order. Rows without a value come last in both directions, on every database."""

    path: str
    descending: bool
    nullable: bool

    @property
    def order(self) -> OrderBy:
        """For order_by()."""
        last = True if self.nullable else None
        return F(self.path).desc(nulls_last=last) if self.descending else F(self.path).asc(nulls_last=last)

    def same(self, value: Any) -> Q:
        """Rows with this value."""
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})

    def beyond(self, value: Any, *, or_same: bool = False) -> Q:
        """Rows that come after this value; none comes after those without one."""
        if value is None:
            return Q(pk__in=[])
        comparison = f"{self.path}__{'lt' if self.descending else 'gt'}{'e' if or_same else ''}"
        later = Q(**{comparison: value})
        return later | Q(**{f"{self.path}__isnull": True}) if self.nullable else later


def portions(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """The rows in their order, which ends by the key: a hundred, then a thousand at a time; one query each.

    The order names columns (`-job__updated_at`), no expressions.
    """
    terms = order_of(rows)
    ordered, size = rows.order_by(*(term.order for term in terms)), FIRST_PORTION
    portion = list(ordered[:size])
    while portion:
        yield portion
        if len(portion) < size:
            return
        place, size = [value_of(portion[-1], term.path) for term in terms], PORTION
        portion = list(ordered.filter(_within(terms[0], place[0]), _after(terms, place))[:size])


def order_of(rows: QuerySet[Any]) -> list[Term]:
    """The columns that the rows are ordered by, each once, as far as a key; the key where there is none."""
    terms: dict[str, Term] = {}
    for name in (*rows.query.order_by, "-pk"):
        term, is_key = _term(rows.model, str(name))
        terms.setdefault(term.path, term)
        if is_key:
            break
    return list(terms.values())


def value_of(row: Any, path: str) -> Any:
    """What a row has at the end of a path (`item__worker`); None where nothing is on the way."""
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


def _within(first: Term, value: Any) -> Q:
    """What an index on the first column can begin at."""
    return first.same(None) if value is None else first.beyond(value, or_same=True)


def _after(terms: Sequence[Term], place: Sequence[Any]) -> Q:
    beyond = terms[0].beyond(place[0])
    return beyond | (terms[0].same(place[0]) & _after(terms[1:], place[1:])) if len(terms) > 1 else beyond
