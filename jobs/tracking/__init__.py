"""Calls of workers: each is one transaction, and repeating it is harmless."""

from jobs.change import Actor
from jobs.tracking.announce import announce
from jobs.tracking.claim import claim, claim_any
from jobs.tracking.count import count
from jobs.tracking.create import add_items, create_job
from jobs.tracking.heartbeat import heartbeat
from jobs.tracking.phase_control import fail, finish, start
from jobs.tracking.report import Batch, report, report_many
from jobs.tracking.types import (
    Added,
    Announced,
    Beat,
    Claimed,
    ClaimedItem,
    Counted,
    Created,
    Deadlines,
    JobOptions,
    Link,
    NewItem,
    Reported,
    Result,
    ResultOutcome,
)

__all__ = [
    "Actor",
    "Added",
    "Announced",
    "Batch",
    "Beat",
    "Claimed",
    "ClaimedItem",
    "Counted",
    "Created",
    "Deadlines",
    "JobOptions",
    "Link",
    "NewItem",
    "Reported",
    "Result",
    "ResultOutcome",
    "add_items",
    "announce",
    "claim",
    "claim_any",
    "count",
    "create_job",
    "fail",
    "finish",
    "heartbeat",
    "report",
    "report_many",
    "start",
]
