"""Audit records of operator acts: in the admin's log, and for a job in its timeline too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from jobs.change.job_change import Change
from jobs.models import Phase
from jobs.models.texts import fit

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def audit(change: Change, verb: str, detail: str, *, phase: Phase | None = None, flag: int = CHANGE) -> None:
    """Record an operator act on the one job of a change, in its timeline and in the admin's log."""
    change.record(change.job, f"operator.{verb}", phase=phase, detail=detail)
    log_act(change.job, f"{verb}: {detail}", account=change.by.account, reason=change.reason, flag=flag)


def log_act(
    target: Model,
    message: str,
    *,
    account: User | None,
    flag: int = CHANGE,
    reason: str = "",
    key: str = "",
    label: str = "",
) -> None:
    """Record an act on any row in the admin's log; an act of the system has no account and is not recorded.

    `key` and `label` stand for the row's id and text where those must not be shown.
    """
    if account is not None:
        LogEntry.objects.create(
            user_id=account.pk,
            content_type=ContentType.objects.get_for_model(target),
            object_id=key or str(target.pk),
            object_repr=fit(LogEntry, "object_repr", label or str(target)),
            action_flag=flag,
            change_message=f"{message} Reason: {reason}" if reason else message,
        )
