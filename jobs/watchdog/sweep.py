"""The sweep: expired leases, passed watermarks, late and stuck jobs.

Each rule is one indexed query for the jobs that are due, then changes of many jobs that check each again under its
lock. So several processes may sweep, and after a downtime the next sweeps catch up: each handles JOBS_PER_SWEEP jobs
of a rule at most, so that it stays under a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, Exists, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone

from jobs.change import Actor, Change, ConcurrentModification, change_free, change_jobs, event_factory, stuck_reason
from jobs.change.attempt_history import EndedAttempt
from jobs.change.event_factory import sentence
from jobs.change.item_columns import EXPIRED, expire
from jobs.db import bulk_sql
from jobs.db.pauses import with_pauses
from jobs.isolation import in_halves, set_aside
from jobs.live import tickets
from jobs.models import Item, Job, Phase
from jobs.models.items import ID_IN_PHASE
from jobs.models.phases import ONLY_WAITS
from jobs.rules.error_fingerprints import signature
from jobs.rules.errors import NotFound
from jobs.rules.formatting import clip, pluralize
from jobs.rules.growing_counts import ITEM_FAILURES, FailureOutcome
from jobs.rules.statuses import OPEN_PHASE, AttemptOutcome, ItemStatus, JobStatus, Stuck
from jobs.watchdog.counts import add_up_counts
from jobs.watchdog.incidents import settle_incidents

WATCHDOG = Actor(name="watchdog")
JOBS_PER_SWEEP = 500
JOBS_AT_ONCE = 100
ITEMS_PER_CHANGE = 5000
WORKERS_LENGTH = 1000
EXPIRED_FIELDS = (*EXPIRED, "tries", "error", "signature", "finished_at")


def sweep(now: datetime | None = None) -> dict[str, int]:
    """Apply every rule; return how many leases and tickets expired, watermarks passed and jobs got late or stuck.

    A rule that fails as a whole keeps none of the others from their work; its error is raised at the end.
    """
    rules = {
        "expired": expire_leases,
        "watermarks": pass_watermarks,
        "late": find_late,
        "stuck": find_stuck,
        "incidents": settle_incidents,
        "tickets": tickets.forget,
        "counts": add_up_counts,
    }
    done: dict[str, int] = {}
    errors: list[Exception] = []
    for name, rule in rules.items():
        try:
            done[name] = rule(now)
        except Exception as error:
            set_aside(error, step=f"sweep.{name}")
            errors.append(error)
    if errors:
        raise errors[0]
    return done


def expire_leases(now: datetime | None = None) -> int:
    """Make items whose lease has expired pending, or failed after ITEM_MAX_ATTEMPTS expiries; return their number."""
    due = Item.objects.expired(now or timezone.now()).order_by().values_list("phase__job_id", flat=True)
    return _each_job(due.distinct()[:JOBS_PER_SWEEP], _expire, now, at_once=1)


def pass_watermarks(now: datetime | None = None) -> int:
    """Finish the phases whose deadline has passed with their results so far; return their number."""
    due = Phase.objects.past_watermark(now or timezone.now()).order_by().values_list("job_id", flat=True)
    return _each_job(due.distinct()[:JOBS_PER_SWEEP], _pass_watermark, now)


def find_late(now: datetime | None = None) -> int:
    """Mark the unfinished jobs whose due time has passed; return their number. A later due time clears the mark."""
    due = Job.objects.overdue(now or timezone.now()).order_by("due_at").values_list("pk", flat=True)
    return _each_job(due[:JOBS_PER_SWEEP], _mark_late, now)


def find_stuck(now: datetime | None = None) -> int:
    """Mark the jobs that will not finish by themselves; return their number. A sign of life clears the mark."""
    return _each_job(_suspects(now or timezone.now()), _mark_stuck, now)


def _each_job(
    job_ids: Iterable[int], act: Callable[[Change, Job], int], now: datetime | None, *, at_once: int = JOBS_AT_ONCE
) -> int:
    """Apply a rule to each job, many in one change; a job that fails is set aside and the others continue.

    A change of many leaves out the jobs that another transaction holds, so that it does not keep the others locked
    while it waits. They have a change of their own.
    """
    step = f"sweep.{act.__name__.lstrip('_')}"
    locked: list[int] = []

    def together(ids: Sequence[int]) -> list[int]:
        with change_free(ids, by=WATCHDOG, now=now) as change:
            done = [act(change, job) for job in change.jobs.values()]
        locked.extend(set(ids) - change.jobs.keys())
        return done

    def alone(ids: Sequence[int]) -> list[int]:
        with suppress(NotFound), change_jobs(ids, by=WATCHDOG, now=now) as change:
            return [act(change, change.job)]
        return []

    due, done = list(job_ids), 0
    portions = [due[start : start + at_once] for start in range(0, len(due), at_once)]
    for ids in with_pauses(portions):
        done += sum(in_halves(together if at_once > 1 else alone, ids, step=step, name="job_id"))
    for job_id in with_pauses(locked):
        done += sum(in_halves(alone, [job_id], step=step, name="job_id"))
    return done


# --- leases ------------------------------------------------------------------------------------------


def _expire(change: Change, job: Job) -> int:
    phases = {phase.pk: phase for phase in change.phases[job.pk]}
    # By the plain id, the planner of PostgreSQL may walk the primary key through all items of the site.
    expired = list(Item.objects.expired(change.now).within(phases).order_by(ID_IN_PHASE)[:ITEMS_PER_CHANGE])
    if not expired:
        return 0
    for item in expired:
        attempt = _attempt(change, item)
        _expire_item(change, phases[item.phase_id], item)
        change.attempts.append(replace(attempt, error=item.error if item.status == ItemStatus.FAILED else ""))
    values = [
        (item.pk, ItemStatus.PROCESSING, item.attempt, *(getattr(item, name) for name in EXPIRED_FIELDS))
        for item in expired
    ]
    if len(bulk_sql.update(Item, values, match=("id", "status", "attempt"), fields=EXPIRED_FIELDS)) != len(values):
        raise ConcurrentModification("item")
    _record_expiry(change, job, expired)
    change.grow(ITEM_FAILURES, job.kind, FailureOutcome.EXPIRED, len(expired))
    return len(expired)


def _attempt(change: Change, item: Item) -> EndedAttempt:
    return EndedAttempt(
        item=item.pk,
        number=item.attempt,
        worker=item.worker,
        account=item.account_id,
        started_at=item.started_at,
        ended_at=change.now,
        outcome=AttemptOutcome.EXPIRED,
    )


def _expire_item(change: Change, phase: Phase, item: Item) -> None:
    """Make the item pending; a result of its last holder still counts until the next claim.

    An item that fails this way counts neither as progress of the job nor in its rate.
    """
    started = item.started_at
    expire(item)
    item.tries += 1
    if item.tries >= settings.ITEM_MAX_ATTEMPTS:
        item.status, item.started_at, item.finished_at = ItemStatus.FAILED, started, change.now
        item.error = f"worker_timeout after {item.tries} attempts"
        item.signature = signature(item.error)
        phase.job.error, phase.job.error_item_id = sentence(str(item), item.error), item.pk
        phase.current_item_id = item.pk
    change.count(phase, was=ItemStatus.PROCESSING, now=item.status, tallied=False)


def _record_expiry(change: Change, job: Job, expired: list[Item]) -> None:
    failed = sum(item.status == ItemStatus.FAILED for item in expired)
    workers = clip(", ".join(sorted({item.worker or "?" for item in expired})), WORKERS_LENGTH)
    back = pluralize(len(expired) - failed, "item")
    detail = f"{pluralize(len(expired), 'lease')} of {workers} expired: {back} claimable again"
    change.record(job, "lease.expired", detail=f"{detail}, {failed} failed." if failed else f"{detail}.")


# --- watermarks --------------------------------------------------------------------------------------


def _pass_watermark(change: Change, job: Job) -> int:
    """Count the passed deadlines; the commit of any change evaluates the deadlines of its jobs."""
    return sum(
        phase.is_open and phase.gate_open and phase.deadline_at is not None and phase.deadline_at <= change.now
        for phase in change.phases[job.pk]
    )


# --- late --------------------------------------------------------------------------------------------


def _mark_late(change: Change, job: Job) -> int:
    if job.late or job.is_finished or job.due_at is None or job.due_at > change.now:
        return 0
    job.late = True
    change.emit(event_factory.job_late(job))
    return 1


# --- stuck -------------------------------------------------------------------------------------------


def _suspects(now: datetime) -> list[int]:
    heard, progressed = Coalesce("heartbeat_at", "watched_from"), Coalesce("progress_at", "started_at")
    quiet = Q(_quiet_for(heard, "silent_limit", settings.JOB_SILENT_AFTER, now=now))
    still = Q(_quiet_for(progressed, "stalled_limit", settings.JOB_STALLED_AFTER, now=now))
    news = Q(stuck="") & (quiet | still) | Q(stuck=Stuck.STALLED) & quiet
    unmarked = Job.objects.filter(news, status=JobStatus.PROCESSING).exclude(pk__in=_only_waiting(now))
    waiting = Phase.objects.filter(
        status__in=OPEN_PHASE,
        expected__isnull=True,
        last_item_at__lt=now,
        job__status__in=(JobStatus.PENDING, JobStatus.PROCESSING),
    ).exclude(job__stuck=Stuck.UNANNOUNCED)
    overdue = {
        job_id
        for job_id, since, ttl in waiting.values_list("job_id", "last_item_at", "watermark_ttl")
        if since is not None and since + timedelta(seconds=ttl) < now
    }
    return sorted({*unmarked.values_list("pk", flat=True)[:JOBS_PER_SWEEP], *overdue})[:JOBS_PER_SWEEP]


def _only_waiting(now: datetime) -> QuerySet[Phase, Any]:
    """Return the jobs in which a retry is due later and nothing else can be done, of which no progress is expected."""
    later = Phase.objects.working().filter(next_due_at__gt=now)
    busy = Phase.objects.working().filter(job=OuterRef("job")).exclude(ONLY_WAITS)
    return later.filter(~Exists(busy)).values("job")


def _quiet_for(moment: Coalesce, limit: str, preset: int, *, now: datetime) -> LessThan:
    """Build the condition that a moment is longer ago than a job's own limit in seconds, or than the preset."""
    return LessThan(moment, _Ago(Value(now, output_field=DateTimeField()), Coalesce(limit, Value(preset))))


class _Ago(Func):
    """The moment so many seconds before another. Django's own arithmetic calls Python for each row on SQLite."""

    output_field = DateTimeField()
    template = "(%(expressions)s * INTERVAL '1 second')"
    arg_joiner = " - "

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Subtract with SQLite's own function, to the millisecond."""
        template = "strftime('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', %(expressions)s || ' seconds')"
        return self.as_sql(compiler, connection, template=template, arg_joiner=", '-' || ", **context)


def _mark_stuck(change: Change, job: Job) -> int:
    reason = stuck_reason(job, change.phases[job.pk], now=change.now)
    if reason is None or reason == job.stuck:
        return 0
    if not job.stuck:
        job.stuck_since = change.now
    job.stuck = reason
    change.emit(event_factory.job_stuck(job))
    return 1
