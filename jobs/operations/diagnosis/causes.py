"""Causes that keep a job unfinished, each with its figures and the help that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from jobs.models import Job, Phase
from jobs.models.workers import FEW_FAILURES
from jobs.operations.diagnosis.evidence import Evidence
from jobs.rules import progress
from jobs.rules.formatting import format_duration, format_number, pluralize, when
from jobs.rules.progress import Counts
from jobs.rules.statuses import RESTARTING, Held, JobStatus, PhaseStatus, Shortfall, Stuck
from jobs.watchdog import process_heartbeats


class Need(IntEnum):
    """The help that a job needs because of a cause."""

    NONE = 0  # it continues by itself
    WORKER = 1  # it continues when a worker claims or reports again
    PERSON = 2  # an operator has to act


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause; `code` is for programs, `detail` for people.

    `clause` is its part of the verdict: `it waits for a worker: 12 items pending, none leased`. A cause that needs help
    has one, so that the verdict cannot leave it out. `subject` is the phase or the worker that it is about.
    """

    code: str
    detail: str
    need: Need = Need.NONE
    clause: str = ""
    subject: str = ""

    def __post_init__(self) -> None:
        """Refuse a need that the verdict could not name."""
        if self.need and not self.clause:
            raise ValueError(f"Give the cause {self.code} a clause for the verdict.")


def causes_of(evidence: Evidence) -> list[Cause]:
    """Return every cause: the act of an operator, silence, the phases in their order, leases, workers."""
    snapshot = evidence.snapshot
    causes = [*_held(evidence), *_stuck(snapshot.job, now=snapshot.now)]
    for phase in snapshot.phases:
        causes += [replace(cause, subject=phase.label) for cause in _phase(evidence, phase)]
        if phase.is_open and (retrying := retrying_text([phase], now=snapshot.now)):
            causes.append(Cause("retry_wait", evidence.sentence(phase, retrying), subject=phase.label))
    if not snapshot.job.is_finished:
        causes += [
            *_limits(evidence),
            *_leases(evidence),
            *_workers(evidence),
            *_waiting(evidence),
            *_watchdog(evidence),
        ]
    # Last, because the verdict names the first of the causes that need a person, and another one says why it is late.
    return [*causes, *_late(snapshot.job, now=snapshot.now)]


def stuck_since(job: Job, *, now: datetime) -> str:
    """Describe how long a job is stuck: `silent 46 min: no report and no heartbeat`; empty where it is not."""
    if job.stuck == Stuck.SILENT:
        return f"silent {format_duration((now - job.last_sign_of_life()).total_seconds())}: no report and no heartbeat"
    if job.stuck == Stuck.STALLED:
        moment = max(filter(None, (job.progress_at, job.started_at, job.watched_from)))
        return (
            f"stalled {format_duration((now - moment).total_seconds())}: heartbeats arrive, but no item gets finished"
        )
    return "unannounced: items arrived, but their total was not announced" if job.stuck else ""


def out_of_reach(phase: Phase) -> str:
    """Explain with figures that the threshold cannot be met any more."""
    expected = phase.expected or 0
    needed = progress.needed(expected, phase.threshold)
    most = format_number(expected - phase.failed)
    return f"needs {format_number(needed)}, at most {most} can still succeed: {format_number(phase.failed)} failed"


def none_succeeded(phase: Phase) -> str:
    """Describe a phase in which nothing succeeded: `none succeeded: 40 items have failed`."""
    return f"none succeeded: {pluralize(phase.failed, 'item has', 'items have')} failed"


def only_failing(phase: Phase, *, failed_lately: int) -> str:
    """Explain that an open phase only fails; empty where it does not."""
    if phase.failed >= FEW_FAILURES and not phase.counts.processed:
        return none_succeeded(phase)
    return f"the last {format_number(failed_lately)} items all failed within 10 min" if failed_lately else ""


def _held(evidence: Evidence) -> Iterator[Cause]:
    job = evidence.snapshot.job
    act = evidence.held_by_operator if job.held else None
    if act is None:
        return
    participle = "Paused" if job.held == Held.PAUSED else "Cancelled"
    ago = format_duration((evidence.snapshot.now - act.at).total_seconds())
    reason = f": “{act.reason.rstrip('.')}”" if act.reason else ", without a reason"
    need = Need.PERSON if job.held == Held.PAUSED else Need.NONE
    clause = f"it was {participle.lower()} by {act.actor}"
    yield Cause(participle.lower(), f"{participle} by {act.actor} {ago} ago{reason}.", need, clause)


def _stuck(job: Job, *, now: datetime) -> Iterator[Cause]:
    if job.stuck:
        since = stuck_since(job, now=now)
        yield Cause(job.stuck, f"{since.capitalize()}.", Need.PERSON, f"it is {since}")


def late_since(job: Job, *, now: datetime) -> str:
    """Describe how late a job is: `late 40 min: it was due at 13:34:51 UTC`; empty where it is not."""
    if not job.late or job.due_at is None:
        return ""
    late_by = format_duration((now - job.due_at).total_seconds())
    return f"late {late_by}: it was due at {when(job.due_at, now=now)}"


def _late(job: Job, *, now: datetime) -> Iterator[Cause]:
    if since := late_since(job, now=now):
        yield Cause("late", f"L{since[1:]}.", Need.PERSON, f"it is {since}")


# --- phases ------------------------------------------------------------------------------------------


def _phase(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    if phase.status == PhaseStatus.CANCELLED:
        return
    if phase.is_completed:
        yield from _completed(evidence, phase)
        return
    if phase.status == PhaseStatus.FAILED:
        subject = "It" if evidence.is_only(phase) else phase.label
        clause = f"{'it' if evidence.is_only(phase) else phase.label} has failed"
        yield Cause("failed", f"{subject} failed: {phase.error.rstrip('.')}.", Need.PERSON, clause)
        return
    if phase.moving:
        share = f"{phase.label}: bulk act {phase.moving_act} moves its items in portions"
        yield Cause("moving", f"{share}; it is not evaluated before that is over.")
        if phase.moving in RESTARTING:
            return
    if not phase.gate_open:
        waits = ", ".join(f"{other.label} ({other.status})" for other in evidence.before(phase))
        yield Cause("gated", f"{phase.label} is gated: it waits for {waits}.")
        return
    yield from _counts(evidence, phase)
    if phase.deadline_at:
        text = f"finishes with its results so far at {when(phase.deadline_at, now=evidence.snapshot.now)}"
        yield Cause("watermark", evidence.sentence(phase, text))


def _completed(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    """Yield a cause for a completed phase only where nothing succeeded and its items can still be retried."""
    if phase.failed and not phase.counts.processed and not phase.forced:
        text = none_succeeded(phase)
        yield Cause("none_succeeded", evidence.sentence(phase, text), Need.PERSON, text)


def _counts(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    counts = phase.counts
    subject = "it" if evidence.is_only(phase) else phase.label
    if counts.expected is None:
        reported = phase.counted or phase.items_total
        settled = f"{format_number(counts.settled)} settled" if reported else "no reports yet"
        sentence = evidence.sentence(phase, f"{settled}, and the total was not announced")
        yield Cause("total_unknown", sentence, Need.WORKER, f"{subject} waits for its total")
    else:
        yield from _announced(evidence, phase, subject=subject)
    yield from _only_failing(evidence, phase)


def _only_failing(evidence: Evidence, phase: Phase) -> Iterator[Cause]:
    text = only_failing(phase, failed_lately=evidence.failing_now.get(phase.pk, 0))
    if text:
        yield Cause("only_failing", evidence.sentence(phase, text), Need.PERSON, text)


def _announced(evidence: Evidence, phase: Phase, *, subject: str) -> Iterator[Cause]:
    counts = phase.counts
    yield Cause("short", evidence.sentence(phase, _short(phase, counts)))
    if not phase.counted and phase.items_total < (counts.expected or 0):
        known = format_number(phase.items_total)
        text = f"{format_number(counts.expected)} announced, but only {known} received"
        need = Need.NONE if evidence.is_active else Need.WORKER
        yield Cause("unseen", evidence.sentence(phase, text), need, f"{subject} waits for items: {text}")
    if not progress.threshold_reachable(counts, phase.threshold):
        text = f"the threshold is out of reach: it {out_of_reach(phase)}"
        clause = _out_of_reach_clause(phase, subject)
        yield Cause("out_of_reach", evidence.sentence(phase, text), Need.PERSON, clause)
    elif counts.failed:
        text = f"{pluralize(counts.failed, 'item has', 'items have')} failed"
        yield Cause("failed_items", evidence.sentence(phase, text))


def retrying_text(phases: Sequence[Phase], *, now: datetime) -> str:
    """Say how many items of these phases wait for their automatic retry, and until when; empty where none does."""
    waiting = [phase for phase in phases if phase.waiting]
    count = sum(phase.waiting for phase in waiting)
    first = min((phase.next_due_at for phase in waiting if phase.next_due_at), default=None)
    if not count or first is None:
        return ""
    due = "now" if first <= now else f"the first at {when(first, now=now)}"
    return f"{pluralize(count, 'item')} failed and {'is' if count == 1 else 'are'} retried automatically, {due}"


def _out_of_reach_clause(phase: Phase, subject: str) -> str:
    if phase.on_shortfall == Shortfall.FAIL:
        return f"{subject} will fail: too many items have failed for its threshold"
    return f"{subject} will complete only partially: too many items have failed for its threshold"


def _short(phase: Phase, counts: Counts) -> str:
    """Compare the successes with the threshold: `needs 108, has 44; 73 open, 2 of them leased`."""
    needed = format_number(progress.needed(counts.expected, phase.threshold))
    open_items = max(0, (counts.expected or 0) - counts.settled)
    leased = f", {format_number(counts.processing)} of them leased" if counts.processing else ""
    skipped = f", {format_number(counts.skipped)} of them skipped" if counts.skipped else ""
    return f"needs {needed}, has {format_number(counts.processed)}{skipped}; {format_number(open_items)} open{leased}"


# --- leases and workers ------------------------------------------------------------------------------


def _leases(evidence: Evidence) -> Iterator[Cause]:
    snapshot = evidence.snapshot
    if snapshot.expired:
        holders = f" of {', '.join(snapshot.holders)}" if snapshot.holders else ""
        expired = f"{pluralize(snapshot.expired, 'lease')}{holders} expired"
        yield Cause("expired_leases", f"{expired}.", Need.PERSON, expired)
    if snapshot.free > snapshot.expired:
        items = pluralize(snapshot.free - snapshot.expired, "item")
        unleased = f"{items} in progress without a lease; only a release makes them claimable again"
        yield Cause("unleased", f"{unleased}.", Need.PERSON, unleased)
    if snapshot.live:
        items = pluralize(snapshot.live, "item")
        yield Cause("live_leases", f"{items} under a live lease of {', '.join(snapshot.holders)}.")


def _limits(evidence: Evidence) -> Iterator[Cause]:
    """Yield a cause for each limit that holds back pending items; they go on when a leased item is finished."""
    snapshot = evidence.snapshot
    for phase in snapshot.unfinished:
        if phase.room == 0 and phase.pending_items > 0 and phase.gate_open:
            leased = f"{format_number(phase.processing)} of at most {pluralize(phase.max_leased or 0, 'item')} leased"
            yield Cause("limit", evidence.sentence(phase, f"its limit is reached: {leased}"))
    limit = evidence.project_limit if snapshot.claimable_items() else None
    if limit:
        name = f"Project {limit.project}" if limit.project else "The jobs without a project"
        most = pluralize(limit.max_leased, "leased item")
        yield Cause("limit", f"{name} may have at most {most} in all jobs, which is reached.")


def _waiting(evidence: Evidence) -> Iterator[Cause]:
    """Yield a cause where no claimable item is leased, or where no worker reports on a running job."""
    snapshot = evidence.snapshot
    if snapshot.live or snapshot.job.status not in (JobStatus.PENDING, JobStatus.PROCESSING):
        return
    pending = snapshot.claimable_items()
    if pending:
        text = f"{pluralize(pending, 'item')} pending, none {'under a live lease' if snapshot.free else 'leased'}"
        if evidence.is_active:
            text = f"{text}; the last report or heartbeat came {evidence.silent_for} ago"
        clause = f"it waits for a worker: {text}"
        yield Cause("waiting_for_worker", f"Waiting for a worker: {text}.", Need.WORKER, clause)
    elif snapshot.job.status == JobStatus.PROCESSING and not evidence.is_active and not snapshot.waiting:
        text = f"no report or heartbeat for {evidence.silent_for}"
        yield Cause("unheard", f"{text.capitalize()}.", Need.WORKER, text)


def _workers(evidence: Evidence) -> Iterator[Cause]:
    now = evidence.snapshot.now
    for worker in evidence.silent_workers:
        silent = f"{worker.name} has been silent for {format_duration((now - worker.seen_at).total_seconds())}"
        holds = worker.name in evidence.holder_names
        need = Need.WORKER if holds else Need.NONE
        yield Cause("silent_worker", f"Worker {silent}.", need, f"worker {silent}", subject=worker.name)
    for row in evidence.quarantines:
        text = f"worker {row.worker} is quarantined until {when(row.until, now=now)}"
        failed = f"it failed its last {format_number(row.failures)} items while another worker does not"
        sentence = evidence.sentence(row.phase, f"{text}: {failed}")
        yield Cause("quarantined_worker", sentence, Need.PERSON, text)
    for worker in evidence.failing_workers:
        text = f"worker {worker.name} failed its last {format_number(worker.failed_in_a_row)} items"
        others = "; other workers succeed" if evidence.others_succeed else ""
        yield Cause("failing_worker", f"{text[0].upper()}{text[1:]}{others}.", Need.PERSON, text)


def _watchdog(evidence: Evidence) -> Iterator[Cause]:
    for silence in process_heartbeats.silences(evidence.snapshot.now):
        if silence.kind == process_heartbeats.WATCHDOG:
            detail = f"{silence.sentence} {silence.consequence}"
            yield Cause("no_watchdog", detail, Need.PERSON, "no watchdog process is running")
