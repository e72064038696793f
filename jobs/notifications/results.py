"""Results of messages: sent, waiting for a retry, dead, skipped; and the failures of a channel as an incident."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F

from jobs.db import bulk_sql
from jobs.incidents.causes import Cause, Finding
from jobs.incidents.lifecycle import RECOVERED, end, open_incidents
from jobs.models import GrowingCount, Incident
from jobs.models.notifications import Channel, MessageState, MessageStatus, Notification, NotificationRule
from jobs.models.texts import fit
from jobs.notifications.queue import remind
from jobs.notifications.schedule import cause_of
from jobs.notifications.sending import Answer
from jobs.rules.growing_counts import NOTIFICATIONS, NotificationOutcome
from jobs.rules.incidents import IncidentKind

log = structlog.get_logger(__name__)

# Together about five hours. People who were not reached by then look at the pages.
RETRY_AFTER = tuple(timedelta(seconds=each) for each in (10, 30, 120, 600, 1800, 3600, 3600, 7200))
# A single failure may be a moment's; the third in a row, or one that only a person can mend, opens an incident.
FAILURES = 3
FIELDS = ("status", "tries", "next_try_at", "ended_at", "result", "digest")


def record(
    channel: Channel,
    messages: Sequence[Notification],
    answer: Answer,
    *,
    rule: NotificationRule | None,
    digest: str,
    now: datetime,
) -> datetime | None:
    """Store the answer to messages that were sent as one; return until when the channel rests, if it does.

    A message that was changed in the meantime is not changed again.
    """
    after = RETRY_AFTER[messages[0].tries] if messages[0].tries < len(RETRY_AFTER) else None
    with transaction.atomic():
        number = _write(messages, [_after(message, answer, digest=digest, now=now) for message in messages])
        _count(channel, answer, number, is_last=after is None)
        if answer.sent:
            _plan_reminders(messages, rule, now=now)
        record_channel(channel, answer, now=now)
    if answer.sent:
        return None
    log.warning("message_failed", channel_id=channel.pk, message_id=messages[0].pk, number=len(messages))
    return now + min(after or RETRY_AFTER[0], RETRY_AFTER[1])


def record_channel(channel: Channel, answer: Answer, *, now: datetime) -> None:
    """Store the latest result of a channel. Its failures open an incident, a success ends it."""
    row = Channel.objects.filter(pk=channel.pk)
    values = {"last_result": fit(Channel, "last_result", answer.text), "last_tried_at": now}
    if answer.sent:
        row.update(**values, failures=0, failing_since=None)
        _end_incident(channel, now=now)
        return
    row.update(**values, failures=F("failures") + 1)
    row.filter(failing_since=None).update(failing_since=now)
    channel.refresh_from_db(fields=["failures", "failing_since"])
    if channel.failures >= FAILURES or answer.final:
        _open_incident(channel, answer, now=now)


def skip(reasons: Iterable[tuple[Notification, str]], *, now: datetime) -> None:
    """Give up messages that are no longer needed."""
    pairs = list(reasons)
    rows = [(MessageStatus.SKIPPED, each.tries, each.next_try_at, now, reason, "") for each, reason in pairs]
    _write([each for each, _ in pairs], rows)


def postpone(times: Iterable[tuple[Notification, datetime]]) -> None:
    """Let messages wait until these times."""
    pairs = list(times)
    rows = [(MessageStatus.WAITING, each.tries, until, None, each.result, "") for each, until in pairs]
    _write([each for each, _ in pairs], rows)


def forget_failures(channel: Channel, *, now: datetime) -> None:
    """End the incident of a channel that is not used any more."""
    _end_incident(channel, now=now)


def _write(messages: Sequence[Notification], rows: Sequence[tuple[object, ...]]) -> int:
    """Save the rows of messages that still wait; return their number."""
    keys = [(each.pk, MessageStatus.WAITING) for each in messages]
    values = [(*key, *row) for key, row in zip(keys, rows, strict=True)]
    return len(bulk_sql.update(Notification, values, match=("id", "status"), fields=FIELDS))


def _count(channel: Channel, answer: Answer, number: int, *, is_last: bool) -> None:
    """Add to the counts for monitoring."""
    outcome = NotificationOutcome.DEAD if is_last else NotificationOutcome.FAILED
    outcome = NotificationOutcome.SENT if answer.sent else outcome
    if number:
        GrowingCount.objects.create(name=NOTIFICATIONS, kind=channel.kind, outcome=outcome, number=number)


def _after(message: Notification, answer: Answer, *, digest: str, now: datetime) -> tuple[object, ...]:
    """Return the new values of FIELDS."""
    text = fit(Notification, "result", answer.text)
    if answer.sent:
        return (MessageStatus.SENT, message.tries, message.next_try_at, now, text, digest)
    if message.tries >= len(RETRY_AFTER):
        return (MessageStatus.DEAD, message.tries + 1, message.next_try_at, now, text, digest)
    return (MessageStatus.WAITING, message.tries + 1, now + RETRY_AFTER[message.tries], None, text, "")


def _plan_reminders(messages: Sequence[Notification], rule: NotificationRule | None, *, now: datetime) -> None:
    if rule is None or not rule.reminder_interval:
        return
    for message in messages:
        if message.state != MessageState.ENDED:
            remind(message, at=now + timedelta(seconds=rule.reminder_interval), now=now)


def _open_incident(channel: Channel, answer: Answer, *, now: datetime) -> None:
    waiting = channel.messages.waiting().count()
    cause = Cause(
        IncidentKind.CHANNEL_FAILING,
        channel.project,
        cause_of(channel),
        title=f"Messages to the channel {channel.name} fail",
        detail="No message about incidents arrives there.",
        error=answer.text,
    )
    open_incidents([Finding(cause, subjects=waiting)], now=now)


def _end_incident(channel: Channel, *, now: datetime) -> None:
    open_ones = Incident.objects.ongoing().filter(kind=IncidentKind.CHANNEL_FAILING, cause=cause_of(channel))
    for incident in open_ones:
        end(incident, by=RECOVERED, now=now)
