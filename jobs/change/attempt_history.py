"""The attempt history, written in the transaction that ends the attempts: two statements for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, DateTimeField, Value

from jobs.db import bulk_sql
from jobs.models import Attempt
from jobs.models.items import ItemQuerySet
from jobs.rules.limits import ATTEMPTS_KEPT
from jobs.rules.statuses import AttemptOutcome

FIELDS = ("item", "number", "worker", "account", "started_at", "ended_at", "outcome", "error", "log", "links")


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An ended attempt, as its row is saved; `may_be_many` where its item may have more attempts than are kept."""

    item: int
    number: int
    worker: str
    account: int | None
    started_at: datetime | None
    ended_at: datetime
    outcome: str
    error: str = ""
    log: str = ""
    links: Sequence[Any] = ()
    may_be_many: bool = True

    def values(self) -> tuple[Any, ...]:
        """Return the columns in the order of FIELDS."""
        return (
            self.item, self.number, self.worker, self.account, self.started_at, self.ended_at, self.outcome,
            self.error, self.log, list(self.links),
        )  # fmt: skip


def write(attempts: Sequence[EndedAttempt]) -> None:
    """Save ended attempts, and forget all but the last ones of their items."""
    if attempts:
        bulk_sql.insert(Attempt, [attempt.values() for attempt in attempts], fields=FIELDS)
        many = [attempt.item for attempt in attempts if attempt.may_be_many]
        bulk_sql.keep_newest(Attempt, many, owner="item", keep=ATTEMPTS_KEPT)


def write_released(held: ItemQuerySet, *, now: datetime) -> None:
    """Save the attempts of these held items, which an operator is about to take back.

    The number of statements is the same for any number of items.
    """
    fields = {
        "item": "pk",
        "number": "attempt",
        "worker": "worker",
        "account": "account",
        "started_at": "started_at",
        "ended_at": Value(now, output_field=DateTimeField()),
        "outcome": Value(str(AttemptOutcome.RELEASED), output_field=CharField()),
    }
    bulk_sql.insert_selected(Attempt, held.order_by("pk"), fields=fields)
    many = held.filter(attempt__gt=ATTEMPTS_KEPT).values_list("pk", flat=True)
    bulk_sql.keep_newest(Attempt, list(many), owner="item", keep=ATTEMPTS_KEPT)
