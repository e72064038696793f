"""Calls of workers, and the passing of time, on a job of the model. The caller settles unless said otherwise."""

from __future__ import annotations

from datetime import timedelta

from tests.jobs.properties.model import LEASE, MAX_TRIES, OPEN, SETTLED, PaperItem, PaperJob, PaperPhase, Refused
from tests.jobs.properties.model_operators import rerun


def report(
    job: PaperJob, phase: PaperPhase, key: str, status: str, *, attempt: int | None, worker: str, checksum: str
) -> str:
    """Apply one reported result and return its outcome. The caller settles."""
    closed = job.closed(phase)
    if key not in phase.items:
        if closed or attempt or phase.listed:
            return "closed" if closed else "invalid"
        phase.items[key] = PaperItem()
    item = phase.items[key]
    if item.status in SETTLED and (item.status, item.checksum) == (status, checksum):
        return "duplicate"
    if _is_the_same_failure(job, item, status, attempt):
        return "duplicate"
    refusal = "closed" if closed else _fenced(item, attempt) or _settled(item, status)
    refusal = refusal or _kept_out(job, phase, item, status, worker=worker)
    if refusal:
        return refusal
    outcome = _move(job, item, status, fenced=attempt is not None, worker=worker, checksum=checksum)
    if outcome == "applied":
        _follow(job, phase, item, status, worker=worker)
    return outcome


def _follow(job: PaperJob, phase: PaperPhase, item: PaperItem, status: str, *, worker: str) -> None:
    if status == "failed":
        phase.failed_since.setdefault(worker, []).append(job.now)
        _retry_later(job, phase, item)
    if status == "completed":
        phase.failed_since[worker], phase.succeeded_at[worker] = [], job.now
    if status != "pending":
        phase.begin()


def _is_the_same_failure(job: PaperJob, item: PaperItem, status: str, attempt: int | None) -> bool:
    if status != "failed" or item.waits_until is None:
        return False
    return job.now < item.waits_until if attempt is None else attempt == item.attempt


def _retry_later(job: PaperJob, phase: PaperPhase, item: PaperItem) -> None:
    item.failures += 1
    if item.failures <= phase.retries:
        item.free("pending", fence=False)
        item.waits_until = job.now + timedelta(seconds=phase.retry_delay * 2 ** (item.failures - 1))


def _kept_out(job: PaperJob, phase: PaperPhase, item: PaperItem, status: str, *, worker: str) -> str:
    begins = status == "processing" and item.status == "pending"
    return "closed" if begins and phase.quarantines.get(worker, job.now) > job.now else ""


def _fenced(item: PaperItem, attempt: int | None) -> str:
    if attempt is None or attempt == item.attempt:
        return ""
    return "stale" if attempt < item.attempt else "invalid"


def _settled(item: PaperItem, status: str) -> str:
    return "stale" if item.status in SETTLED and (item.status, status) != ("failed", "completed") else ""


def _move(job: PaperJob, item: PaperItem, status: str, *, fenced: bool, worker: str, checksum: str) -> str:
    if status == "processing":
        return _begin(job, item, worker=worker)
    if status == "pending":
        return _give_back(item, fenced=fenced, worker=worker)
    item.free(status, fence=False)
    item.checksum, item.worker = checksum, worker
    return "applied"


def _begin(job: PaperJob, item: PaperItem, *, worker: str) -> str:
    if item.status == "pending":
        if job.held == "paused":
            return "closed"
        item.hold(worker, LEASE, job.now)
        return "applied"
    if item.worker != worker:
        return "stale"
    item.lease_until = job.now + timedelta(seconds=item.lease_seconds or LEASE)
    return "duplicate"


def _give_back(item: PaperItem, *, fenced: bool, worker: str) -> str:
    if item.status == "pending":
        return "duplicate"
    if item.worker != worker and not fenced:
        return "stale"
    item.free("pending")
    return "applied"


def announce(job: PaperJob, phase: PaperPhase, expected: int, *, event_id: int | None) -> str | None:
    """Announce the total; return why it was not applied, or None."""
    known = event_id in phase.event_ids
    if event_id is not None:
        phase.event_ids.add(event_id)
    if known or phase.expected == expected:
        return "duplicate" if known else "same_total"
    if phase.status not in OPEN or job.held == "cancelled":
        return "closed"
    phase.expected, phase.announced = expected, True
    phase.waits = phase.waits and phase.met
    phase.deadline, phase.left = None, phase.whole_time
    return None


def add_items(job: PaperJob, phase: PaperPhase, keys: list[str], *, reopen: bool) -> int:
    """List items and return the number of new ones."""
    new = [key for key in dict.fromkeys(keys) if key not in phase.items]
    reopened = bool(new) and phase.status not in OPEN
    if reopened:
        if job.held == "cancelled" or phase.forced or phase.status == "cancelled" or not reopen:
            raise Refused(phase.status)
        phase.run += 1
        phase.deadline = phase.left = None
        phase.announced = False
        phase.go_on()
        for later in job.phases[job.phases.index(phase) + 1 :]:
            if later.gated:
                rerun(later, only="all")
    phase.items |= {key: PaperItem() for key in new}
    if new and phase.expected is not None and not phase.announced:
        phase.expected = max(phase.expected, len(phase.items))
    phase.waits = phase.met if reopened else phase.waits
    phase.listed = True
    return len(new)


def claim(job: PaperJob, phase: PaperPhase, *, worker: str, limit: int, seconds: int) -> tuple[list[str], str | None]:
    """Claim items; return their keys, or why there are none."""
    if job.held == "cancelled" or phase.forced or phase.status in ("failed", "cancelled"):
        return [], "closed"
    if not phase.gate_open:
        return [], "gated"
    if job.held == "paused":
        return [], "paused"
    pending = [key for key, item in phase.items.items() if item.status == "pending"]
    ready = _claimable(job, phase, limit=1 if worker in phase.quarantines else limit)
    if not ready:
        return [], "retry_wait" if pending else "none_pending"
    if job.keeps_out(phase, worker) and not phase.full:
        return [], "quarantined"
    keys = ready[: job.room(phase)]
    for key in keys:
        phase.items[key].hold(worker, seconds, job.now)
        phase.begin()
    return keys, None if keys else "limit"


def claim_of_any_job(
    job: PaperJob, phase: PaperPhase, *, worker: str, limit: int, seconds: int
) -> tuple[list[str], str | None]:
    """Claim items of the only job that has any; return their keys, or why there are none."""
    keys: list[str] = []
    reason: str | None = "none_pending"
    if phase.status in OPEN and phase.gate_open and job.status in OPEN and not job.keeps_out(phase, worker):
        keys, reason = claim(job, phase, worker=worker, limit=limit, seconds=seconds)
    tried_later = reason == "none_pending" and phase.status in OPEN and worker in phase.quarantines
    return keys, "quarantined" if tried_later else reason


def _claimable(job: PaperJob, phase: PaperPhase, *, limit: int) -> list[str]:
    """Return the keys of the first items that never wait or are due; of the waiting ones one more is looked at."""
    ready = [key for key, item in phase.items.items() if item.status == "pending" and not item.waits_until]
    waiting = [(item.waits_until, key) for key, item in phase.items.items() if item.waits_until]
    places = list(phase.items)
    first = sorted(waiting, key=lambda each: (each[0], places.index(each[1])))[: limit + 1]
    due = [key for until, key in first if until <= job.now]
    return sorted([*ready[:limit], *due], key=places.index)[:limit]


def heartbeat(job: PaperJob, *, worker: str) -> set[str]:
    """Renew all leases of this worker and return the keys."""
    held = set()
    for phase in job.phases:
        for key, item in phase.items.items():
            if item.status == "processing" and item.worker == worker:
                item.lease_until = job.now + timedelta(seconds=item.lease_seconds or LEASE)
                held.add(f"{phase.code}/{key}")
    return held


# --- time ------------------------------------------------------------------------------------------


def sweep(job: PaperJob) -> tuple[int, bool]:
    """Expire leases and pass watermarks; return the number of leases, and whether there was a watermark."""
    expired = [(p, item) for p in job.phases for item in p.items.values()
               if item.status == "processing" and not item.has_live_lease(job.now)]  # fmt: skip
    for _, item in expired:
        item.tries += 1
        item.free("failed" if item.tries >= MAX_TRIES else "pending", fence=False)
    if expired:
        job.settle()
    due = [p for p in job.phases
           if p.status in OPEN and p.gate_open and p.deadline is not None and p.deadline <= job.now]  # fmt: skip
    if due:
        job.settle()
    return len(expired), bool(due)
