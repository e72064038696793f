"""Attempts that a report ends, for the history of their items."""

from __future__ import annotations

from jobs.change.attempt_history import EndedAttempt
from jobs.rules.formatting import cut_beginning
from jobs.rules.limits import ATTEMPTS_KEPT, ERROR_LENGTH, LOG_BYTES, LOG_CUT
from jobs.rules.statuses import AttemptOutcome
from jobs.tracking.transitions import FAILED, PENDING, PROCESSING, ItemState, Reporter
from jobs.tracking.types import Result

# An attempt leaves two rows at most: its lease expired, and its worker reported late.
FEW = ATTEMPTS_KEPT // 2


def ended(before: ItemState, item: ItemState, result: Result, reporter: Reporter) -> EndedAttempt | None:
    """Return the attempt that an applied result has ended, if it is kept: without success, or with a log or links."""
    if result.status == PROCESSING:
        return None
    given_back = result.status == PENDING
    if not (given_back or result.status == FAILED or result.log or result.links):
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
