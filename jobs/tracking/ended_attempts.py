"""Attempts that a report ends, for the history of their items."""

from __future__ import annotations

from jobs.change.attempt_history import EndedAttempt
from jobs.rules.formatting import cut_beginning
from jobs.rules.limits import ATTEMPTS_KEPT, ERROR_LENGTH, LOG_BYTES, LOG_CUT
from jobs.rules.statuses import AttemptOutcome, ItemStatus
from jobs.tracking.transitions import ItemState, Reporter
from jobs.tracking.types import Result

# An attempt leaves two rows at most: its lease expired, and its worker reported late.
FEW = ATTEMPTS_KEPT // 2


class Before:
    """The columns of an item before a result is applied, which describe the attempt that may end."""

    __slots__ = ("attempt", "started_at", "status", "waited", "worker")

    def __init__(self, item: ItemState) -> None:
        self.status, self.attempt, self.worker = item.status, item.attempt, item.worker
        self.started_at, self.waited = item.started_at, item.available_at is not None


def ended(before: Before, item: ItemState, result: Result, reporter: Reporter) -> EndedAttempt | None:
    """Return the attempt that an applied result has ended, if it is kept: without success, or with a log or links."""
    if result.status == ItemStatus.PROCESSING:
        return None
    given_back = result.status == ItemStatus.PENDING
    if not (given_back or result.status == ItemStatus.FAILED or result.log or result.links):
        return None
    return EndedAttempt(
        item=item.id,
        number=before.attempt,
        worker=before.worker if given_back else item.worker,
        account=reporter.account,
        started_at=before.started_at,
        ended_at=reporter.now,
        outcome=AttemptOutcome.GIVEN_BACK if given_back else AttemptOutcome(result.status),
        error=result.error[:ERROR_LENGTH] if given_back else item.error,
        log=cut_beginning(result.log, most=LOG_BYTES, mark=LOG_CUT),
        links=result.links,
        may_be_many=not 0 < before.attempt <= FEW or item.failures > FEW,
    )
