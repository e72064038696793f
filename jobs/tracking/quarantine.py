"""Quarantine of workers: a worker that only fails in a phase, while another does not, gets no items there for a time.

Runs of failures are in the tallies of workers, which every report writes anyway: a successful report costs no further
statement. All rows of a phase change under the lock of its job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from jobs.change import Actor, Change, attempt_history, event_factory
from jobs.change.item_columns import TAKEN_BACK
from jobs.models import Item, Phase, Quarantine, Worker, WorkerTally
from jobs.models.items import ItemQuerySet
from jobs.models.phases import PhaseQuerySet
from jobs.models.workers import QuarantineQuerySet, slot_of
from jobs.rules.formatting import format_clock
from jobs.rules.statuses import ItemStatus

RUN_KEPT = timedelta(days=1)  # failures before are not part of a run
LATELY = timedelta(minutes=10)
PROBE_AGAIN = timedelta(seconds=30)  # a probe without a lease is looked for again
MOST_OTHERS = 200

Name = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A worker with results in a phase that may begin, renew or end its quarantine; `failures` are those in a row."""

    phase: Phase
    name: Name
    succeeded: bool
    failures: int

    @property
    def key(self) -> tuple[int, str, int]:
        """The key of its quarantine."""
        return (self.phase.pk, *self.name)

    @property
    def held(self) -> ItemQuerySet:
        """The items that it holds in the phase."""
        return _held(self.phase, self.name)


# --- claims ------------------------------------------------------------------------------------------


def allowance(phase: Phase, worker: str, *, by: Actor, limit: int, now: datetime) -> tuple[int, datetime | None]:
    """Return how many items of this phase the worker may claim now, and for 0 the time to ask again."""
    row = _row(phase, worker, by=by)
    if row is None:
        return limit, None
    if row.until > now:
        return 0, row.until
    probes = _held(phase, (worker, _owner(by)))
    if not probes.exists():
        return min(limit, 1), None
    return 0, probes.aggregate(until=Max("lease_expires_at"))["until"] or now + PROBE_AGAIN


def sentence(phase: Phase, worker: str, *, by: Actor, now: datetime) -> str:
    """Say why the worker may start no item of this phase; empty where it may."""
    row = _row(phase, worker, by=by)
    if row is None or row.until <= now:
        return ""
    return (
        f"Worker {worker} is quarantined in phase {phase.code} until {format_clock(row.until)} UTC: its last"
        f" {row.failures} items failed. Check the worker; an operator can lift this."
    )


def open_to(phases: PhaseQuerySet, worker: str, *, by: Actor) -> PhaseQuerySet:
    """Leave out the phases that give this worker no item now."""
    if not settings.WORKER_FAILURE_LIMIT:
        return phases
    own = Quarantine.objects.of(worker, _owner(by)).filter(phase=OuterRef("pk"))
    probes = Item.objects.held().by_worker(worker, _owner(by) or None).filter(phase=OuterRef("phase"))
    closed = own.filter(Q(until__gt=timezone.now()) | Exists(probes))
    return phases.filter(Q(quarantined=0) | ~Exists(closed))


def probe_first(phases: Sequence[Phase], worker: str, *, by: Actor, limit: int) -> tuple[Sequence[Phase], int]:
    """Return the phases of a common claim and its limit: a phase that tries the worker out gives one item alone."""
    asked = [phase.pk for phase in phases if phase.quarantined]
    if not asked or not settings.WORKER_FAILURE_LIMIT:
        return phases, limit
    tried = set(Quarantine.objects.of(worker, _owner(by)).filter(phase__in=asked).values_list("phase", flat=True))
    if phases[0].pk in tried:
        return phases[:1], 1
    return [phase for phase in phases if phase.pk not in tried], limit


def ends_at(worker: str, code: str, *, by: Actor) -> datetime | None:
    """Return the time when the first phase of this code tries the worker out again; None without a quarantine."""
    if not settings.WORKER_FAILURE_LIMIT:
        return None
    rows = Quarantine.objects.of(worker, _owner(by)).in_unfinished_phases().filter(phase__code=code)
    until = rows.order_by("until").values_list("until", flat=True).first()
    return None if until is None else max(until, timezone.now() + PROBE_AGAIN)


# --- reports -----------------------------------------------------------------------------------------


def judge(change: Change) -> None:
    """Begin, renew and end quarantines after the results of a change.

    Without a failure, and in a phase without a quarantine, this costs no statement; otherwise a constant number for
    each worker that has reached the limit.
    """
    limit = settings.WORKER_FAILURE_LIMIT
    suspects = list(_suspects(change)) if limit else []
    if not suspects:
        return
    known = _known([suspect.phase for suspect in suspects if suspect.phase.quarantined])
    for suspect in suspects:
        row = known.get(suspect.key)
        if row is not None and suspect.succeeded:
            _end(change, suspect.phase, [row], f"{suspect.name[0]} succeeded.")
            row = None
        if row is not None:
            _renew(change, suspect, row)
        elif suspect.failures >= limit:
            _begin_or_end_all(change, suspect)


def lift(phases: Sequence[Phase], worker: str = "") -> list[Quarantine]:
    """End the quarantines of these locked phases, of one worker where it is named; return them."""
    known = _known([phase for phase in phases if phase.quarantined])
    lifted = [row for row in known.values() if worker in ("", row.worker)]
    for phase in phases:
        _delete(phase, [row for row in lifted if row.phase_id == phase.pk])
    _forget_runs(lifted)
    return lifted


def _suspects(change: Change) -> Iterator[Suspect]:
    """Yield the workers whose results matter, with their failures in a row."""
    phases = {phase.pk: phase for own in change.phases.values() for phase in own}
    found = [
        (phases[pk], name, settled)
        for name, record in sorted(change.workers.items())
        for pk, settled in sorted(record.settled.items())
        if settled.failed or phases[pk].quarantined
    ]
    longer = [(phase.pk, *name) for phase, name, settled in found if settled.failed_last and not settled.done]
    runs = _runs(longer, now=change.now)
    for phase, name, settled in found:
        before = 0 if settled.done else runs[phase.pk, *name]
        yield Suspect(phase, name, settled.done > 0, settled.failed_last + (before if settled.failed_last else 0))


def _runs(keys: Sequence[tuple[int, str, int]], *, now: datetime) -> dict[tuple[int, str, int], int]:
    """Return the stored failures in a row of these workers in these phases; of a day at most."""
    runs: dict[tuple[int, str, int], int] = defaultdict(int)
    if not keys:
        return runs
    phases, workers = {key[0] for key in keys}, {key[1] for key in keys}
    rows = WorkerTally.objects.filter(worker__in=workers, phase__in=phases, slot__gte=now - RUN_KEPT)
    ended = set()
    for phase, worker, owner, done, failed in rows.order_by("-slot").values_list(
        "phase", "worker", "owner", "done", "failed_in_a_row"
    ):
        key = (phase, worker, owner)
        if key not in ended:
            runs[key] += failed
        if done:
            ended.add(key)
    return runs


def _begin_or_end_all(change: Change, suspect: Suspect) -> None:
    """Begin a quarantine where another worker does not only fail; where every worker does, the data are to blame."""
    if _others_work(change, suspect):
        _begin(change, suspect)
    elif suspect.phase.quarantined:
        rows = list(suspect.phase.quarantines.all())
        _end(change, suspect.phase, rows, "Every worker only fails.")


def _others_work(change: Change, suspect: Suspect) -> bool:
    """Return whether another worker has succeeded lately here, or is alive, holds an item and has no run of failures.

    The search begins with the workers: a phase may have any number of held items.
    """
    phase, since = suspect.phase, change.now - LATELY
    reported = {name: record.settled[phase.pk] for name, record in change.workers.items() if phase.pk in record.settled}
    if any(settled.done for name, settled in reported.items() if name != suspect.name):
        return True
    tallies = WorkerTally.objects.filter(phase=phase).exclude(worker=suspect.name[0], owner=suspect.name[1])
    if tallies.filter(slot__gte=slot_of(since), succeeded_at__gte=since).exists():
        return True
    alive = Worker.objects.alive(change.now).filter(job=phase.job_id).values_list("name", "owner")
    others = set(alive.order_by("-seen_at")[:MOST_OTHERS])
    others -= {suspect.name, *(name for name, settled in reported.items() if settled.failed_last)}
    if not others:
        return False
    rows = tallies.filter(worker__in={name for name, _ in others}, slot__gte=change.now - RUN_KEPT).order_by()
    lasts = rows.values_list("worker", "owner").annotate(
        last=Max("slot"), failing=Max("slot", filter=Q(failed_in_a_row__gt=0))
    )
    others -= {(name, owner) for name, owner, last, failing in lasts if failing == last}
    held = Item.objects.held().within([phase.pk]).filter(worker__in=sorted({name for name, _ in others}))
    return bool(others) and held.exists()


def _begin(change: Change, suspect: Suspect) -> None:
    """Keep the worker from the phase, and send the one event of this quarantine."""
    (worker, owner), phase, until = suspect.name, suspect.phase, _until(change)
    phase.quarantines.create(worker=worker, owner=owner, since=change.now, until=until, failures=suspect.failures)
    phase.quarantined += 1
    change.emit(
        event_factory.worker_quarantined(
            phase, worker=worker, failures=suspect.failures, released=_release(change, suspect), until=until
        )
    )


def _renew(change: Change, suspect: Suspect, row: Quarantine) -> None:
    """Keep the worker from the phase again after its failure on trial; earlier failures change nothing."""
    if row.until > change.now or not suspect.failures:
        return
    row.until, row.failures = _until(change), suspect.failures
    row.save(update_fields=["until", "failures"])
    _release(change, suspect)
    detail = f"{row.worker} failed again; no items until {format_clock(row.until)} UTC."
    change.record(suspect.phase.job, "job.quarantine_renewed", phase=suspect.phase, detail=detail)


def _release(change: Change, suspect: Suspect) -> int:
    """Make what the worker holds in the phase pending; return the number of items."""
    attempt_history.write_released(suspect.held, now=change.now)
    released = suspect.held.update(**TAKEN_BACK)
    if released:
        change.count(suspect.phase, was=ItemStatus.PROCESSING, now=ItemStatus.PENDING, number=released)
    return released


def _end(change: Change, phase: Phase, rows: Sequence[Quarantine], why: str) -> None:
    """Delete quarantines, with a row in the timeline."""
    _delete(phase, rows)
    workers = ", ".join(row.worker for row in rows)
    change.record(phase.job, "job.quarantine_ended", phase=phase, detail=f"{workers} may claim again. {why}")


def _delete(phase: Phase, rows: Sequence[Quarantine]) -> None:
    if rows:
        Quarantine.objects.filter(pk__in=[row.pk for row in rows]).delete()
        phase.quarantined -= len(rows)


def _forget_runs(rows: Sequence[Quarantine]) -> None:
    """Let a lifted worker begin without its failures, so that one more does not bring it back."""
    for row in rows:
        tallies = WorkerTally.objects.filter(worker=row.worker, owner=row.owner, phase=row.phase_id)
        tallies.filter(failed_in_a_row__gt=0).update(failed_in_a_row=0)


def _until(change: Change) -> datetime:
    return change.now + timedelta(seconds=settings.WORKER_QUARANTINE_SECONDS)


def _known(phases: Sequence[Phase]) -> dict[tuple[int, str, int], Quarantine]:
    """Return the quarantines of these phases, in one query if there are any."""
    rows = Quarantine.objects.filter(phase__in={phase.pk for phase in phases}) if phases else ()
    return {(row.phase_id, row.worker, row.owner): row for row in rows}


def _row(phase: Phase, worker: str, *, by: Actor) -> Quarantine | None:
    """Return the quarantine of a worker; a phase without any costs no query."""
    if not (worker and phase.quarantined and settings.WORKER_FAILURE_LIMIT):
        return None
    own: QuarantineQuerySet = Quarantine.objects.of(worker, _owner(by))
    return own.filter(phase=phase).first()


def _held(phase: Phase, name: Name) -> ItemQuerySet:
    worker, owner = name
    return Item.objects.held().by_worker(worker, owner or None).within([phase.pk])


def _owner(by: Actor) -> int:
    return by.account.pk if by.account else 0
