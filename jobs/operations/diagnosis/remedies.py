"""Remedies: the acts that would change something on a job, and the outcome of each now.

The outcomes are computed by the rules that evaluate phases, on the counts as the act would leave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jobs.change.new_run import items_to_redo
from jobs.models import Phase
from jobs.operations.snapshot import JobSnapshot
from jobs.rules import progress
from jobs.rules.formatting import format_number, pluralize, when
from jobs.rules.statuses import Held, JobStatus, PhaseStatus


@dataclass(frozen=True, slots=True)
class Remedy:
    """One act: its name as the API and the pages have it, its label, and its outcome now."""

    action: str
    detail: str
    outcome: str
    phase: str = ""
    threshold: int | None = None


def remedies_of(snapshot: JobSnapshot) -> list[Remedy]:
    """Return the acts that would change something, the harmless ones first."""
    if snapshot.job.status == JobStatus.COMPLETED:
        return []
    if snapshot.job.held == Held.CANCELLED:
        return [*_restarts(snapshot, cancelled=True)]
    kinds = (_resume, _release, _retry, _announce, _thresholds, _restarts, _wait, _due, _force)
    return [remedy for kind in kinds for remedy in kind(snapshot)]


def _resume(snapshot: JobSnapshot) -> Iterator[Remedy]:
    if snapshot.job.held == Held.PAUSED:
        yield Remedy("resume", "Resume", f"{pluralize(snapshot.claimable_items(), 'item')} claimable again.")


def _release(snapshot: JobSnapshot) -> Iterator[Remedy]:
    if snapshot.free:
        stay = f" {pluralize(snapshot.live, 'live lease stays', 'live leases stay')}." if snapshot.live else ""
        outcome = f"{pluralize(snapshot.free, 'item')} claimable again.{stay}"
        yield Remedy("release", f"Release {pluralize(snapshot.free, 'lease')}", outcome)


def _retry(snapshot: JobSnapshot) -> Iterator[Remedy]:
    failing = [phase for phase in snapshot.takers if phase.failed and phase.gate_open]
    for phase in failing:
        of = _of(snapshot, phase) if len(failing) > 1 else ""
        label = f"Retry {format_number(phase.failed)} failed{of}"
        outcome = f"{pluralize(phase.failed, 'item')} pending again. {_still_needed(snapshot, phase)}"
        yield Remedy("retry", label, outcome, phase.code)


def _still_needed(snapshot: JobSnapshot, phase: Phase) -> str:
    """Say how many successes complete a phase whose failed items are pending again."""
    if phase.expected is None:
        return "The total is still to be announced."
    if phase.is_completed:
        return "The phase has completed; they count late."
    missing = (progress.needed(phase.expected, phase.threshold) or 0) - phase.counts.processed
    subject = phase.label if _of(snapshot, phase) else "It"
    return f"{subject} completes with {pluralize(max(0, missing), 'more success', 'more successes')}."


def _of(snapshot: JobSnapshot, phase: Phase) -> str:
    """Name the phase in a label: ` of OCR`; empty for the only phase of a job."""
    return f" of {phase.label}" if len(snapshot.phases) > 1 else ""


def _announce(snapshot: JobSnapshot) -> Iterator[Remedy]:
    for phase in snapshot.unfinished:
        if phase.expected is None and phase.is_open and phase.gate_open and (phase.items_total or phase.counted):
            total = max(phase.counts.settled, phase.items_total)
            judged = progress.judge(replace(phase.state, counts=replace(phase.counts, expected=total)))
            then = _ending(phase, judged, expected=total) if judged else "it continues until those are settled"
            label = f"Announce the total{_of(snapshot, phase)}, by a worker's token"
            outcome = f"With the {format_number(total)} received items as the total, {then}."
            yield Remedy("announce", label, outcome, phase.code)


def _thresholds(snapshot: JobSnapshot) -> Iterator[Remedy]:
    """Yield the threshold that is met now, where it ends the phase or the present one is out of reach."""
    for phase in snapshot.judged:
        counts = phase.counts
        if not counts.expected or not counts.processed or not phase.gate_open:
            continue
        met = counts.processed * 100 // counts.expected
        at_once = _completes(phase, met)
        if met < phase.threshold and (at_once or not progress.threshold_reachable(counts, phase.threshold)):
            label = f"Lower the threshold{_of(snapshot, phase)} to {met} %"
            yield Remedy("threshold", label, _lowered(phase, at_once=at_once), phase.code, met)


def _completes(phase: Phase, threshold: int) -> bool:
    """Return whether the phase would complete at once with this threshold."""
    return phase.status == PhaseStatus.FAILED or progress.judge(replace(phase.state, threshold=threshold)) is not None


def _lowered(phase: Phase, *, at_once: bool) -> str:
    missing = format_number((phase.expected or 0) - phase.counts.processed)
    if at_once:
        return f"Completes at once with {missing} missing."
    open_items = pluralize((phase.expected or 0) - phase.counts.settled, "open item")
    return f"Meets the threshold; completes when {open_items} are settled."


def _restarts(snapshot: JobSnapshot, *, cancelled: bool = False) -> Iterator[Remedy]:
    for phase in snapshot.begun[:1] if cancelled else snapshot.unfinished:
        if cancelled or (phase.status == PhaseStatus.FAILED and not phase.failed):
            items = pluralize(items_to_redo(phase, only="all"), "item")
            outcome = f"{items} pending again" if phase.items_total else "it starts again"
            yield Remedy("restart", f"Restart {phase.label}", f"Run {phase.run + 1}: {outcome}.", phase.code)


def _wait(snapshot: JobSnapshot) -> Iterator[Remedy]:
    for phase in snapshot.unfinished:
        if phase.deadline_at and phase.gate_open and phase.is_open:
            judged = progress.judge(phase.state, deadline_passed=True)
            if judged:
                at = when(phase.deadline_at, now=snapshot.now)
                outcome = f"At {at} {_ending(phase, judged)}."
                yield Remedy("wait", f"Wait for the watermark{_of(snapshot, phase)}", outcome, phase.code)


def _due(snapshot: JobSnapshot) -> Iterator[Remedy]:
    if snapshot.job.late:
        yield Remedy("due", "Change due time", "With a later time, or without one, the job is no longer late.")


def _ending(phase: Phase, judged: progress.Judgement, *, expected: int | None = None) -> str:
    """Describe the end of a phase: `it completes with 44 of 120, partial`."""
    total = phase.expected if expected is None else expected
    done = f"{format_number(phase.counts.processed)} of {format_number(total)}"
    if judged.status == PhaseStatus.FAILED:
        return f"it fails with {done}"
    return f"it completes with {done}{', partial' if judged.partial else ''}"


def _force(snapshot: JobSnapshot) -> Iterator[Remedy]:
    phases = [f"{phase.code}.completed ({_forced(phase)})" for phase in snapshot.unfinished]
    yield Remedy(
        "force-complete", "Force-complete", f"Sends {', '.join(phases)}, then job.completed; cannot be undone."
    )


def _forced(phase: Phase) -> str:
    counts = phase.counts
    total = counts.settled if counts.expected is None else counts.expected
    return (
        f"{'partial, ' if counts.processed < total else ''}{format_number(counts.processed)} of {format_number(total)}"
    )
