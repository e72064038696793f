"""Doing the jobs of a bulk act, one transaction each, in any process and in several at once.

The outcome of a job is written in the transaction of its act, which takes the row of the target first: so a job is
done exactly once, whoever dies or races. A bulk act that was stopped takes no more of them, because each one must
find it running when it is written down.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any

import structlog
from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from jobs import operations
from jobs.change.audit import log_act
from jobs.db.pauses import with_pauses
from jobs.models import BulkAct, BulkTarget
from jobs.models.bulk import BulkStatus, TargetOutcome
from jobs.models.texts import fit
from jobs.operations.bulk.create import order_of
from jobs.operations.bulk.execute import ExpectedState, execute
from jobs.operations.registry import ACTS
from jobs.rules.errors import NotFound, NotPermitted, Refused, WrongState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.operations import Act

log = structlog.get_logger(__name__)

# Of each bulk act, where several run: one of a single job is not held up by one of thousands.
TURN_SECONDS = 0.2
LOCK_TIMEOUT, LOCK_NOT_AVAILABLE = "500ms", "55P03"
MOST_REASONS = 10
OTHER_REASONS = "another reason"
HOLDER = re.compile(r" by .{0,200} until [\d:]{8} UTC")
COUNTERS = {TargetOutcome.CHANGED: "done", TargetOutcome.UNCHANGED: "unchanged", TargetOutcome.REFUSED: "refused"}
DEFECT = "Something went wrong inside; nothing was changed. The log of the server says what."


class _Locked(Exception):
    """The job is locked by another transaction: it is tried again later."""


class _NoLonger(Exception):
    """The bulk act was stopped, or somebody else has done this job: what was done is rolled back."""


def run_bulk_acts(*, seconds: float) -> bool:
    """Go on with the bulk acts for so long, in turns; True while any is left to do."""
    over = time.monotonic() + seconds
    acts = BulkAct.objects.running().order_by(F("worked_at").asc(nulls_first=True), "pk")
    for bulk in _in_turns(list(acts)):
        run_bulk_act(bulk, seconds=min(TURN_SECONDS, seconds))
        if time.monotonic() >= over:
            break
    return BulkAct.objects.running().exists()


def _in_turns(acts: list[BulkAct]) -> Iterator[BulkAct]:
    """The acts again and again, until all are over or a round has done nothing: then others hold what is left."""
    settled = None
    while acts and settled != (settled := sum(bulk.settled for bulk in acts)):
        yield from acts
        acts = [bulk for bulk in acts if bulk.is_running]


def run_bulk_act(bulk: BulkAct, *, seconds: float) -> bool:
    """Do jobs of this act until none is left or the time is over, at least one; True when none is left."""
    over = time.monotonic() + seconds
    actor = get_user_model().objects.filter(pk=bulk.account_id).first() if bulk.account_id else None
    locked: set[int] = set()
    for _ in with_pauses(repeat(None)):
        if not _do_one(bulk, actor, locked) or time.monotonic() >= over:
            break
    _finish(bulk)
    bulk.refresh_from_db()
    return not bulk.is_running


def stop_bulk_act(bulk: BulkAct, *, actor: User) -> None:
    """The jobs that are not done stay as they are. Whoever may do the act may stop it; WrongState when it is over.

    NotFound for an account that is limited to projects, unless the act is its own.
    """
    operations.require_permission(actor, ACTS[bulk.act].verb)
    if not BulkAct.objects.visible_to(actor).filter(pk=bulk.pk).exists():
        raise NotFound(f"There is no bulk act {bulk.pk}.")
    with transaction.atomic():
        ended = {"status": BulkStatus.STOPPED, "ended_by": actor.get_username(), "finished_at": timezone.now()}
        if not BulkAct.objects.running().filter(pk=bulk.pk).update(**ended):
            raise WrongState("This bulk act is over; one can be stopped while it runs.")
        bulk.refresh_from_db()
        log_act(bulk, f"stop: {bulk.settled} of {bulk.total} jobs were done.", account=actor)


# --- one job -----------------------------------------------------------------------------------------


def _do_one(bulk: BulkAct, actor: User | None, locked: set[int]) -> bool:
    """Take the next job and do it; False where there is none to take.

    A job that another transaction keeps locked is added to `locked`: the jobs after it do not wait for it.
    """
    target = None
    try:
        with transaction.atomic():
            _wait_briefly()
            waiting = bulk.targets.open().exclude(pk__in=locked).select_for_update(skip_locked=True)
            target = waiting.order_by("pk").first()
            if target is None:
                return False
            _write(bulk, target, _result(bulk, target, actor))
    except _NoLonger:
        return False
    except _Locked:
        assert target
        locked.add(target.pk)
    return True


def _wait_briefly() -> None:
    """Give a lock up soon in this transaction; SQLite has one lock for all and needs no rule."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def _result(bulk: BulkAct, target: BulkTarget, actor: User | None) -> dict[str, Any]:
    """The columns that say what became of the job. A database that fails is not the job's fault: it is tried again."""
    try:
        if actor is None or not actor.is_active:
            raise NotPermitted(f"The account {bulk.actor} is switched off.")
        return _answer(
            execute(order_of(bulk, target), target.job_id, seen=ExpectedState(target.states), actor=actor), target
        )
    except Refused as error:
        return {"outcome": TargetOutcome.REFUSED, "detail": _without_name(error.detail, target)}
    except (OperationalError, InterfaceError) as error:
        if getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE:
            raise _Locked from error
        raise
    except Exception:
        log.exception("bulk.job_failed", bulk=bulk.pk, job_id=target.job_id, job=target.name)
        return {"outcome": TargetOutcome.REFUSED, "detail": DEFECT}


def _answer(act: Act, target: BulkTarget) -> dict[str, Any]:
    reasons = Counter(HOLDER.sub(" under a lease", refusal.detail) for refusal in act.refused)
    named = dict(reasons.most_common(MOST_REASONS))
    others = sum(reasons.values()) - sum(named.values())
    return {
        "outcome": TargetOutcome.CHANGED if act.changed else TargetOutcome.UNCHANGED,
        "changed": act.changed,
        "detail": _without_name(act.detail, target),
        "refusals": {**named, OTHER_REASONS: others} if others else named,
        "became": act.job.status,
    }


def _without_name(detail: str, target: BulkTarget) -> str:
    """The sentence as it is the same for every job that it is said of."""
    return fit(BulkTarget, "detail", detail.replace(f"Job {target.name} ", "The job ", 1))


def _write(bulk: BulkAct, target: BulkTarget, result: dict[str, Any]) -> None:
    """The outcome, and the counters of an act that still runs."""
    now = timezone.now()
    if not BulkTarget.objects.open().filter(pk=target.pk).update(**result, done_at=now):
        raise _NoLonger
    counter = COUNTERS[result["outcome"]]
    counters = {counter: F(counter) + 1, "changed": F("changed") + result.get("changed", 0), "worked_at": now}
    if not BulkAct.objects.running().filter(pk=bulk.pk).update(**counters):
        raise _NoLonger


def _finish(bulk: BulkAct) -> None:
    """It is finished when no job is open; one that another process holds is."""
    left = BulkTarget.objects.open().filter(bulk=OuterRef("pk"))
    BulkAct.objects.running().filter(~Exists(left), pk=bulk.pk).update(
        status=BulkStatus.FINISHED, finished_at=timezone.now()
    )
