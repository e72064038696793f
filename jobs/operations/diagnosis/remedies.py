"""What may be done about a job, and what each act would do with the figures of now.

The outcomes are computed by the arithmetic that judges phases, on the figures as the act would leave them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jobs.models import Phase
from jobs.operations.diagnosis.evidence import Evidence
from jobs.operations.snapshot import JobSnapshot
from jobs.rules import progress
from jobs.rules.formatting import format_clock, format_number, pluralize
from jobs.rules.statuses import Held, JobStatus, PhaseStatus


@dataclass(frozen=True, slots=True)
class Remedy:
    """One act: its name as the API and the pages have it, what it is about, and what it would do now."""

    action: str
    detail: str
    outcome: str
    phase: str = ""
    threshold: int | None = None


def remedies_of(evidence: Evidence) -> list[Remedy]:
    """The acts that would change something, the harmless ones first."""
    f = evidence.figures
    if f.job.status == JobStatus.COMPLETED:
        return []
    if f.job.held == Held.CANCELLED:
        return [*_restarts(f, every=True)]
    kinds = (_resume, _release, _retry, _announce, _thresholds, _restarts, _wait, _force)
    return [remedy for kind in kinds for remedy in kind(f)]


def _resume(f: JobSnapshot) -> Iterator[Remedy]:
    if f.job.held == Held.PAUSED:
        pending = sum(max(0, phase.pending_items) for phase in f.unfinished if phase.gate_open and phase.is_open)
        yield Remedy("resume", "Resume", f"{pluralize(pending, 'item')} claimable again.")


def _release(f: JobSnapshot) -> Iterator[Remedy]:
    if f.free:
        stay = f" {pluralize(f.live, 'live lease stays', 'live leases stay')}." if f.live else ""
        yield Remedy(
            "release", f"Release {pluralize(f.free, 'lease')}", f"{pluralize(f.free, 'item')} claimable again.{stay}"
        )


def _retry(f: JobSnapshot) -> Iterator[Remedy]:
    for phase in f.takers:
        if phase.failed and phase.gate_open:
            what = f"Retry {format_number(phase.failed)} failed{_of(f, phase)}"
            again = f"{pluralize(phase.failed, 'item')} pending again. {_then(f, phase)}"
            yield Remedy("retry", what, again, phase.code)


def _then(f: JobSnapshot, phase: Phase) -> str:
    """What the threshold asks of a phase whose failed items are open again."""
    if phase.expected is None:
        return "The total is still to be told."
    if phase.is_completed:
        return "The phase has completed; they count late."
    missing = (progress.needed(phase.expected, phase.threshold) or 0) - phase.counts.processed
    subject = phase.label if _of(f, phase) else "It"
    return f"{subject} completes with {pluralize(max(0, missing), 'more success', 'more successes')}."


def _of(f: JobSnapshot, phase: Phase) -> str:
    """` of OCR`; nothing for the only phase of a job."""
    return f" of {phase.label}" if len(f.phases) > 1 else ""


def _announce(f: JobSnapshot) -> Iterator[Remedy]:
    for phase in f.unfinished:
        if phase.expected is None and phase.is_open and phase.gate_open and (phase.items_total or phase.counted):
            total = max(phase.counts.settled, phase.items_total)
            judged = progress.judge(replace(phase.state, counts=replace(phase.counts, expected=total)))
            then = _over(phase, judged, expected=total) if judged else "it goes on until those are settled"
            what = f"Announce the total{_of(f, phase)}, by a worker's token"
            yield Remedy(
                "announce", what, f"With the {format_number(total)} that were seen as the total, {then}.", phase.code
            )


def _thresholds(f: JobSnapshot) -> Iterator[Remedy]:
    """What is met now, where that ends the phase or is all that can still end it well."""
    for phase in f.judged:
        counts = phase.counts
        if not counts.expected or not counts.processed or not phase.gate_open:
            continue
        met = counts.processed * 100 // counts.expected
        at_once = _completes(phase, met)
        if met < phase.threshold and (at_once or not progress.threshold_reachable(counts, phase.threshold)):
            what = f"Lower the threshold{_of(f, phase)} to {met} %"
            yield Remedy("threshold", what, _lowered(phase, at_once=at_once), phase.code, met)


def _completes(phase: Phase, threshold: int) -> bool:
    """Would the phase complete the moment it has this threshold?"""
    return phase.status == PhaseStatus.FAILED or progress.judge(replace(phase.state, threshold=threshold)) is not None


def _lowered(phase: Phase, *, at_once: bool) -> str:
    missing = format_number((phase.expected or 0) - phase.counts.processed)
    if at_once:
        return f"Completes at once with {missing} missing."
    open_items = pluralize((phase.expected or 0) - phase.counts.settled, "open item")
    return f"Is met; completes when {open_items} are settled."


def _restarts(f: JobSnapshot, *, every: bool = False) -> Iterator[Remedy]:
    for phase in f.begun[:1] if every else f.unfinished:
        if every or (phase.status == PhaseStatus.FAILED and not phase.failed):
            redone = phase.failed + phase.processing + phase.done
            what = f"{pluralize(redone, 'item')} pending again" if phase.items_total else "it begins anew"
            yield Remedy("restart", f"Restart {phase.label}", f"Run {phase.run + 1}: {what}.", phase.code)


def _wait(f: JobSnapshot) -> Iterator[Remedy]:
    for phase in f.unfinished:
        if phase.deadline_at and phase.gate_open and phase.is_open:
            judged = progress.judge(phase.state, deadline_passed=True)
            if judged:
                at = format_clock(phase.deadline_at)
                yield Remedy("wait", f"Wait for the watermark{_of(f, phase)}", f"At {at} UTC {_over(phase, judged)}.")


def _over(phase: Phase, judged: progress.Judgement, *, expected: int | None = None) -> str:
    """`it completes with 44 of 120, partial`."""
    total = phase.expected if expected is None else expected
    done = f"{format_number(phase.counts.processed)} of {format_number(total)}"
    if judged.status == PhaseStatus.FAILED:
        return f"it fails with {done}"
    return f"it completes with {done}{', partial' if judged.partial else ''}"


def _force(f: JobSnapshot) -> Iterator[Remedy]:
    phases = [f"{phase.code}.completed ({_forced(phase)})" for phase in f.unfinished]
    yield Remedy("force-complete", "Force-complete", f"Sends {', '.join(phases)}, then job.completed; no way back.")


def _forced(phase: Phase) -> str:
    counts = phase.counts
    total = counts.settled if counts.expected is None else counts.expected
    return (
        f"{'partial, ' if counts.processed < total else ''}{format_number(counts.processed)} of {format_number(total)}"
    )
