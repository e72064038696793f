"""Reports: results of named items. Each is a state transition, so repeating it changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter

from django.conf import settings

from jobs.change import Actor, Change, ConcurrentModification, Settled, change_jobs
from jobs.change.event_factory import sentence
from jobs.change.refusals import Call, closed_to
from jobs.db import bulk_sql
from jobs.models import Item, Job, Phase
from jobs.models.items import digest
from jobs.rules import pipelines
from jobs.rules.errors import Refused, WrongState
from jobs.rules.growing_counts import ITEM_FAILURES, FailureOutcome
from jobs.rules.pipelines import ResultCheck
from jobs.rules.statuses import Held, Outcome
from jobs.tracking import quarantine, transitions
from jobs.tracking.create import insert_items
from jobs.tracking.ended_attempts import ended
from jobs.tracking.transitions import COMPLETED, FAILED, PENDING, SKIPPED, ItemState, Reporter
from jobs.tracking.types import NewItem, Reported, Result, ResultOutcome

Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """The results that one worker reports for one phase. Without `leased` the items that it starts get no lease."""

    phase: Phase
    worker: str
    results: Sequence[Result]
    by: Actor
    leased: bool = True


Answer = Reported | Refused


def report(phase: Phase, *, worker: str = "", results: Sequence[Result], leased: bool = True, by: Actor) -> Reported:
    """Apply the results of one worker to items of one phase; each gets its own outcome.

    An unknown key creates the item unless the phase was given a list (then it is `invalid`). An item that starts
    (`processing`) gets the default lease; with `leased` False it has none and is freed by `release` only. WrongState
    where the phase is counted without items.
    """
    with change_jobs([phase.job_id], by=by) as change:
        return accepted(apply_results(change, [Batch(phase, worker, results, by, leased)])[0])


def report_many(batches: Sequence[Batch]) -> list[Reported]:
    """Apply several batches, of any jobs, in one transaction and a constant number of statements.

    All or nothing: the first refusal is raised. Use `report` for one batch.
    """
    with change_jobs({batch.phase.job_id for batch in batches}, by=batches[0].by) as change:
        return [accepted(answer) for answer in apply_results(change, batches)]


def accepted(answer: Answer) -> Reported:
    """Return the answer to an accepted batch, or raise the refusal."""
    if isinstance(answer, Refused):
        raise answer
    return answer


def apply_results(change: Change, batches: Sequence[Batch]) -> list[Answer]:
    """Apply batches inside a change that has locked their jobs. Refusals are found before anything is written."""
    refusals = [_refusal(change, batch) for batch in batches]
    answers = iter(_apply_all(change, [batch for batch, refused in zip(batches, refusals, strict=True) if not refused]))
    return [refused or next(answers) for refused in refusals]


def _refusal(change: Change, batch: Batch) -> Refused | None:
    """Return why this batch as a whole is refused."""
    try:
        phase = change.phase(batch.phase.pk)
        pipelines.get(phase.job.kind)
        if phase.counted:
            raise WrongState(f"Phase {phase.code} is counted without items; report its numbers with count.")
    except Refused as refused:
        return refused
    return None


def _apply_all(change: Change, batches: Sequence[Batch]) -> list[Reported]:
    if not batches:
        return []
    fingerprints = [[digest(result.key) for result in batch.results] for batch in batches]
    items = _load(batches, fingerprints)
    created = _create_unknown(change, batches, fingerprints, known=items.keys())
    if created:
        items = _load(batches, fingerprints)
    answers = [_apply(change, batch, prints, items) for batch, prints in zip(batches, fingerprints, strict=True)]
    _write(items.values())
    quarantine.judge(change)
    _remove_refused(change, {key: items[key] for key in created})
    return answers


def _create_unknown(
    change: Change, batches: Sequence[Batch], fingerprints: Sequence[list[str]], *, known: Collection[Key]
) -> set[Key]:
    """Create the items of unknown keys in phases without a list, and return their keys."""
    new: dict[int, dict[str, NewItem]] = {}
    shared = Counter(batch.phase.job_id for batch in batches)
    for batch, prints in zip(batches, fingerprints, strict=True):
        phase = change.phase(batch.phase.pk)
        may_open = not phase.gate_open and shared[phase.job_id] > 1
        if phase.listed or (closed_to(phase, Call.REPORT) and not may_open):
            continue
        for fingerprint, result in zip(prints, batch.results, strict=True):
            if (phase.pk, fingerprint) not in known and not result.attempt:
                new.setdefault(phase.pk, {})[fingerprint] = NewItem(result.key)
    for phase_id, items in new.items():
        change.phase(phase_id).items_total += insert_items(change.phase(phase_id), items)
    return {(phase_id, fingerprint) for phase_id, items in new.items() for fingerprint in items}


def _remove_refused(change: Change, created: Mapping[Key, ItemState]) -> None:
    """Remove new items whose phase is closed after all, because of an earlier batch or of a gate that did not open."""
    refused = {
        key: item for key, item in created.items() if not item.moved and closed_to(change.phase(key[0]), Call.REPORT)
    }
    if refused:
        Item.objects.filter(pk__in=[item.id for item in refused.values()]).delete()
        for phase_id, _ in refused:
            change.phase(phase_id).items_total -= 1


def _load(batches: Sequence[Batch], fingerprints: Sequence[list[str]]) -> dict[Key, ItemState]:
    keys: set[Key] = set()
    for batch, prints in zip(batches, fingerprints, strict=True):
        keys.update(zip(repeat(batch.phase.pk), prints))
    fields = ("phase", *transitions.LOADED)
    found = bulk_sql.lookup(Item, sorted(keys), match=("phase", "key_digest"), fields=fields)
    return {(row[0], row[2]): transitions.loaded(row[1:]) for row in found}


def _apply(change: Change, batch: Batch, prints: Sequence[str], items: dict[Key, ItemState]) -> Reported:
    phase = change.phase(batch.phase.pk)
    phase_id, job = phase.pk, phase.job
    change.act_as(job, batch.by)
    reporter = _reporter(change, phase, batch)
    check = None if reporter.closed else pipelines.get(job.kind).check_result
    moves: Counter[tuple[str, str]] = Counter()
    reported: list[str] = []
    answers = []
    for fingerprint, result in zip(prints, batch.results, strict=True):
        item = items.get((phase_id, fingerprint))
        if item is None:
            answers.append(_unknown(phase, result, reporter))
            continue
        refused = _check(phase, item, result, check) if check else None
        if refused:
            answers.append(ResultOutcome(result.key, Outcome.INVALID, item.status, refused))
            continue
        before = copy(item)
        answer = transitions.apply(item, result, reporter)
        answers.append(ResultOutcome(result.key, answer[0], item.status, answer[1], item.available_at))
        if answer == transitions.APPLIED:
            moves[before.status, item.status] += 1
            reported.append(result.status)
            if result.status == FAILED and item.status == PENDING:
                change.grow(ITEM_FAILURES, job.kind, FailureOutcome.RETRIED)
            phase.current_item_id = item.id
            _note_error(change, job, item)
            _wait(change, phase, before, item)
            attempt = ended(before, item, result, reporter)
            if attempt:
                change.attempts.append(attempt)
    _count(change, phase, moves, reported)
    change.record_heartbeat(job)
    _record_worker(change, phase, batch, reported)
    return Reported(answers, phase, cancel_requested=job.held == Held.CANCELLED)


def _reporter(change: Change, phase: Phase, batch: Batch) -> Reporter:
    closed, no_new_work = closed_to(phase, Call.REPORT), closed_to(phase, Call.BEGIN)
    kept_from = quarantine.sentence(phase, batch.worker, by=batch.by, now=change.now)
    return Reporter(
        worker=batch.worker,
        account=batch.by.account.pk if batch.by.account else None,
        now=change.now,
        lease_seconds=settings.ITEM_LEASE_SECONDS if batch.leased else None,
        policy=phase.retry_policy,
        closed=closed.sentence if closed else "",
        paused=no_new_work.sentence if no_new_work else kept_from,
    )


def _unknown(phase: Phase, result: Result, reporter: Reporter) -> ResultOutcome:
    if reporter.closed:
        return ResultOutcome(result.key, Outcome.CLOSED, "", reporter.closed)
    if result.attempt:
        return ResultOutcome(result.key, Outcome.INVALID, "", f"Attempt {result.attempt} was never given out.")
    return ResultOutcome(result.key, Outcome.INVALID, "", f"Phase {phase.code} has a list of items without this key.")


def _check(phase: Phase, item: ItemState, result: Result, check: ResultCheck) -> str | None:
    """Return why the pipeline refuses a success; repetition, fence and closed phase are checked elsewhere."""
    if result.status != COMPLETED or result.attempt not in (None, item.attempt):
        return None
    if item.status in (COMPLETED, SKIPPED):
        return None
    return check(phase.job, phase, result.result)


def _note_error(change: Change, job: Job, item: ItemState) -> None:
    """Record the error of the latest failure."""
    if item.status == FAILED:
        job.error = sentence(item.label or item.key, item.error)
        job.error_item_id = item.id
    elif job.error_item_id == item.id:
        change.errors_stale.add(job.pk)


def _wait(change: Change, phase: Phase, before: ItemState, item: ItemState) -> None:
    """Count an item that begins to wait for its retry, or that no longer waits."""
    waited, waits = before.available_at is not None, item.available_at is not None
    if waits or waited:
        change.wait(phase, waits - waited, until=item.available_at)


def _count(change: Change, phase: Phase, moves: Counter[tuple[str, str]], reported: Collection[str]) -> None:
    """Move the counters with the items. A failure that is retried settles nothing and is progress all the same."""
    if any(status != PENDING for status in reported):
        change.begin(phase)
    for (was, now), number in moves.items():
        change.count(phase, was=was, now=now, number=number)
    if moves:
        phase.last_item_at = change.now
    if FAILED in reported:
        phase.job.progress_at = change.now


def _record_worker(change: Change, phase: Phase, batch: Batch, reported: Sequence[str]) -> None:
    """Record the results of the worker. Its failures count whether they are retried or not."""
    done, failed = reported.count(COMPLETED), reported.count(FAILED)
    last = reported[::-1].index(COMPLETED) if done else len(reported)
    failed_last = reported[len(reported) - last :].count(FAILED)
    settled = Settled(done, failed, failed_last)
    change.record_worker(batch.worker, job=phase.job, phase=phase, settled=settled)


def _write(items: Iterable[ItemState]) -> None:
    """Save the changed items, with the time of their start where they start."""
    moved = [item for item in items if item.moved]
    for begun, fields in ((False, transitions.WRITTEN), (True, transitions.BEGUN)):
        columns = attrgetter(*transitions.GUARDED, *fields)
        values = [columns(item) for item in moved if item.begun is begun]
        if len(bulk_sql.update(Item, values, match=transitions.GUARDS, fields=fields)) != len(values):
            raise ConcurrentModification("item")
