"""The words a job, a phase and an item can be in. Pure: no Django, no database."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """Derived from the phases by `progress.job_status`, then stored on the job."""

    PENDING = "pending"
    PROCESSING = "processing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PhaseStatus(StrEnum):
    """Where one run of a phase stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemStatus(StrEnum):
    """Where one item stands; the first two are open, the others settled."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Trigger(StrEnum):
    """When a phase is judged complete."""

    AT_THRESHOLD = "at_threshold"
    WHEN_SETTLED = "when_settled"


class Shortfall(StrEnum):
    """What becomes of a phase that is over without having met its threshold."""

    PARTIAL = "partial"
    FAIL = "fail"


class CompletedBy(StrEnum):
    """What closed a completed phase."""

    ALL_DONE = "all_done"
    THRESHOLD = "threshold"
    SETTLED = "settled"
    WATERMARK = "watermark"
    FORCED = "forced"
    FINISHED = "finished"


class Stuck(StrEnum):
    """Why the watchdog believes that a job will not finish by itself."""

    SILENT = "silent"
    STALLED = "stalled"
    UNANNOUNCED = "unannounced"


class Held(StrEnum):
    """What an operator has set on a job; it outranks everything but completion."""

    PAUSED = "paused"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """The answer to one reported result."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CLOSED = "closed"
    INVALID = "invalid"


class Reason(StrEnum):
    """Why a claim came back empty."""

    NONE_PENDING = "none_pending"
    GATED = "gated"
    PAUSED = "paused"
    CLOSED = "closed"


OPEN_PHASE = (PhaseStatus.PENDING, PhaseStatus.PROCESSING)
OPEN_ITEM = (ItemStatus.PENDING, ItemStatus.PROCESSING)
SETTLED_ITEM = (ItemStatus.COMPLETED, ItemStatus.FAILED, ItemStatus.SKIPPED)
UNFINISHED_JOB = (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.PAUSED)
FINISHED_JOB = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
