"""The events of phases and jobs: their types, data and ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from jobs.models import Event, Item, Job, Phase
from jobs.models.texts import fit
from jobs.rules.formatting import format_number
from jobs.rules.progress import needed
from jobs.rules.statuses import ItemStatus

NAMESPACE = UUID("7c6dd0c1-6f1c-5f0e-9a0b-0b5f6b5a7f10")


def note(job: Job, name: str, *, phase: Phase | None, detail: str, data: dict[str, Any]) -> Event:
    """Make a row of the timeline that is not sent to subscribers."""
    run = phase.run if phase else None
    return Event(event_id=uuid4(), job=job, phase=phase, run=run, type=name, detail=detail, data=data)


def outward(job: Job, name: str, *, phase: Phase | None = None, event_id: UUID | None = None, **data: Any) -> Event:
    """Make an event that is sent to subscribers; its data always has the job's name and the event's id."""
    event_id = event_id or uuid4()
    return Event(
        event_id=event_id,
        job=job,
        phase=phase,
        run=phase.run if phase else None,
        type=name,
        outward=True,
        data={"job_id": job.name, "event_id": str(event_id), **data},
    )


def completed_id(phase: Phase) -> UUID:
    """Return the id of the one completed event of this run of this phase: always the same."""
    return run_event_id(phase)


def run_event_id(phase: Phase, suffix: str = "") -> UUID:
    """Return the id of an event that a run of a phase sends once; `suffix` tells it from the completed event."""
    return uuid5(NAMESPACE, f"{phase.job.created_at.isoformat()}/{phase.pk}/{phase.run}{suffix}")


def completed(phase: Phase) -> Event:
    """Make the completed event of a phase, with its present counts."""
    return outward(
        phase.job,
        f"{phase.code}.completed",
        phase=phase,
        event_id=completed_id(phase),
        **_figures(phase),
        completed_by=phase.completed_by,
        forced=phase.forced,
        idempotent=True,
    )


def amended(phase: Phase) -> Event:
    """Make the amended event of a phase that completed as partial and is whole now; one in each run, by its id."""
    return outward(
        phase.job,
        f"{phase.code}.amended",
        phase=phase,
        event_id=uuid5(NAMESPACE, f"{phase.job.created_at.isoformat()}/{phase.pk}/{phase.run}/amended"),
        **_figures(phase),
        completed_by=phase.completed_by,
        forced=phase.forced,
        idempotent=True,
    )


def failed(phase: Phase) -> Event:
    """Make the failed event of a phase: the fields of the completed event, and the error."""
    return outward(
        phase.job,
        f"{phase.code}.failed",
        phase=phase,
        **_figures(phase),
        completed_by=None,
        forced=False,
        idempotent=True,
        error=phase.error,
    )


def _figures(phase: Phase) -> dict[str, Any]:
    counts = phase.counts
    return {
        "asset_type": phase.asset_type,
        "total_assets": counts.expected,
        "processed_assets": counts.processed,
        "failed_assets": counts.failed,
        "skipped_assets": counts.skipped,
        "has_partial_completion": counts.expected is not None and counts.processed < counts.expected,
        "watermark_ttl": phase.watermark_ttl,
    }


def job_finished(job: Job, phases: Iterable[Phase], *, reason: str) -> Event:
    """Make job.completed (one per set of runs, by its id), job.failed or job.cancelled."""
    event_id = None
    if job.status == "completed":
        runs = ".".join(str(phase.run) for phase in phases)
        event_id = uuid5(NAMESPACE, f"{job.created_at.isoformat()}/{job.pk}/job/{runs}")
    return outward(job, f"job.{job.status}", event_id=event_id, status=str(job.status), reason=reason)


def job_stuck(job: Job) -> Event:
    """Make job.stuck: the job will not finish by itself."""
    return outward(job, "job.stuck", status=str(job.status), reason=job.stuck)


def worker_quarantined(phase: Phase, *, worker: str, failures: int, released: int, until: datetime) -> Event:
    """Make job.worker_quarantined: one for each quarantine, none for its renewals."""
    reason = f"{worker} failed its last {format_number(failures)} items in {phase.code} while another worker does not."
    event = outward(
        phase.job,
        "job.worker_quarantined",
        phase=phase,
        status=str(phase.job.status),
        reason=reason,
        worker=worker,
        failures=failures,
        released=released,
        until=until.isoformat(),
    )
    event.detail = reason
    return event


def job_unstuck(job: Job) -> Event:
    """Make job.unstuck: the reason why the job was stuck no longer holds."""
    return outward(job, "job.unstuck", status=str(job.status), reason=job.stuck)


def job_late(job: Job) -> Event:
    """Make job.late: the job is unfinished after its due time."""
    return outward(job, "job.late", status=str(job.status), reason="overdue", due_at=_moment(job.due_at))


def job_on_time_again(job: Job) -> Event:
    """Make job.on_time_again: the due time of a late job was moved into the future, or removed."""
    reason = "due_removed" if job.due_at is None else "due_moved"
    return outward(job, "job.on_time_again", status=str(job.status), reason=reason, due_at=_moment(job.due_at))


def _moment(moment: datetime | None) -> str | None:
    """Format a moment as RFC 3339, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def retry_requested(job: Job, *, phase: Phase | None, keys: Sequence[str], count: int) -> Event:
    """Make item.retry_requested: one per act, with the first thousand keys and the number of all."""
    return outward(job, "item.retry_requested", phase=phase, keys=list(keys), count=count)


def shortfall(phase: Phase) -> str:
    """Explain with its counts why a phase has failed."""
    counts, least = phase.counts, needed(phase.expected, phase.threshold)
    missed = f"{least} were needed ({phase.threshold} %)" if least else "none succeeded"
    return f"{counts.processed} of {counts.expected} done, {counts.failed} failed; {missed}"


def sentence(name: str, error: str) -> str:
    """Write the error of a job: `Chunk 5 (pages 101-125) failed: Document AI timeout`."""
    return fit(Job, "error", f"{name} failed: {error}")


def latest_error(phases: Sequence[Phase]) -> tuple[str, int | None]:
    """Return the error of the latest item that is still failed, and that item's id; else that of a failed phase."""
    item = _latest_failed(phases)
    if item:
        return sentence(str(item), item.error), item.pk
    for phase in phases:
        if phase.error:
            return sentence(phase.label, phase.error), None
    return "", None


def _latest_failed(phases: Sequence[Phase]) -> Item | None:
    holding = [phase.pk for phase in phases if phase.failed and not phase.counted]
    if not holding:
        return None
    failures = Item.objects.filter(phase__in=holding, status=ItemStatus.FAILED)
    return failures.only("label", "key", "error").order_by("-finished_at", "-id").first()
