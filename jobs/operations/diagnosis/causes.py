"""What keeps a job from being finished, each cause with its figures in a sentence and with the help that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from jobs.models import Job, Phase
from jobs.models.workers import FEW_FAILURES
from jobs.operations.diagnosis.evidence import Evidence
from jobs.rules import progress
from jobs.rules.formatting import format_clock, format_duration, format_number, pluralize
from jobs.rules.progress import Counts
from jobs.rules.statuses import Held, JobStatus, PhaseStatus, Shortfall, Stuck
from jobs.watchdog import process_heartbeats


class Need(IntEnum):
    """The help that a job needs because of a cause."""

    NONE = 0  # it goes on by itself
    WORKER = 1  # it goes on when a worker comes, or is heard again
    PERSON = 2  # a person has to look at it


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason; `code` is for programs, `detail` for people.

    `clause` is what a verdict says of it: `it waits for a worker: 12 items pending, none leased`.
    """

    code: str
    detail: str
    need: Need = Need.NONE
    clause: str = ""


def causes_of(evidence: Evidence) -> list[Cause]:
    """Every cause: what an operator has set, the silence, the phases in their order, the leases, the workers."""
    f = evidence.figures
    found = [*_held(evidence), *_stuck(f.job, now=f.now)]
    for phase in f.phases:
        found += _phase(evidence, phase)
    if not f.job.is_finished:
        found += [*_leases(evidence), *_workers(evidence), *_waiting(evidence), *_watchdog(evidence)]
    return found


def stuck_since(job: Job, *, now: datetime) -> str:
    """`silent 46 min: no report and no heartbeat`; empty where the job is not stuck."""
    if job.stuck == Stuck.SILENT:
        return f"silent {format_duration((now - job.last_sign_of_life()).total_seconds())}: no report and no heartbeat"
    if job.stuck == Stuck.STALLED:
        moment = max(filter(None, (job.progress_at, job.started_at, job.watched_from)))
        return f"stalled {format_duration((now - moment).total_seconds())}: heartbeats come, but nothing gets finished"
    return "unannounced: items came, but nobody said how many there will be" if job.stuck else ""


def out_of_reach(phase: Phase) -> str:
    """Why the threshold cannot be met any more, with the figures."""
    expected = phase.expected or 0
    needed = progress.needed(expected, phase.threshold)
    most = format_number(expected - phase.failed)
    return f"needs {format_number(needed)}, at most {most} can still succeed: {format_number(phase.failed)} failed"


def none_succeeded(phase: Phase) -> str:
    """`none succeeded: 40 items have failed`."""
    return f"none succeeded: {pluralize(phase.failed, 'item has', 'items have')} failed"


def only_failing(phase: Phase, *, failed_lately: int) -> str:
    """Why an open phase counts as one that only fails; empty where it does not."""
    if phase.failed >= FEW_FAILURES and not phase.counts.processed:
        return none_succeeded(phase)
    return f"the last {format_number(failed_lately)} items all failed within 10 min" if failed_lately else ""


def _held(evidence: Evidence) -> Iterator[Cause]:
    job, act = evidence.figures.job, evidence.held_by_operator if evidence.figures.job.held else None
    if act is None:
        return
    how = "Paused" if job.held == Held.PAUSED else "Cancelled"
    ago = format_duration((evidence.figures.now - act.at).total_seconds())
    why = f": “{act.reason}”" if act.reason else ", without a reason"
    need = Need.PERSON if job.held == Held.PAUSED else Need.NONE
    yield Cause(how.lower(), f"{how} by {act.actor} {ago} ago{why}.", need)


def _stuck(job: Job, *, now: datetime) -> Iterator[Cause]:
    if job.stuck:
        yield Cause(job.stuck, f"{stuck_since(job, now=now).capitalize()}.", Need.PERSON)


# --- phases ------------------------------------------------------------------------------------------


def _phase(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    if phase.status == PhaseStatus.CANCELLED:
        return
    if phase.is_completed:
        yield from _completed(evidence, phase)
        return
    if phase.status == PhaseStatus.FAILED:
        which = "It" if evidence.is_only(phase) else phase.label
        yield Cause("failed", f"{which} failed: {phase.error.rstrip('.')}.", Need.PERSON)
        return
    if not phase.gate_open:
        waits = ", ".join(f"{other.label} ({other.status})" for other in evidence.before(phase))
        yield Cause("gated", f"{phase.label} is gated: it waits for {waits}.")
        return
    yield from _counts(evidence, phase)
    if phase.deadline_at:
        said = f"finishes with what it has at {format_clock(phase.deadline_at)} UTC"
        yield Cause("watermark", evidence.sentence(phase, said))


def _completed(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    """A completed phase is a cause only where nothing in it has succeeded and its items can still be retried."""
    if phase.failed and not phase.counts.processed and not phase.forced:
        said = none_succeeded(phase)
        yield Cause("none_succeeded", evidence.sentence(phase, said), Need.PERSON, said)


def _counts(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    counts = phase.counts
    which = "it" if evidence.is_only(phase) else phase.label
    if counts.expected is None:
        told = (
            f"{format_number(counts.settled)} settled" if phase.counted or phase.items_total else "nothing is reported"
        )
        said = evidence.sentence(phase, f"{told}, and nobody has told the total")
        yield Cause("total_unknown", said, Need.WORKER, f"{which} waits for its total")
    else:
        yield from _announced(evidence, phase, which=which)
    yield from _only_failing(evidence, phase)


def _only_failing(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    said = only_failing(phase, failed_lately=evidence.failing_now.get(phase.pk, 0))
    if said:
        yield Cause("only_failing", evidence.sentence(phase, said), Need.PERSON, said)


def _announced(evidence: Evidence, phase: Phase, *, which: str) -> Iterator[Cause]:
    counts = phase.counts
    yield Cause("short", evidence.sentence(phase, _short(phase, counts)))
    if not phase.counted and phase.items_total < (counts.expected or 0):
        seen = format_number(phase.items_total)
        said = f"announced {format_number(counts.expected)}, but only {seen} were ever seen"
        need = Need.NONE if evidence.is_heard else Need.WORKER
        yield Cause("unseen", evidence.sentence(phase, said), need, f"{which} waits for items: {said}")
    if not progress.threshold_reachable(counts, phase.threshold):
        said = f"the threshold is out of reach: it {out_of_reach(phase)}"
        yield Cause("out_of_reach", evidence.sentence(phase, said), Need.PERSON, _out_of_reach_clause(phase, which))
    elif counts.failed:
        said = f"{pluralize(counts.failed, 'item has', 'items have')} failed"
        yield Cause("failed_items", evidence.sentence(phase, said))


def _out_of_reach_clause(phase: Phase, which: str) -> str:
    if phase.on_shortfall == Shortfall.FAIL:
        return f"{which} will fail: too much has failed for its threshold"
    return f"{which} will complete only in part: too much has failed for its threshold"


def _short(phase: Phase, counts: Counts) -> str:
    """`needs 108, has 44; 73 open, 2 of them held`."""
    needed = format_number(progress.needed(counts.expected, phase.threshold))
    still = max(0, (counts.expected or 0) - counts.settled)
    held = f", {format_number(counts.processing)} of them held" if counts.processing else ""
    return f"needs {needed}, has {format_number(counts.processed)}; {format_number(still)} open{held}"


# --- leases and workers ------------------------------------------------------------------------------


def _leases(evidence: Evidence) -> Iterator[Cause]:
    f = evidence.figures
    if f.expired:
        whose = f" of {', '.join(f.holders)}" if f.holders else ""
        expired = f"{pluralize(f.expired, 'lease')}{whose} expired"
        yield Cause("expired_leases", f"{expired}.", Need.PERSON, expired)
    if f.free > f.expired:
        unleased = f"{pluralize(f.free - f.expired, 'item')} held without a lease; only a release frees them"
        yield Cause("unleased", f"{unleased}.", Need.PERSON, unleased)
    if f.live:
        yield Cause("live_leases", f"{pluralize(f.live, 'item')} under a live lease of {', '.join(f.holders)}.")


def _waiting(evidence: Evidence) -> Iterator[Cause]:
    """Nothing is leased although something could be, or nothing is heard of a job that is under way."""
    f = evidence.figures
    if f.live or f.job.status not in (JobStatus.PENDING, JobStatus.PROCESSING):
        return
    pending = sum(max(0, phase.pending_items) for phase in f.unfinished if phase.gate_open and phase.is_open)
    if pending:
        said = f"{pluralize(pending, 'item')} pending, none {'under a live lease' if f.free else 'leased'}"
        if evidence.is_heard:
            said = f"{said}; the last report or heartbeat came {evidence.heard} ago"
        clause = f"it waits for a worker: {said}"
        yield Cause("waiting_for_worker", f"Waiting for a worker: {said}.", Need.WORKER, clause)
    elif f.job.status == JobStatus.PROCESSING and not evidence.is_heard:
        said = f"no worker was heard for {evidence.heard}"
        yield Cause("unheard", f"{said.capitalize()}.", Need.WORKER, said)


def _workers(evidence: Evidence) -> Iterator[Cause]:
    f = evidence.figures
    for worker in evidence.silent_workers:
        silent = f"{worker.name} has been silent for {format_duration((f.now - worker.seen_at).total_seconds())}"
        holds = worker.name in evidence.holder_names
        yield Cause("silent_worker", f"Worker {silent}.", Need.WORKER if holds else Need.NONE, f"worker {silent}")
    for worker in evidence.failing_workers:
        said = f"worker {worker.name} failed its last {format_number(worker.failed_in_a_row)} items"
        others = "; others succeed" if evidence.others_succeed else ""
        yield Cause("failing_worker", f"{said[0].upper()}{said[1:]}{others}.", Need.PERSON, said)


def _watchdog(evidence: Evidence) -> Iterator[Cause]:
    for silence in process_heartbeats.silences(evidence.figures.now):
        if silence.kind == process_heartbeats.WATCHDOG:
            said = f"{silence.sentence} {silence.consequence}"
            yield Cause("no_watchdog", said, Need.PERSON, "no watchdog process runs")
