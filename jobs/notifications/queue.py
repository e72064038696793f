"""Messages as rows: written in the transaction of the incident's change, at most one for each state and channel."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from jobs.models import Incident, IncidentJob
from jobs.models.notifications import MessageState, MessageStatus, Notification, NotificationRule
from jobs.models.texts import fit
from jobs.notifications.schedule import concerns, first_due
from jobs.rules.incidents import Notice

OPEN_STATES = (MessageState.OPENED, MessageState.REMINDER)


def enqueue(incident: Incident, notice: Notice) -> None:
    """Write the messages about a change of an incident, inside its transaction.

    An acknowledgement needs none: reminders that wait are judged when their time has come.
    """
    if notice in (Notice.OPENED, Notice.REOPENED):
        _enqueue_opening(incident)
    if notice == Notice.REOPENED:
        _enqueue_waking(incident)
    if notice == Notice.ENDED:
        _enqueue_end(incident)


def remind(message: Notification, *, at: datetime, now: datetime) -> None:
    """Write the next reminder after a message about an open incident."""
    assert message.incident
    number = message.number + 1
    row = _row(message.channel_id, message.incident, MessageState.REMINDER, due=at, now=now, number=number)
    Notification.objects.bulk_create([row], ignore_conflicts=True)


def channels_told(messages: Sequence[Notification]) -> set[int]:
    """Return the ids of the incidents that a channel knows as open, from its latest sent message about each."""
    incidents = {message.incident_id for message in messages if message.incident_id}
    if not incidents:
        return set()
    sent = Notification.objects.sent().filter(channel=messages[0].channel_id, incident__in=incidents)
    latest = dict(sent.order_by("ended_at", "pk").values_list("incident_id", "state"))
    return {incident for incident, state in latest.items() if incident and state in OPEN_STATES}


def has_job(rule: NotificationRule, incident: Incident) -> bool:
    """Return whether a job of the incident is one that the rule is about."""
    jobs = IncidentJob.objects.present().filter(incident=incident)
    if rule.job_kinds:
        jobs = jobs.filter(job__kind__in=rule.job_kinds)
    if rule.series:
        jobs = jobs.filter(job__name__regex=_series(rule.series))
    return jobs.exists()


def _series(pattern: str) -> str:
    """Return the regular expression of a pattern such as `nightly-*`; only * has a meaning in it."""
    return f"^{'.*'.join(map(re.escape, pattern.split('*')))}$"


def _enqueue_opening(incident: Incident) -> None:
    now = incident.changed_at
    due: defaultdict[int, list[NotificationRule]] = defaultdict(list)
    for rule in NotificationRule.objects.select_related("channel").filter(channel__active=True):
        if concerns(rule, rule.channel, incident):
            due[rule.channel_id].append(rule)
    rows = [
        _row(channel, incident, MessageState.OPENED, due=first_due(rules, MessageState.OPENED, now) or now, now=now)
        for channel, rules in sorted(due.items())
    ]
    if rows:
        Notification.objects.bulk_create(rows, ignore_conflicts=True)


def _enqueue_waking(incident: Incident) -> None:
    """After a snooze remind each channel that got this opening; it may have no waiting reminder."""
    now = incident.changed_at
    mine = Notification.objects.filter(incident=incident, occurrence=incident.reopened)
    told = mine.sent().filter(state=MessageState.OPENED).values_list("channel_id", flat=True)
    waiting = mine.waiting().filter(state=MessageState.REMINDER)
    reminded = set(waiting.values_list("channel_id", flat=True))
    waiting.update(next_try_at=now)
    rows = [
        _row(channel, incident, MessageState.REMINDER, due=now, now=now, number=incident.revision)
        for channel in told
        if channel not in reminded
    ]
    if rows:
        Notification.objects.bulk_create(rows, ignore_conflicts=True)


def _enqueue_end(incident: Incident) -> None:
    """Write a message to each channel that has got, or is just getting, the message that it is open."""
    now = incident.changed_at
    maybe = Notification.objects.filter(incident=incident, state__in=OPEN_STATES)
    maybe = maybe.filter(status__in=(MessageStatus.SENT, MessageStatus.WAITING), channel__active=True)
    channels = maybe.order_by("channel").values_list("channel_id", flat=True).distinct()
    rows = [_row(channel, incident, MessageState.ENDED, due=now, now=now) for channel in channels]
    if rows:
        Notification.objects.bulk_create(rows, ignore_conflicts=True)


def _row(
    channel: int, incident: Incident, state: MessageState, *, due: datetime, now: datetime, number: int = 0
) -> Notification:
    return Notification(
        channel_id=channel,
        incident=incident,
        state=state,
        occurrence=incident.reopened,
        number=number,
        subject=fit(Notification, "subject", incident.title),
        next_try_at=due,
        created_at=now,
    )
