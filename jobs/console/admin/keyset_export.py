"""Keyset pagination over a whole list: each batch continues after the last row of the batch before.

No cursor and no transaction stays open between batches. Where an index has the order, the last batch costs no more than
the first. A row that moves in the order meanwhile (a job by its last change) may be missing or come twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from jobs.db.keyset import after, order_of, value_of

FIRST_BATCH = 100
BATCH = 1000


def batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Yield the rows in their order, with one query per batch: a hundred rows, then a thousand at a time.

    The order names columns (`-job__updated_at`), no expressions. The primary key completes it.
    """
    terms = order_of(rows)
    ordered, size = rows.order_by(*(term.order for term in terms)), FIRST_BATCH
    batch = list(ordered[:size])
    while batch:
        yield batch
        if len(batch) < size:
            return
        last, size = [value_of(batch[-1], term.path) for term in terms], BATCH
        batch = list(ordered.filter(after(terms, last))[:size])
