"""New jobs, phases and items: idempotent by name and by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from msgspec.structs import asdict

from jobs.change import Actor, Change, ConcurrentModification, change_jobs, change_new
from jobs.change.new_run import gated_after, rerun
from jobs.change.phase_life import Life
from jobs.change.refusals import Call, require_open
from jobs.db import bulk_sql
from jobs.models import Item, Job, Phase
from jobs.models.items import digest
from jobs.models.jobs import projects_of
from jobs.rules import pipelines
from jobs.rules.errors import BadInput, Conflict, NotPermitted, WrongState
from jobs.rules.pipelines import KindOptions, PhaseSpec
from jobs.rules.retries import RetryPolicy
from jobs.rules.statuses import ItemStatus, Shortfall, Trigger
from jobs.tracking.types import Added, Created, Deadlines, NewItem

ROWS_PER_STATEMENT = 10_000
Fill = Callable[[Job], Mapping[str, Sequence[NewItem]]]


def create_job(
    *,
    name: str,
    kind: str = "generic",
    project: str = "",
    metadata: dict[str, Any] | None = None,
    threshold: int | None = None,
    retries: int | None = None,
    retry_delay: int | None = None,
    retry_delay_max: int | None = None,
    priority: int = 0,
    phases: Sequence[PhaseSpec] = (),
    asset_types: Sequence[str] = (),
    items: Sequence[NewItem] | None = None,
    fill: Fill | None = None,
    deadlines: Deadlines | None = None,
    reopen: bool = False,
    by: Actor,
) -> Created:
    """Create a job with its phases and the items of its first phase, or find the one of this name.

    `fill` is for kinds that know the items of every phase: it gets the new job, with its id, and returns the items by
    the code of their phase. An existing job gets the new `items`, which give the total where it is unknown; the rest
    is ignored. Raises Conflict `name_taken` for another kind or for a job that is not visible to the account, and
    NotPermitted for a project outside its projects.
    """
    chosen = pipelines.get(kind)
    specs = [spec.with_defaults() for spec in chosen.build(KindOptions(phases, asset_types))]
    _check_phases(specs)
    times = deadlines or Deadlines()
    times.check()
    existing = Job.objects.filter(name=name).first()
    if existing is None:
        _check_project(by, project)
        job = Job(
            name=name,
            kind=kind,
            project=project,
            metadata=metadata or {},
            threshold=threshold,
            retries=retries,
            retry_delay=retry_delay,
            retry_delay_max=retry_delay_max,
            priority=priority,
            account=by.account,
            **asdict(times),
        )
        try:
            with transaction.atomic():
                return Created(_insert(job, _phases(specs, job=job), items, fill=fill, by=by), True)
        except IntegrityError:
            existing = _existing_of(name)
    return Created(_existing(existing, kind=kind, items=items, reopen=reopen, by=by), False)


def _existing_of(name: str) -> Job:
    """Return the job that has taken this name meanwhile. A job that is being deleted keeps its name until the end."""
    existing = Job.objects.filter(name=name).first()
    if existing is None:
        raise Conflict(f"Job {name} is being deleted. Create it again when the deletion is over.", code="name_taken")
    return existing


def add_items(phase: Phase, *, items: Sequence[NewItem], reopen: bool = False, by: Actor) -> Added:
    """Add items to a phase; a key that it has already is left as it is.

    A finished phase takes no new items (WrongState) unless `reopen` starts a new run, which keeps settled items and
    waits for the new ones. Later gated phases begin a new run too. A phase that is counted without items takes none,
    nor does a job whose kind has an endpoint of its own for items.
    """
    with change_jobs([phase.job_id], by=by) as change:
        locked = change.phase(phase.pk)
        _check_kind(locked)
        return list_items(change, locked, items, reopen=reopen)


def _check_kind(phase: Phase) -> None:
    kind = pipelines.find(phase.job.kind)
    if kind and not kind.open:
        raise WrongState(
            f"Job {phase.job.name} is of kind {kind.code}, which takes its items through {kind.created_at} only."
        )


def list_items(
    change: Change, phase: Phase, items: Sequence[NewItem], *, reopen: bool = False, listing: bool = True
) -> Added:
    """Add items inside a change that has locked the job. Without `listing` the phase does not become a listed one."""
    if phase.counted:
        raise WrongState(f"Phase {phase.code} is counted without items; it cannot take items as well.")
    unique = {digest(item.key): item for item in items}
    added = insert_items(phase, unique)
    if added:
        was_over = not phase.is_open
        if was_over:
            _reopen(change, phase, permitted=reopen)
        phase.items_total += added
        change.apply_life_event(phase, Life.ADD_ITEMS)
        if was_over:
            change.apply_life_event(phase, Life.AWAIT_NEW)
    phase.listed = phase.listed or listing
    return Added(added, len(items) - added)


def close_list(change: Change, phase: Phase) -> None:
    """Close an open list: the number of its items is the total of this phase, without a watermark."""
    if phase.expected is None:
        change.apply_life_event(phase, Life.CLOSE_LIST)
        change.record(phase.job, f"{phase.code}.listed", phase=phase, detail=f"{phase.items_total} items, and no more.")


def skip_listed(change: Change, phase: Phase, reasons: Mapping[int, str]) -> None:
    """Skip pending items that need no work, by their ids, each with its reason; they count as success.

    Unlike a report this starts nothing: a phase in which only such items are settled is still pending.
    """
    values = [(pk, ItemStatus.PENDING, ItemStatus.SKIPPED, reason, change.now) for pk, reason in reasons.items()]
    moved = bulk_sql.update(Item, values, match=("id", "status"), fields=("status", "error", "finished_at"))
    if len(moved) != len(values):
        raise ConcurrentModification("item")
    change.count(phase, was=ItemStatus.PENDING, now=ItemStatus.SKIPPED, number=len(moved))


def add_phases(change: Change, specs: Sequence[PhaseSpec]) -> list[Phase]:
    """Add phases behind those of the one job of this change; a completed job continues with them."""
    job, present = change.job, change.phases[change.job.pk]
    added = _phases([spec.with_defaults() for spec in specs], job=job, first=len(present))
    Phase.objects.bulk_create(added)
    change.attach([], added)
    for phase in added:
        change.record(job, f"{phase.code}.added", phase=phase)
    job.watched_from = change.now
    return added


def insert_items(phase: Phase, items: dict[str, NewItem]) -> int:
    """Insert the items (by the digest of their key) that the phase does not have yet; return their number."""
    added = 0
    for batch in _batches(items):
        values = [(item.key, fingerprint, item.label, item.split, item.payload) for fingerprint, item in batch]
        added += bulk_sql.insert(
            Item,
            values,
            fields=("key", "key_digest", "label", "split", "payload"),
            constants={"phase": phase.pk},
            ignore_conflicts=True,
        )
    return added


def _batches(items: dict[str, NewItem]) -> list[list[tuple[str, NewItem]]]:
    pairs = list(items.items())
    return [pairs[start : start + ROWS_PER_STATEMENT] for start in range(0, len(pairs), ROWS_PER_STATEMENT)]


def _reopen(change: Change, phase: Phase, *, permitted: bool) -> None:
    """Begin a run that keeps settled items and waits for the new ones, and a new run of each later gated phase.

    The results of the later phases depend on the shorter list, and so does an announced total.
    """
    require_open(phase, Call.REOPEN if permitted else Call.ADD)
    change.reopen(phase, Life.REOPEN)
    later = gated_after(change.phases[phase.job_id], phase)
    rerun(change, later)
    again = f" New runs of {', '.join(each.code for each in later)}." if later else ""
    change.record(phase.job, f"{phase.code}.reopened", phase=phase, detail=f"New items began run {phase.run}.{again}")


# --- the parts of create_job -----------------------------------------------------------------------


def _check_phases(specs: Sequence[PhaseSpec]) -> None:
    codes = [spec.code for spec in specs]
    for code in codes:
        if codes.count(code) > 1:
            raise BadInput({"phases": f"Two phases have the code {code!r}. Give each phase a code of its own."})
    if specs[0].gated:
        raise BadInput({"phases[0].gated": "Remove the gate of the first phase: no earlier phase could open it."})


def _check_project(by: Actor, project: str) -> None:
    projects = projects_of(by.account) if by.account else None
    if projects is not None and project not in projects:
        raise NotPermitted(
            f"This account is limited to the projects {', '.join(projects)}. Choose one of them instead of {project!r}."
        )


def _phases(specs: Sequence[PhaseSpec], *, job: Job, first: int = 0) -> list[Phase]:
    """Make the rows of these phases, at positions from `first` on."""
    kind = pipelines.get(job.kind)
    threshold = _first(job.threshold, kind.default_threshold, settings.COMPLETION_THRESHOLD_PERCENTAGE)
    presets = RetryPolicy()
    retries = _first(job.retries, kind.default_retries, settings.ITEM_RETRIES)
    return [
        Phase(
            job=job,
            code=spec.code,
            position=position,
            asset_type=spec.asset_type,
            label=spec.label,
            stage=spec.stage,
            weight=spec.weight,
            expected=spec.expected,
            announced=spec.expected is not None,
            threshold=_first(spec.threshold, threshold),
            retries=_first(spec.retries, retries),
            retry_delay=_first(spec.retry_delay, job.retry_delay, presets.delay),
            retry_delay_max=_first(spec.retry_delay_max, job.retry_delay_max, presets.delay_max),
            trigger=spec.trigger or Trigger.WHEN_SETTLED,
            on_shortfall=spec.on_shortfall or Shortfall.PARTIAL,
            gated=spec.gated,
            gate_open=not spec.gated,
            watermark_ttl=spec.watermark_ttl or settings.WATERMARK_TTL_SECONDS,
            silent_after=spec.silent_after,
            stalled_after=spec.stalled_after,
            max_leased=spec.max_leased,
            priority=job.priority,
        )
        for position, spec in enumerate(specs, first)
    ]


def _first(*values: int | None) -> int:
    """Return the first of these values that is given."""
    return next(value for value in values if value is not None)


def _insert(job: Job, phases: list[Phase], items: Sequence[NewItem] | None, *, fill: Fill | None, by: Actor) -> Job:
    now = timezone.now()
    job.created_at = job.updated_at = job.watched_from = now
    job.save(force_insert=True)
    for phase in phases:
        phase.job = job
    Phase.objects.bulk_create(phases)
    with change_new(job, phases, by=by, now=now) as change:
        lists = {} if items is None else {phases[0].code: items}
        lists |= fill(job) if fill else {}
        for code, listed in lists.items():
            phase = change.phase_by_code(code)
            change.apply_life_event(phase, Life.LIST)
            list_items(change, phase, listed)
        change.record(job, "job.created")
    return job


def _existing(job: Job, *, kind: str, items: Sequence[NewItem] | None, reopen: bool, by: Actor) -> Job:
    projects = projects_of(by.account) if by.account else None
    if projects is not None and job.project not in projects:
        raise Conflict("A job of this name exists. Choose another name.", code="name_taken")
    if job.kind != kind:
        raise Conflict(f"Job {job.name} exists and is of kind {job.kind}, not {kind}.", code="name_taken")
    if items is None:
        return job
    with change_jobs([job.pk], by=by) as change:
        _list_late(change, change.phases[job.pk][0], items, reopen=reopen)
    return change.job


def _list_late(change: Change, phase: Phase, items: Sequence[NewItem], *, reopen: bool) -> None:
    """Add the list of a job that exists already; it gives the total as if the job had begun with it.

    An empty one changes nothing in a phase that works without items already.
    """
    if not items and (phase.counted or phase.started_at):
        return
    list_items(change, phase, items, reopen=reopen)
    if phase.is_open:
        close_list(change, phase)
