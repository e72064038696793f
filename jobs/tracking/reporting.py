"""Workers tell outcomes. A report is a state transition of named items, so repeating it changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings

from jobs import kinds, rows
from jobs.change import Actor, Change, LostRace, change
from jobs.errors import WrongState
from jobs.models import Item, Phase
from jobs.models.items import digest
from jobs.statuses import Held, ItemStatus, Outcome
from jobs.timeline import sentence
from jobs.tracking import transitions
from jobs.tracking.creating import insert_items
from jobs.tracking.inputs import NewItem, Reported, Result, ResultOutcome
from jobs.tracking.transitions import ItemState, Reporter

Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """The results that one worker reports for one phase."""

    phase: Phase
    worker: str
    results: Sequence[Result]
    by: Actor


def report_many(batches: Sequence[Batch]) -> list[Reported]:
    """Apply several batches, of whatever jobs, in one transaction and a constant number of statements.

    All or nothing; `report` is the verb for one batch.
    """
    fingerprints = [[digest(result.key) for result in batch.results] for batch in batches]
    with change({batch.phase.job_id for batch in batches}, by=batches[0].by) as c:
        items = _load(batches, fingerprints)
        if _create_unknown(c, batches, fingerprints, known=items.keys()):
            items = _load(batches, fingerprints)
        answers = [_apply(c, batch, prints, items) for batch, prints in zip(batches, fingerprints, strict=True)]
        _write(items.values())
    return answers


def _create_unknown(
    c: Change, batches: Sequence[Batch], fingerprints: Sequence[list[str]], *, known: Collection[Key]
) -> bool:
    """In phases that were not given a list, a result may come before its item. Was any created?"""
    new: dict[int, dict[str, NewItem]] = {}
    for batch, prints in zip(batches, fingerprints, strict=True):
        phase = c.phase(batch.phase.pk)
        if phase.counted:
            raise WrongState(f"Phase {phase.code} is counted without items; report its numbers with count.")
        if phase.listed or closed_because(phase):
            continue
        for fingerprint, result in zip(prints, batch.results, strict=True):
            if (phase.pk, fingerprint) not in known and not result.attempt:
                new.setdefault(phase.pk, {})[fingerprint] = NewItem(result.key)
    for phase_id, items in new.items():
        c.phase(phase_id).items_total += insert_items(c.phase(phase_id), items)
    return bool(new)


def _load(batches: Sequence[Batch], fingerprints: Sequence[list[str]]) -> dict[Key, ItemState]:
    phases = {batch.phase.pk for batch in batches}
    wanted = {fingerprint for prints in fingerprints for fingerprint in prints}
    found = Item.objects.filter(phase__in=phases, key_digest__in=wanted).order_by("pk")
    return {(row[0], row[2]): ItemState(*row[1:]) for row in found.values_list("phase_id", *transitions.LOADED)}


def closed_because(phase: Phase) -> str:
    """Why the phase takes no reports, in a sentence; empty while it does."""
    if phase.job.held == Held.CANCELLED:
        return f"Job {phase.job.name} is cancelled."
    if not phase.gate_open:
        return f"Phase {phase.code} is gated until every earlier phase has completed."
    if phase.is_closed:
        return f"Phase {phase.code} is {'force-completed' if phase.forced else phase.status}."
    return ""


def _apply(c: Change, batch: Batch, prints: Sequence[str], items: dict[Key, ItemState]) -> Reported:
    phase = c.phase(batch.phase.pk)
    c.by = batch.by
    reporter = _reporter(c, phase, batch)
    answers = [
        _one(c, phase, items.get((phase.pk, fingerprint)), result, reporter)
        for fingerprint, result in zip(prints, batch.results, strict=True)
    ]
    c.heard(phase.job)
    c.seen(batch.worker, job=phase.job)
    return Reported(answers, phase, cancel_requested=phase.job.held == Held.CANCELLED)


def _reporter(c: Change, phase: Phase, batch: Batch) -> Reporter:
    paused = f"Job {phase.job.name} is paused." if phase.job.held == Held.PAUSED else ""
    return Reporter(
        worker=batch.worker,
        account=batch.by.account.pk if batch.by.account else None,
        now=c.now,
        lease_seconds=settings.ITEM_LEASE_SECONDS,
        closed=closed_because(phase),
        paused=paused,
    )


def _one(c: Change, phase: Phase, item: ItemState | None, result: Result, reporter: Reporter) -> ResultOutcome:
    if item is None:
        return _unknown(phase, result, reporter)
    refused = _checked(phase, item, result)
    if refused:
        return ResultOutcome(result.key, Outcome.INVALID, item.status, refused)
    was = item.status
    outcome, detail = transitions.apply(item, result, reporter)
    if outcome == Outcome.APPLIED:
        _count(c, phase, item, was=was)
    return ResultOutcome(result.key, outcome, str(item.status), detail)


def _unknown(phase: Phase, result: Result, reporter: Reporter) -> ResultOutcome:
    if reporter.closed:
        return ResultOutcome(result.key, Outcome.CLOSED, "", reporter.closed)
    if result.attempt:
        return ResultOutcome(result.key, Outcome.INVALID, "", f"Attempt {result.attempt} was never given out.")
    return ResultOutcome(result.key, Outcome.INVALID, "", f"Phase {phase.code} was given a list without this key.")


def _checked(phase: Phase, item: ItemState, result: Result) -> str | None:
    check = kinds.get(phase.job.kind).check_result
    if check is None or result.status != ItemStatus.COMPLETED or item.status == ItemStatus.COMPLETED:
        return None
    return check(phase.job, phase, result.result)


def _count(c: Change, phase: Phase, item: ItemState, *, was: str) -> None:
    """Move the counters with the item, and keep the sentence of the latest failure."""
    if item.status != ItemStatus.PENDING:
        c.begin(phase)
    c.count(phase, was=was, now=item.status)
    phase.last_item_at, phase.current_item_id = c.now, item.id
    if item.status == ItemStatus.FAILED:
        phase.job.error = sentence(item.label or item.key, item.error)
        phase.job.error_item_id = item.id
    elif phase.job.error_item_id == item.id:
        c.errors_stale.add(phase.job_id)


def _write(items: Iterable[ItemState]) -> None:
    moved = [item for item in items if item.moved]
    if not moved:
        return
    written = rows.update(Item, [item.row() for item in moved], match=transitions.GUARDS, fields=transitions.WRITTEN)
    if len(written) != len(moved):
        raise LostRace("An item was moved by somebody who did not hold the lock of its job.")
