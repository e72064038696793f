"""The counts that only grow: the rows of many transactions become few."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db import transaction

from jobs.change.commit import write_counts
from jobs.models import GrowingCount

ROWS_KEPT = 1000
PORTION = 2000


def add_up_counts(_: datetime | None = None) -> int:
    """Add the rows up where there are more than ROWS_KEPT; return how many fewer there are.

    A reader sees the rows before or after a transaction, whose sums are the same. Several processes may add up.
    """
    fewer = 0
    while GrowingCount.objects.order_by()[ROWS_KEPT : ROWS_KEPT + 1].exists():
        saved = _add_up_portion()
        fewer += saved
        if saved < PORTION // 2:
            break
    return fewer


@transaction.atomic
def _add_up_portion() -> int:
    rows = GrowingCount.objects.select_for_update(skip_locked=True).order_by("pk")
    found = list(rows.values_list("pk", "name", "kind", "outcome", "number")[:PORTION])
    sums: Counter[tuple[str, str, str]] = Counter()
    for _pk, name, kind, outcome, number in found:
        sums[name, kind, outcome] += number
    GrowingCount.objects.filter(pk__in=[row[0] for row in found]).delete()
    write_counts(sums)
    return len(found) - len(sums)
