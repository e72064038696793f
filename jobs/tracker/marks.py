"""Marks: reports of named items, durable when the call returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from django.db import connection

from jobs import tracking
from jobs.change import Actor
from jobs.models import Item, Phase
from jobs.models.items import ItemQuerySet
from jobs.rules.statuses import ItemStatus, Outcome
from jobs.tracker.arguments import UPLOAD
from jobs.tracking import Result

BATCH_SIZE = 1000
MARKED = (Outcome.APPLIED, Outcome.DUPLICATE)
log = structlog.get_logger(__name__)


class Named(NamedTuple):
    """Item as its report names it."""

    id: int
    key: str
    phase: int
    job: int


def images() -> ItemQuerySet:
    """Return every item that is not an upload batch."""
    return Item.objects.exclude(phase__code=UPLOAD)


def batches() -> ItemQuerySet:
    """Return the items that are upload batches."""
    return Item.objects.filter(phase__code=UPLOAD)


def find(among: ItemQuerySet, ids: Sequence[int], *, kind: str) -> list[Named]:
    """Return the items of these ids in their order, each once; KeyError names the first one that is missing."""
    wanted = list(dict.fromkeys(ids))
    found: dict[int, Named] = {}
    # In portions, because SQLite limits the number of parameters of a statement.
    for start in range(0, len(wanted), BATCH_SIZE):
        rows = among.filter(pk__in=wanted[start : start + BATCH_SIZE])
        found |= {row[0]: Named(*row) for row in rows.values_list("pk", "key", "phase_id", "phase__job_id")}
    missing = [pk for pk in wanted if pk not in found]
    if missing:
        raise KeyError(f"There is no {kind} {missing[0]}.")
    return [found[pk] for pk in wanted]


def mark(items: Sequence[Named], status: ItemStatus, *, error: str = "", worker: str) -> list[int]:
    """Report these items; return the ids of those that now have this status (and for `processing` this worker).

    Each thousand items of a phase are one transaction. Refusals are logged with their reason.
    """
    marked: list[int] = []
    for phase, own in _by_phase(items).items():
        for start in range(0, len(own), BATCH_SIZE):
            marked += _report(phase, own[start : start + BATCH_SIZE], status, error=error, worker=worker)
    return marked


def _by_phase(items: Sequence[Named]) -> dict[Phase, list[Named]]:
    found: dict[tuple[int, int], list[Named]] = defaultdict(list)
    for item in items:
        found[item.phase, item.job].append(item)
    return {Phase.from_db(connection.alias, ["id", "job_id"], ids): own for ids, own in found.items()}


def _report(phase: Phase, items: Sequence[Named], status: ItemStatus, *, error: str, worker: str) -> list[int]:
    results = [Result(item.key, status, error=error) for item in items]
    reported = tracking.report(phase, worker=worker, results=results, leased=False, by=Actor(name=worker))
    marked = []
    for item, answer in zip(items, reported.results, strict=True):
        if answer.outcome in MARKED:
            marked.append(item.id)
        else:
            fields = {"outcome": str(answer.outcome), "detail": answer.detail}
            log.info("tracker.refused", job_id=item.job, item_id=item.id, mark=str(status), **fields)
    return marked
