"""Operator acts on a job of the model. Each returns the number of changes; the caller settles."""

from __future__ import annotations

from collections.abc import Iterable

from tests.jobs.properties.model import GOING, OPEN, SETTLED, PaperItem, PaperJob, PaperPhase, Refused


def _usable(job: PaperJob) -> list[PaperPhase]:
    if job.status == "cancelled":
        raise Refused(job.status)
    return [phase for phase in job.phases if not phase.forced and phase.status != "cancelled"]


def _back_to(status: str, item: PaperItem) -> None:
    """Reset an item to a state; only its attempt is kept."""
    item.free(status)
    item.checksum = ""


def _renew(item: PaperItem) -> None:
    """Make an item pending as if it had never been tried."""
    _back_to("pending", item)
    item.tries = item.failures = 0


def _moved(phase: PaperPhase, number: int) -> int:
    if number and phase.status == "failed":
        phase.go_on()
    return number


def retry(job: PaperJob) -> int:
    """Make failed and waiting items pending and due, and open their failed phase."""
    changed = 0
    for phase in _usable(job):
        failed = [item for item in phase.items.values() if item.status == "failed" or item.waits_until]
        for item in failed:
            _renew(item)
        changed += _moved(phase, len(failed))
    return changed


def lift(job: PaperJob) -> int:
    """End every quarantine, and forget the failures in a row of its worker."""
    job.require(*GOING)
    lifted = [(phase, worker) for phase in job.phases for worker in phase.quarantines]
    for phase, worker in lifted:
        del phase.quarantines[worker], phase.failed_since[worker]
    return len(lifted)


def set_limit(job: PaperJob, phase: PaperPhase, most: int | None) -> int:
    """Limit the leased items of a phase."""
    if job.status == "cancelled":
        raise Refused(job.status)
    changed, phase.max_leased = phase.max_leased != most, most
    return int(changed)


def release(job: PaperJob, *, everything: bool) -> int:
    """Make leased items without a live lease pending again; with `everything` all leased ones."""
    held = [item for phase in job.phases for item in phase.items.values() if item.status == "processing"]
    taken = [item for item in held if everything or not item.has_live_lease(job.now)]
    for item in taken:
        item.free("pending")
    return len(taken)


def skip(job: PaperJob, keys: Iterable[str]) -> int:
    """Count pending, failed and abandoned items as done work."""
    changed = 0
    for phase in _usable(job):
        fit = [
            phase.items[key]
            for key in keys
            if key in phase.items
            and (phase.items[key].status in ("pending", "failed") or _is_abandoned(job, phase.items[key]))
        ]
        for item in fit:
            _back_to("skipped", item)
        changed += _moved(phase, len(fit))
    return changed


def _is_abandoned(job: PaperJob, item: PaperItem) -> bool:
    return item.status == "processing" and not item.has_live_lease(job.now)


def force_complete(job: PaperJob) -> int:
    """Complete every uncompleted phase with the items it has."""
    if job.status == "completed" and any(phase.forced for phase in job.phases):
        return 0
    job.require(*GOING, "failed")
    unfinished = [phase for phase in job.phases if phase.status != "completed"]
    for phase in unfinished:
        phase.revoke()
        phase.forced = True
        if phase.expected is None:
            phase.expected = phase.number(*SETTLED)
        phase.complete("forced")
    return len(unfinished)


def fail(job: PaperJob) -> int:
    """Fail every open phase."""
    if job.status == "failed":
        return 0
    job.require(*GOING)
    job.held = ""
    for phase in job.phases:
        if phase.status in OPEN:
            phase.revoke()
            phase.fail(job.now)
    return 1


def cancel(job: PaperJob) -> int:
    """Cancel every uncompleted phase and release leased items, also those of completed phases."""
    if job.status == "cancelled":
        return 0
    job.require(*GOING, "failed")
    job.held = "cancelled"
    for phase in job.phases:
        phase.revoke()
        if phase.status != "completed":
            phase.status, phase.deadline, phase.left = "cancelled", None, None
    return 1


def pause(job: PaperJob) -> int:
    """Give out no new items and stop the deadlines, see `PaperPhase.run_clock`."""
    if job.status == "paused":
        return 0
    job.require("pending", "processing")
    job.held = "paused"
    return 1


def resume(job: PaperJob) -> int:
    """Continue the job; its deadlines have the time that was left."""
    if job.status in OPEN:
        return 0
    job.require("paused")
    job.held = ""
    return 1


def set_threshold(phase: PaperPhase, threshold: int) -> int:
    """Set another threshold and check it at once; a failed phase that meets it was over already."""
    if phase.status in ("completed", "cancelled"):
        raise Refused(phase.status)
    if phase.threshold == threshold:
        return 0
    phase.threshold = threshold
    if phase.status == "failed" and phase.met:
        phase.go_on()
        if phase.gate_open:
            settled = phase.number(*SETTLED) >= (phase.expected or 0)
            phase.complete("settled" if settled and not phase.at_threshold else "threshold")
    return 1


def restart(job: PaperJob, phase: PaperPhase, *, only: str) -> int:
    """Begin a new run of this phase and of every later gated one."""
    if only == "failed" and phase.status in (*OPEN, "completed") and not phase.number("failed"):
        return 0
    if only == "all" and phase.status == "pending" and not phase.begun and not phase.number(*SETTLED):
        return 0
    later = [p for p in job.phases[job.phases.index(phase) + 1 :] if p.gated]
    changed = rerun(phase, only=only) + sum(rerun(p, only="all") for p in later)
    if job.held == "cancelled":
        job.held = ""
    return changed


def rerun(phase: PaperPhase, *, only: str) -> int:
    """Begin a new run of one phase and return the number of items that are pending again."""
    redone = ("failed",) if only == "failed" else ("failed", "completed")
    changed = phase.number("processing", *redone) if phase.items else 1
    for item in phase.items.values():
        if item.status in ("processing", *redone) or (item.status == "pending" and item.failures):
            _renew(item)
    phase.run += 1
    phase.status, phase.begun, phase.forced, phase.waits = "pending", False, False, False
    phase.completed_by, phase.partial, phase.deadline, phase.left = "", False, None, None
    if not (phase.announced or phase.listed or phase.items):
        phase.expected = None
    elif phase.expected is not None and not phase.announced:
        phase.expected = max(phase.expected, len(phase.items))
    return changed
