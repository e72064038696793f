"""What an act would do to one job, line by line, for the page that asks before it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.change.new_run import gated_after, items_to_redo
from jobs.models import Item, Phase
from jobs.operations.previews.acts import ACTS, Scope, refusal
from jobs.operations.previews.snapshot import JobSnapshot
from jobs.rules import progress
from jobs.rules.formatting import format_number, pluralize

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models.items import ItemQuerySet

ITEMS_NAMED = 8
Lines = list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Preview:
    """What one act would do to one job.

    `lines` are (what, sentences) pairs; `changes` counts as the verb would; `why_not` is empty where it is possible.
    """

    figures: JobSnapshot
    lines: Lines
    changes: int
    why_not: str = ""


def preview(slug: str, figures: JobSnapshot, user: User | AnonymousUser, scope: Scope) -> Preview:
    """What this act would do to this job within this scope."""
    why_not = refusal(ACTS[slug], figures.job, user)
    lines, changes, nothing = _LINES[slug](figures, scope)
    return Preview(figures, [_now(figures, scope), *lines], changes, why_not or nothing)


Told = tuple[Lines, int, str]


def _now(f: JobSnapshot, scope: Scope) -> tuple[str, list[str]]:
    return "Now", [_phase_now(phase) for phase in f.chosen(scope.phase)]


def _phase_now(phase: Phase) -> str:
    counts = phase.counts
    if counts.expected is None:
        return f"{phase.label}: {format_number(counts.processed)} done, {format_number(counts.failed)} failed, total not announced"
    percent = progress.percent(counts, completed=phase.is_completed)
    return (
        f"{phase.label}: {format_number(counts.processed)} of {format_number(counts.expected)} done ({percent} %),"
        f" {format_number(counts.failed)} failed; completes at {phase.threshold} %"
        f" = {format_number(progress.needed(counts.expected, phase.threshold))}"
    )


# --- items -----------------------------------------------------------------------------------------


def _retry(f: JobSnapshot, scope: Scope) -> Told:
    failed = _failed_items(f, scope)
    count = failed.count() if scope.items or scope.signature else sum(p.failed for p in _takers(f, scope))
    others = len(scope.items) - count if scope.items else 0
    lines: Lines = [
        ("Will be retried", [f"{pluralize(count, 'failed item')}: {_names(failed)}" if count else "nothing"]),
        ("Will be emitted", ["item.retry_requested, once, with the keys"] if count else ["nothing"]),
        ("Left behind", ["Their error sentences and results are cleared; the attempt and the tries start anew."]),
        ("Leases revoked", ["none"]),
        ("Undo", ["Not needed: an item that was retried can be skipped, or fails again."]),
    ]
    return _with_others(lines, others, "not failed"), count, "" if count else "There is no failed item to retry."


def _release(f: JobSnapshot, scope: Scope) -> Told:
    chosen = f.chosen(scope.phase)
    held = _scoped(Item.objects.held(), chosen, scope)
    free = held if scope.all else _scoped(Item.objects.without_live_lease(f.now), chosen, scope)
    count = free.count()
    stay = held.count() - count
    lines: Lines = [
        ("Will be released", [f"{pluralize(count, 'item')}: {_names(free)}" if count else "nothing"]),
        ("Will be emitted", ["nothing"]),
        ("Left behind", [f"{pluralize(stay, 'live lease')} of {', '.join(f.holders)} stay."] if stay else ["nothing"]),
        ("Leases revoked", [pluralize(count, "lease") if scope.all else "only those that are over"]),
        ("Undo", ["Not possible: a late report of the last holder is stale from then on."]),
    ]
    return lines, count, "" if count else "Nobody holds an item without a live lease."


def _skip(f: JobSnapshot, scope: Scope) -> Told:
    if not scope.items:
        return [], 0, "Tick the items to skip in the list of the job."
    open_items = _scoped(Item.objects.filter(status__in=("pending", "failed")), f.takers, scope)
    free = _scoped(Item.objects.without_live_lease(f.now), f.takers, scope)
    count = open_items.count() + free.count()
    lines: Lines = [
        ("Will be skipped", [f"{pluralize(count, 'item')}: {_names(open_items)}" if count else "nothing"]),
        ("Will be emitted", ["the completed event of a phase, if this meets its threshold"]),
        ("Left behind", ["They count as done work from now on; their error sentences are cleared."]),
        ("Leases revoked", [pluralize(free.count(), "abandoned lease")]),
        ("Undo", ["Not possible: a skipped item stays skipped, also in a restart."]),
    ]
    others = len(scope.items) - count
    return _with_others(lines, others, "settled or held"), count, "" if count else "None of these items can be skipped."


# --- ends ------------------------------------------------------------------------------------------


def _force(f: JobSnapshot, scope: Scope) -> Told:
    closing = [phase for phase in f.chosen(scope.phase) if not phase.is_completed]
    whole = all(phase in closing for phase in f.unfinished)
    emitted = [f"{phase.code}.completed once, {_figures_of_event(phase)}" for phase in closing]
    lines: Lines = [
        ("Will complete", [f"{pluralize(len(closing), 'phase')}: {', '.join(phase.label for phase in closing)}"]),
        ("Will be emitted", emitted + (["job.completed, once"] if whole else [])),
        ("Left behind", [_left(phase) for phase in closing]),
        _revoked(f, closing),
        ("Undo", ["Not possible: others will have seen the event. Only a restart opens a phase again, as a new run."]),
    ]
    return lines, len(closing), "" if closing else "Every chosen phase is completed."


def _figures_of_event(phase: Phase) -> str:
    counts = phase.counts
    total = counts.settled if counts.expected is None else counts.expected
    partial = "true" if counts.processed < total else "false"
    return (
        f"with total_assets={total}, processed_assets={counts.processed}, has_partial_completion={partial}, forced=true"
    )


def _left(phase: Phase) -> str:
    counts = phase.counts
    if counts.expected is None:
        return f"{phase.label}: the total was never announced; it becomes {format_number(counts.settled)}."
    return (
        f"{phase.label}: {pluralize(max(0, counts.expected - counts.settled), 'item')} without an outcome and"
        f" {format_number(counts.failed)} failed stay undone; nobody can claim, report or retry them."
    )


def _fail(f: JobSnapshot, scope: Scope) -> Told:
    open_phases = [phase for phase in f.phases if phase.is_open]
    lines: Lines = [
        ("Will fail", [f"the job and {pluralize(len(open_phases), 'open phase')}"]),
        ("Will be emitted", [f"{phase.code}.failed" for phase in open_phases] + ["job.failed"]),
        ("Left behind", ["What is done stays counted; workers get the answer “closed”."]),
        _revoked(f, open_phases),
        ("Undo", ["A restart of a phase opens it again; others will have seen the events."]),
    ]
    return lines, 1, ""


def _cancel(f: JobSnapshot, scope: Scope) -> Told:
    lines: Lines = [
        ("Will be cancelled", [f"the job and {pluralize(len(f.unfinished), 'unfinished phase')}"]),
        ("Will be emitted", ["job.cancelled, once; no completed event"]),
        ("Left behind", ["What is done stays counted; late reports get the answer “closed” and count nothing."]),
        _revoked(f, f.unfinished),
        ("Undo", ["A restart of a phase opens the job again; others will have seen the event."]),
    ]
    return lines, 1, ""


# --- going on --------------------------------------------------------------------------------------


def _pause(f: JobSnapshot, scope: Scope) -> Told:
    held = f"{pluralize(f.live + f.free, 'held item')} may still be reported."
    lines: Lines = [
        ("Will stop", ["New claims; watermarks keep the time they have left."]),
        ("Will be emitted", ["nothing"]),
        ("Left behind", [held]),
        ("Leases revoked", ["none"]),
        ("Undo", ["Resume."]),
    ]
    return lines, 1, ""


def _resume(f: JobSnapshot, scope: Scope) -> Told:
    lines: Lines = [
        ("Will go on", ["Items are claimable again; watermarks go on with the time they had left."]),
        ("Will be emitted", ["nothing"]),
        ("Leases revoked", ["none"]),
        ("Undo", ["Pause."]),
    ]
    return lines, 1, ""


def _threshold(f: JobSnapshot, scope: Scope) -> Told:
    lines: Lines = [
        ("Will change", ["How many percent complete the chosen phase; it is judged anew at once."]),
        ("Met now", [_met(phase) for phase in f.judged]),
        ("Will be emitted", ["the completed event of the phase, if the new threshold is met"]),
        ("Leases revoked", ["none"]),
        ("Undo", ["Change it back, as long as the phase has not completed."]),
    ]
    return lines, 1, "" if f.judged else "Every phase is completed or cancelled; a threshold can change before that."


def _met(phase: Phase) -> str:
    expected = phase.counts.expected
    if not expected:
        return f"{phase.label}: nothing is judged before the total is announced"
    met = min(100, phase.counts.processed * 100 // expected)
    waits = "" if phase.trigger == "at_threshold" else ", and it completes when every item has an outcome"
    return f"{phase.label}: a threshold up to {met} % is met{waits}"


def _restart(f: JobSnapshot, scope: Scope) -> Told:
    first, later = begun_again(f, scope)
    count = redone(f, scope)
    lines: Lines = [
        ("Will begin again", [f"{phase.label}: run {phase.run + 1}" for phase in [*first, *later]]),
        ("Pending again", [pluralize(count, "item")]),
        ("Will be emitted", ["nothing now; each phase sends a new completed event when it completes again"]),
        ("Left behind", ["Totals and skipped items stay; results, watermarks and rates of the old run are cleared."]),
        _revoked(f, [*first, *later]),
        ("Undo", ["Not possible: the results of the old run are gone."]),
    ]
    return lines, count, "" if f.begun else "Nothing has begun yet."


def begun_again(f: JobSnapshot, scope: Scope) -> tuple[list[Phase], list[Phase]]:
    """The phase that is restarted (none where the job has no such phase), and the later gated ones."""
    first = (f.chosen(scope.phase) if scope.phase else f.begun or f.phases)[:1]
    return first, gated_after(f.phases, first[0]) if first else []


def redone(f: JobSnapshot, scope: Scope) -> int:
    """How many items a restart makes pending again; a phase without items counts as one."""
    first, later = begun_again(f, scope)
    again = sum(items_to_redo(phase, only=scope.only) for phase in first)
    return again + sum(items_to_redo(phase, only="all") for phase in later)


# --- the parts -------------------------------------------------------------------------------------


def _takers(f: JobSnapshot, scope: Scope) -> list[Phase]:
    return [phase for phase in f.takers if not scope.phase or phase.code == scope.phase]


def _failed_items(f: JobSnapshot, scope: Scope) -> ItemQuerySet:
    failed = Item.objects.failed()
    return _scoped(failed.alike(scope.signature) if scope.signature else failed, _takers(f, scope), scope)


def _scoped(items: ItemQuerySet, phases: list[Phase], scope: Scope) -> ItemQuerySet:
    found = items.filter(phase__in=[phase.pk for phase in phases])
    return found.with_ids(scope.items) if scope.items else found


def _names(items: ItemQuerySet) -> str:
    """The first few by name."""
    named = [str(item) for item in items.only("label", "key").order_by("pk")[: ITEMS_NAMED + 1]]
    return ", ".join(named[:ITEMS_NAMED]) + (" …" if len(named) > ITEMS_NAMED else "")


def _with_others(lines: Lines, others: int, state: str) -> Lines:
    if others > 0:
        lines.insert(1, ("Will be refused", [f"{pluralize(others, 'item')}: {state}"]))
    return lines


def _revoked(f: JobSnapshot, phases: list[Phase]) -> tuple[str, list[str]]:
    held = sum(phase.processing for phase in phases if not phase.counted)
    return "Leases revoked", [
        f"{pluralize(held, 'held item')} taken from {', '.join(f.holders) or '?'}" if held else "none"
    ]


_LINES: dict[str, Callable[[JobSnapshot, Scope], Told]] = {
    "retry": _retry,
    "release": _release,
    "skip": _skip,
    "pause": _pause,
    "resume": _resume,
    "threshold": _threshold,
    "restart": _restart,
    "force-complete": _force,
    "fail": _fail,
    "cancel": _cancel,
}
