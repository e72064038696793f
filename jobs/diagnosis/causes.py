"""What keeps a job from being finished, each cause with its figures in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jobs import progress
from jobs.diagnosis.evidence import Evidence
from jobs.models import Job, Phase
from jobs.progress import Counts
from jobs.statuses import Held, PhaseStatus, Stuck
from jobs.words import clock, number, span, things


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason; `code` is for programs, `detail` for people."""

    code: str
    detail: str


def causes_of(evidence: Evidence) -> list[Cause]:
    """Every cause: what an operator has set, the silence, the phases in their order, the leases, the workers."""
    f = evidence.figures
    found = [*_held(evidence), *_stuck(f.job, now=f.now)]
    for phase in f.unfinished:
        found += _phase(evidence, phase)
    if not f.job.is_finished:
        found += [*_leases(evidence), *_workers(evidence)]
    return found


def stuck_since(job: Job, *, now: datetime) -> str:
    """`silent 46 min: no report and no heartbeat`; empty where the job is not stuck."""
    if job.stuck == Stuck.SILENT:
        return f"silent {span((now - job.last_sign_of_life()).total_seconds())}: no report and no heartbeat"
    if job.stuck == Stuck.STALLED:
        moment = max(filter(None, (job.progress_at, job.started_at, job.watched_from)))
        return f"stalled {span((now - moment).total_seconds())}: heartbeats come, but nothing gets finished"
    return "unannounced: items came, but nobody said how many there will be" if job.stuck else ""


def out_of_reach(phase: Phase) -> str:
    """Why the threshold cannot be met any more, with the figures."""
    expected = phase.expected or 0
    needed = progress.needed(expected, phase.threshold)
    most = number(expected - phase.failed)
    return f"needs {number(needed)}, at most {most} can still succeed: {number(phase.failed)} failed"


def _held(evidence: Evidence) -> Iterator[Cause]:
    job, act = evidence.figures.job, evidence.held_by_operator if evidence.figures.job.held else None
    if act is None:
        return
    how = "Paused" if job.held == Held.PAUSED else "Cancelled"
    ago = span((evidence.figures.now - act.at).total_seconds())
    why = f": “{act.reason}”" if act.reason else ", without a reason"
    yield Cause(how.lower(), f"{how} by {act.actor} {ago} ago{why}.")


def _stuck(job: Job, *, now: datetime) -> Iterator[Cause]:
    if job.stuck:
        yield Cause(job.stuck, f"{stuck_since(job, now=now).capitalize()}.")


def _phase(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    if phase.status == PhaseStatus.CANCELLED:
        return
    if phase.status == PhaseStatus.FAILED:
        which = phase.label if len(evidence.figures.phases) > 1 else "It"
        yield Cause("failed", f"{which} failed: {phase.error.rstrip('.')}.")
        return
    if not phase.gate_open:
        waits = ", ".join(f"{other.label} ({other.status})" for other in evidence.before(phase))
        yield Cause("gated", f"{phase.label} is gated: it waits for {waits}.")
        return
    for code, said in _counts(phase):
        yield Cause(code, evidence.sentence(phase, said))
    if phase.deadline_at:
        said = f"finishes with what it has at {clock(phase.deadline_at)} UTC"
        yield Cause("watermark", evidence.sentence(phase, said))


def _counts(phase: Phase) -> Iterator[tuple[str, str]]:
    counts = phase.counts
    if counts.expected is None:
        told = f"{number(counts.settled)} settled" if phase.counted or phase.items_total else "nothing is reported"
        yield "total_unknown", f"{told}, and nobody has told the total"
        return
    yield "short", _short(phase, counts)
    if not phase.counted and phase.items_total < counts.expected:
        seen = number(phase.items_total)
        yield "unseen", f"announced {number(counts.expected)}, but only {seen} were ever seen"
    if not progress.threshold_reachable(counts, phase.threshold):
        yield "out_of_reach", f"the threshold is out of reach: it {out_of_reach(phase)}"
    elif counts.failed:
        yield "failed_items", f"{things(counts.failed, 'item has', 'items have')} failed"


def _short(phase: Phase, counts: Counts) -> str:
    """`needs 108, has 44; 73 open, 2 of them held`."""
    needed = number(progress.needed(counts.expected, phase.threshold))
    still = max(0, (counts.expected or 0) - counts.settled)
    held = f", {number(counts.processing)} of them held" if counts.processing else ""
    return f"needs {needed}, has {number(counts.processed)}; {number(still)} open{held}"


def _leases(evidence: Evidence) -> Iterator[Cause]:
    f = evidence.figures
    if f.expired:
        whose = f" of {', '.join(f.holders)}" if f.holders else ""
        yield Cause("expired_leases", f"{things(f.expired, 'lease')}{whose} expired.")
    if f.free > f.expired:
        unleased = things(f.free - f.expired, "item")
        yield Cause("unleased", f"{unleased} held without a lease; only a release frees them.")
    if f.live:
        yield Cause("live_leases", f"{things(f.live, 'item')} under a live lease of {', '.join(f.holders)}.")
    elif any(phase.items_total for phase in f.unfinished):
        yield Cause("nobody_holds", "Nobody holds a live lease." if f.free else "Nobody holds a lease.")


def _workers(evidence: Evidence) -> Iterator[Cause]:
    for worker in evidence.silent_workers:
        silent = span((evidence.figures.now - worker.seen_at).total_seconds())
        yield Cause("silent_worker", f"Worker {worker.name} has been silent for {silent}.")
