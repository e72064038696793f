"""Audit records of people's acts: in the activity, in the admin's log, and for a job in its timeline too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone

from jobs.change.job_change import Actor, Change
from jobs.models import Activity, Job, Phase
from jobs.models.texts import fit

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ABOUT = {
    "authtoken": "token",
    "user": "account",
    "bulkact": "bulk",
    "inboxmessage": "letter",
    "projectlimit": "project limit",
    "walllink": "wall link",
}
FLAGS = {ADDITION: "add", CHANGE: "change", DELETION: "delete"}

# The bulk act that acts in this thread.
_bulk: ContextVar[int | None] = ContextVar("bulk", default=None)


@contextmanager
def part_of_bulk(bulk: int) -> Iterator[None]:
    """Mark the acts meanwhile as parts of this bulk act, which the activity shows as one row."""
    token = _bulk.set(bulk)
    try:
        yield
    finally:
        _bulk.reset(token)


def audit(change: Change, verb: str, detail: str, *, phase: Phase | None = None, flag: int = CHANGE) -> None:
    """Record an operator act on the one job of a change: timeline, activity, and the admin's log."""
    change.record(change.job, f"operator.{verb}", phase=phase, detail=detail)
    _write_log(change.job, f"{verb}: {detail}", account=change.by.account, reason=change.reason, flag=flag)
    act = verb.replace("_", "-")
    record_activity(act, by=change.by, target=change.job, detail=detail, reason=change.reason, at=change.now)


def log_act(
    target: Model,
    message: str,
    *,
    account: User | None,
    flag: int = CHANGE,
    reason: str = "",
    key: str = "",
    label: str = "",
    act: str = "",
    about: str = "",
    detail: str = "",
) -> None:
    """Record an act on any row in the activity and in the admin's log.

    `key` and `label` stand for the row's id and text where those must not be shown. For the activity, `act` is the
    kind of the act (by default the flag's), `about` that of the row, and `detail` the message without the kind.
    An act of the system has no account, and so no entry in the admin's log.
    """
    _write_log(target, message, account=account, flag=flag, reason=reason, key=key, label=label)
    record_activity(
        act or FLAGS[flag],
        by=Actor(account=account),
        target=target,
        about=about,
        detail=detail or message,
        reason=reason,
        key=key,
        label=label,
    )


def record_activity(
    act: str,
    *,
    by: Actor,
    target: Model | None = None,
    about: str = "",
    detail: str = "",
    reason: str = "",
    key: str = "",
    label: str = "",
    at: datetime | None = None,
) -> None:
    """Add a row to the activity. Without a target, `about` and `label` name what the act concerns."""
    model = target._meta.model_name or "" if target is not None else ""
    Activity.objects.create(
        at=at or timezone.now(),
        account_id=by.account.pk if by.account else None,
        actor=fit(Activity, "actor", by.label),
        act=fit(Activity, "act", act),
        about=about or ABOUT.get(model, model),
        target=fit(Activity, "target", label or ("" if target is None else str(target))),
        target_id=key or ("" if target is None else str(target.pk)),
        project=getattr(target, "project", ""),
        job_id=target.pk if isinstance(target, Job) else None,
        bulk=_bulk.get(),
        detail=fit(Activity, "detail", detail),
        reason=fit(Activity, "reason", reason),
    )


def _write_log(
    target: Model, message: str, *, account: User | None, flag: int, reason: str = "", key: str = "", label: str = ""
) -> None:
    if account is not None:
        LogEntry.objects.create(
            user_id=account.pk,
            content_type=ContentType.objects.get_for_model(target),
            object_id=key or str(target.pk),
            object_repr=fit(LogEntry, "object_repr", label or str(target)),
            action_flag=flag,
            change_message=f"{message} Reason: {reason}" if reason else message,
        )
