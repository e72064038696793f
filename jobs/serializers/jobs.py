"""JSON representations of jobs and phases, for many jobs with a constant number of queries."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from jobs.models import Item, Job, Phase, Tally
from jobs.models.phases import phases_of
from jobs.rules import pace, progress
from jobs.rules.statuses import CompletedBy, JobStatus, PhaseStatus, Shortfall, Stuck, Trigger
from jobs.serializers.shapes import CurrentItem, JobBody, PhaseBody

if TYPE_CHECKING:
    from jobs.rules.progress import Counts

# Plain SQL because every report runs it: to build it through the ORM takes ten times as long as to run it.
SETTLED_AND_CURRENT = """
    SELECT t.done, t.failed, i.key, i.label, i.payload
      FROM (SELECT SUM(done) AS done, SUM(failed) AS failed FROM jobs_tally WHERE phase_id = %s AND minute >= %s) t
      LEFT JOIN jobs_item i ON i.id = %s
"""


class SettledLately(NamedTuple):
    """The items of a phase that were done and that failed within the window of the rate."""

    done: int = 0
    failed: int = 0


def job_bodies(
    jobs: Sequence[Job], *, now: datetime, phases: Mapping[int, Sequence[Phase]] | None = None
) -> list[JobBody]:
    """Build the bodies of these jobs in their order; three queries for any number of jobs.

    `now` is the moment at which rates are measured. `phases` come from `phases_of`; without them phases and jobs are
    read here.
    """
    by_job = phases_of(jobs) if phases is None else phases
    return _bodies(jobs, by_job, now=now)


def _bodies(jobs: Sequence[Job], by_job: Mapping[int, Sequence[Phase]], *, now: datetime) -> list[JobBody]:
    phases = [phase for pk in dict.fromkeys(job.pk for job in jobs) for phase in by_job[pk]]
    settled = _settled_lately(phases, now=now)
    bodies = _phase_bodies(phases, settled=settled, now=now)
    of_job: dict[int, list[tuple[Phase, PhaseBody]]] = defaultdict(list)
    for phase, body in zip(phases, bodies, strict=True):
        of_job[phase.job_id].append((phase, body))
    return [_job_body(job, of_job[job.pk], settled=settled, now=now) for job in jobs]


def job_body(job: Job, *, now: datetime | None = None, phases: Sequence[Phase] | None = None) -> JobBody:
    """Build the body of one job, its rates measured at `now`; see `job_bodies`."""
    given = None if phases is None else {job.pk: phases}
    return job_bodies([job], now=now or timezone.now(), phases=given)[0]


def phase_bodies(phases: Sequence[Phase], *, now: datetime) -> list[PhaseBody]:
    """Build the bodies of these phases in their order; two queries for any number of phases."""
    return _phase_bodies(phases, settled=_settled_lately(phases, now=now), now=now)


def phase_body(phase: Phase, *, now: datetime | None = None) -> PhaseBody:
    """Build the body of one phase, its rate measured at `now`; one query."""
    now = now or timezone.now()
    since = connection.ops.adapt_datetimefield_value(pace.window_start(now))
    with connection.cursor() as cursor:
        cursor.execute(SETTLED_AND_CURRENT, [phase.pk, since, phase.current_item_id])
        done, failed, key, label, payload = cursor.fetchone()
    return _phase_body(
        phase,
        settled=SettledLately(int(done or 0), int(failed or 0)),
        now=now,
        current=None if key is None else {"key": key, "label": label, "payload": json.loads(payload)},
    )


def _job_body(
    job: Job, phases: Sequence[tuple[Phase, PhaseBody]], *, settled: dict[int, SettledLately], now: datetime
) -> JobBody:
    total = sum(sum(settled.get(phase.pk, ())) for phase, _ in phases)
    return {
        "id": job.pk,
        "name": job.name,
        "kind": job.kind,
        "project": job.project,
        "status": JobStatus(job.status),
        "partial": job.partial,
        "reworking": job.reworking,
        "stuck": Stuck(job.stuck) if job.stuck else None,
        "late": job.late,
        "due_at": job.due_at,
        "expected_seconds": job.expected_seconds,
        "priority": job.priority,
        "stage": job.stage,
        "percent": job.percent,
        "settled_percent": job.settled_percent,
        "revision": job.revision,
        "error": job.error,
        "metadata": job.metadata,
        "rate_per_minute": pace.rate_per_minute(total, started_at=job.started_at, now=now),
        "eta_seconds": _job_eta(phases),
        "heartbeat_at": job.heartbeat_at,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "phases": [body for _, body in phases],
    }


def _job_eta(phases: Sequence[tuple[Phase, PhaseBody]]) -> int | None:
    """Sum the time left of the current phase and of the later open ones with a known rate."""
    unfinished = [(phase, body) for phase, body in phases if phase.is_open]
    current = next(
        (place for place, (phase, _) in enumerate(unfinished) if phase.started_at is not None),
        0,
    )
    times = [body["eta_seconds"] for _, body in unfinished[current:]]
    if not times or times[0] is None:
        return None
    return sum(time for time in times if time is not None)


def _phase_bodies(phases: Sequence[Phase], *, settled: dict[int, SettledLately], now: datetime) -> list[PhaseBody]:
    items = _current_items(phases)
    return [
        _phase_body(
            phase,
            settled=settled.get(phase.pk, SettledLately()),
            now=now,
            current=items.get(phase.current_item_id or 0),
        )
        for phase in phases
    ]


def _phase_body(phase: Phase, *, settled: SettledLately, now: datetime, current: CurrentItem | None) -> PhaseBody:
    counts, completed = phase.counts, phase.is_completed
    rate = pace.rate_per_minute(sum(settled), started_at=phase.started_at, now=now)
    return {
        "code": phase.code,
        "asset_type": phase.asset_type,
        "label": phase.label,
        "position": phase.position,
        "weight": phase.weight,
        "run": phase.run,
        "status": PhaseStatus(phase.status),
        "expected": phase.expected,
        "done": phase.done,
        "failed": phase.failed,
        "skipped": phase.skipped,
        "processing": phase.processing,
        "pending": progress.pending(counts),
        "percent": progress.percent(counts, completed=completed),
        "settled_percent": progress.settled_percent(counts, completed=completed),
        "threshold": phase.threshold,
        "needed": progress.needed(phase.expected, phase.threshold),
        "partial": phase.partial,
        "reworking": phase.reworked_items,
        "over_delivered": progress.over_delivered(counts),
        "trigger": Trigger(phase.trigger),
        "on_shortfall": Shortfall(phase.on_shortfall),
        "gated": phase.gated,
        "max_leased": phase.max_leased,
        "deadline_at": phase.deadline_at,
        "rate_per_minute": rate,
        "eta_seconds": _eta(phase, counts, rate=rate, succeeds=settled.done > 0),
        "current": current,
        "started_at": phase.started_at,
        "completed_at": phase.completed_at,
        "completed_by": CompletedBy(phase.completed_by) if phase.completed_by else None,
        "retries": phase.retries,
        "retry_delay": phase.retry_delay,
        "retry_delay_max": phase.retry_delay_max,
        "waiting": phase.waiting,
        "next_retry_at": phase.next_due_at,
    }


def _eta(phase: Phase, counts: Counts, *, rate: float | None, succeeds: bool) -> int | None:
    return pace.eta_seconds(counts, rate, succeeds=succeeds) if phase.is_open else None


def _settled_lately(phases: Iterable[Phase], *, now: datetime) -> dict[int, SettledLately]:
    """Return by phase id the items done and failed within the window of the rate."""
    started = [phase.pk for phase in phases if phase.started_at is not None]
    if not started:
        return {}
    tallies = Tally.objects.filter(phase_id__in=started, minute__gte=pace.window_start(now))
    sums = tallies.values_list("phase_id").annotate(done=Sum("done"), failed=Sum("failed")).order_by()
    return {phase_id: SettledLately(done, failed) for phase_id, done, failed in sums}


def _current_items(phases: Iterable[Phase]) -> dict[int, CurrentItem]:
    """Return by item id the items that these phases changed last."""
    ids = [phase.current_item_id for phase in phases if phase.current_item_id]
    if not ids:
        return {}
    rows = Item.objects.filter(pk__in=ids).values_list("id", "key", "label", "payload")
    return {pk: {"key": key, "label": label, "payload": payload} for pk, key, label, payload in rows}
