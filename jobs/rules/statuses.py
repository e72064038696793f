"""Statuses and other fixed values of jobs, phases, items and answers. Pure: no Django, no database."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """The status of a job: derived from its phases by `progress.job_status`, then stored on the job."""

    PENDING = "pending"
    PROCESSING = "processing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PhaseStatus(StrEnum):
    """The status of one run of a phase."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemStatus(StrEnum):
    """The status of an item; the first two are open, the last three settled."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Trigger(StrEnum):
    """The moment at which a phase completes."""

    AT_THRESHOLD = "at_threshold"
    WHEN_SETTLED = "when_settled"


class Shortfall(StrEnum):
    """The end of a phase that is over without having met its threshold."""

    PARTIAL = "partial"
    FAIL = "fail"


class CompletedBy(StrEnum):
    """The cause of a phase's completion."""

    ALL_DONE = "all_done"
    THRESHOLD = "threshold"
    SETTLED = "settled"
    WATERMARK = "watermark"
    FORCED = "forced"
    FINISHED = "finished"


class Stuck(StrEnum):
    """The reason why a job will not finish by itself."""

    SILENT = "silent"
    STALLED = "stalled"
    UNANNOUNCED = "unannounced"


class Held(StrEnum):
    """An operator's hold on a job; it outranks everything but completion."""

    PAUSED = "paused"
    CANCELLED = "cancelled"


class Moving(StrEnum):
    """The large act that moves the items of a phase in portions. Meanwhile the phase is not evaluated."""

    NONE = ""
    RESTART = "restart"
    RESTART_FAILED = "restart_failed"
    RETRY = "retry"
    RELEASE = "release"


class Outcome(StrEnum):
    """The answer to one reported result."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CLOSED = "closed"
    INVALID = "invalid"


class Reason(StrEnum):
    """The reason of an empty claim."""

    NONE_PENDING = "none_pending"
    GATED = "gated"
    PAUSED = "paused"
    CLOSED = "closed"
    QUARANTINED = "quarantined"
    RETRY_WAIT = "retry_wait"
    LIMIT = "limit"


class AttemptOutcome(StrEnum):
    """The end of an attempt."""

    FAILED = "failed"
    EXPIRED = "expired"
    RELEASED = "released"
    GIVEN_BACK = "given_back"
    COMPLETED = "completed"
    SKIPPED = "skipped"


OPEN_PHASE = (PhaseStatus.PENDING, PhaseStatus.PROCESSING)
RESTARTING = (Moving.RESTART, Moving.RESTART_FAILED)
SETTLED_ITEM = (ItemStatus.COMPLETED, ItemStatus.FAILED, ItemStatus.SKIPPED)
UNFINISHED_JOB = (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.PAUSED)
FINISHED_JOB = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
