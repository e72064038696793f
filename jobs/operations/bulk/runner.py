"""The runner of bulk acts: one transaction for each job, in any number of processes at once.

The transaction locks the row of the target first and stores the outcome of the job with the act itself. So each job
is processed exactly once, also if a process dies or several race. A bulk act that was stopped processes no further
job, because an outcome is stored only while the bulk act is running.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from jobs import operations
from jobs.change.audit import log_act, part_of_bulk
from jobs.db.pauses import with_pauses
from jobs.isolation import isolated, set_aside
from jobs.models import BulkAct, BulkTarget
from jobs.models.bulk import BulkStatus, TargetOutcome
from jobs.models.texts import fit
from jobs.operations import portions
from jobs.operations.bulk.create import request_of
from jobs.operations.bulk.execute import ExpectedState, execute
from jobs.operations.registry import ACTS
from jobs.rules.errors import NotFound, NotPermitted, Refused, WrongState

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.operations import Act

# Several bulk acts take turns of this length, so that a small one does not wait for one of thousands of jobs.
TURN_SECONDS = 0.2
LOCK_TIMEOUT, LOCK_NOT_AVAILABLE = "500ms", "55P03"
MOST_REASONS = 10
OTHER_REASONS = "another reason"
HOLDER = re.compile(r" by .{0,200} until [\d:]{8} UTC")
COUNTERS = {TargetOutcome.CHANGED: "done", TargetOutcome.UNCHANGED: "unchanged", TargetOutcome.REFUSED: "refused"}
UNAVAILABLE = (OperationalError, InterfaceError)
DEFECT = "An internal error occurred; nothing was changed. See the log of the server."


class _Locked(Exception):
    """The job is locked by another transaction; it is tried again later."""


class _Superseded(Exception):
    """The bulk act was stopped, or another process has processed this job: the transaction is rolled back."""


def run_bulk_acts(*, seconds: float) -> bool:
    """Run the bulk acts in turns for this long; return True while any is unfinished."""
    end = time.monotonic() + seconds
    acts = BulkAct.objects.running().order_by(F("worked_at").asc(nulls_first=True), "pk")
    for bulk in _in_turns(list(acts)):
        with isolated("bulk.act", bulk=bulk.pk):
            run_bulk_act(bulk, seconds=min(TURN_SECONDS, seconds))
        if time.monotonic() >= end:
            break
    return BulkAct.objects.running().exists()


def _in_turns(acts: list[BulkAct]) -> Iterator[BulkAct]:
    """Repeat the acts until all are finished, or until a round changes nothing: other processes hold the rest."""
    moved = None
    while acts and moved != (moved := sum(bulk.settled + bulk.changed for bulk in acts)):
        yield from acts
        acts = [bulk for bulk in acts if bulk.is_running]


def run_bulk_act(bulk: BulkAct, *, seconds: float) -> bool:
    """Process jobs of this act, at least one, until the time is over; return True if none is left."""
    end = time.monotonic() + seconds
    actor = get_user_model().objects.filter(pk=bulk.account_id).first() if bulk.account_id else None
    later: set[int] = set()
    for _ in with_pauses(repeat(None)):
        if not _process_next(bulk, actor, later) or time.monotonic() >= end:
            break
    _finish(bulk)
    bulk.refresh_from_db()
    return not bulk.is_running


def stop_bulk_act(bulk: BulkAct, *, actor: User) -> None:
    """Stop a bulk act; its remaining jobs stay unchanged. WrongState if it is over.

    It needs the permission of the act. NotFound for a bulk act that is not visible to the account.
    """
    operations.require_permission(actor, ACTS[bulk.act].verb)
    if not BulkAct.objects.visible_to(actor).filter(pk=bulk.pk).exists():
        raise NotFound(f"There is no bulk act {bulk.pk}.")
    with transaction.atomic():
        portions.stop(bulk)  # first: the runner locks the job before the bulk act too
        ended = {"status": BulkStatus.STOPPED, "ended_by": actor.get_username(), "finished_at": timezone.now()}
        if not BulkAct.objects.running().filter(pk=bulk.pk).update(**ended):
            raise WrongState("This bulk act is over; it can be stopped only while it runs.")
        bulk.refresh_from_db()
        detail = f"{bulk.settled} of {bulk.total} jobs were done."
        log_act(bulk, f"stop: {detail}", account=actor, act="stop", detail=detail)


# --- one job -----------------------------------------------------------------------------------------


def _process_next(bulk: BulkAct, actor: User | None, later: set[int]) -> bool:
    """Process the next job; return False if there is none.

    A job that another transaction keeps locked, or whose outcome cannot be stored, is added to `later`, so that the
    jobs after it do not wait.
    """
    target = None
    try:
        with transaction.atomic():
            _limit_lock_wait()
            waiting = bulk.targets.open().exclude(pk__in=later).select_for_update(skip_locked=True)
            target = waiting.order_by("pk").first()
            if target is None:
                return False
            _store(bulk, target, _outcome(bulk, target, actor))
    except _Superseded:
        return False
    except _Locked:
        assert target
        later.add(target.pk)
    except Exception as error:
        if target is None:
            raise
        later.add(target.pk)
        set_aside(error, step="bulk.job", bulk=bulk.pk, job_id=target.job_id)
        if not isinstance(error, UNAVAILABLE):
            _refuse(bulk, target)
    return True


def _refuse(bulk: BulkAct, target: BulkTarget) -> None:
    """Refuse a job whose outcome cannot be stored, so that the bulk act comes to its end."""
    with isolated("bulk.job", bulk=bulk.pk, job_id=target.job_id), suppress(_Superseded), transaction.atomic():
        portions.stop(bulk)
        _store(bulk, target, {"outcome": TargetOutcome.REFUSED, "detail": DEFECT})


def _limit_lock_wait() -> None:
    """Limit the wait for locks in this transaction. SQLite has one lock for the whole database and needs no limit."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def _outcome(bulk: BulkAct, target: BulkTarget, actor: User | None) -> dict[str, Any]:
    """Run the act and return its outcome as columns of the target; a database error is raised, to be tried again."""
    try:
        if target.planned:
            return portions.move_next(bulk, target)
        if actor is None or not actor.is_active:
            raise NotPermitted(f"The account {bulk.actor} is disabled.")
        expected = ExpectedState(target.states)
        with part_of_bulk(bulk.pk):
            act = execute(request_of(bulk, target), target.job_id, expected=expected, actor=actor)
        return _columns(act, target)
    except Refused as error:
        return {"outcome": TargetOutcome.REFUSED, "detail": _without_name(error.detail, target)}
    except UNAVAILABLE as error:
        if getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE:
            raise _Locked from error
        raise
    except Exception as error:
        set_aside(error, step="bulk.job", bulk=bulk.pk, job_id=target.job_id)
        portions.stop(bulk)
        return {"outcome": TargetOutcome.REFUSED, "detail": DEFECT}


def _columns(act: Act, target: BulkTarget) -> dict[str, Any]:
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
    """Remove the job's name, so that the sentence is the same for every job."""
    return fit(BulkTarget, "detail", detail.replace(f"Job {target.name} ", "The job ", 1))


def _store(bulk: BulkAct, target: BulkTarget, result: dict[str, Any]) -> None:
    """Store the outcome and the counters of the bulk act; raise _Superseded if either is over."""
    now = timezone.now()
    if not BulkTarget.objects.open().filter(pk=target.pk).update(**result, done_at=now):
        raise _Superseded
    new = result.get("changed", target.changed) - target.changed
    counters: dict[str, Any] = {"changed": F("changed") + new, "worked_at": now}
    if "outcome" in result:
        counter = COUNTERS[result["outcome"]]
        counters[counter] = F(counter) + 1
    if not BulkAct.objects.running().filter(pk=bulk.pk).update(**counters):
        raise _Superseded


def _finish(bulk: BulkAct) -> None:
    """Finish the bulk act if no job is open. A job that another process holds is open."""
    left = BulkTarget.objects.open().filter(bulk=OuterRef("pk"))
    BulkAct.objects.running().filter(~Exists(left), pk=bulk.pk).update(
        status=BulkStatus.FINISHED, finished_at=timezone.now()
    )
