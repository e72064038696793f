"""The time of each message: the rules of its channel, their quiet hours, and the state of the incident now.

A message is judged when its time has come, with the rules and the incident of that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.models import Incident
from jobs.models.notifications import Channel, MessageState, Notification, NotificationRule
from jobs.rules.incidents import IncidentKind, IncidentState
from jobs.rules.quiet_hours import QuietHours

# A rule about certain jobs waits for one of them to join the incident; a snooze without an end is asked again.
LOOK_AGAIN, SNOOZED_LOOK = timedelta(minutes=1), timedelta(minutes=10)

JobMatch = Callable[[NotificationRule], bool]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about a message: send it by a rule, ask again at `until`, or `skip` it for good with a reason."""

    rule: NotificationRule | None = None
    until: datetime | None = None
    skip: str = ""

    @property
    def sends(self) -> bool:
        """True if the message is to be sent now."""
        return not self.skip and self.until is None


def concerns(rule: NotificationRule, channel: Channel, incident: Incident) -> bool:
    """Return whether a rule sends this incident, apart from its jobs. A channel gets none about its own failure."""
    if incident.kind == IncidentKind.CHANNEL_FAILING and incident.cause == cause_of(channel):
        return False
    if channel.project and channel.project != incident.project:
        return False
    return (not rule.kinds or incident.kind in rule.kinds) and (not rule.projects or incident.project in rule.projects)


def cause_of(channel: Channel) -> str:
    """Return the cause of the incident about the failures of a channel."""
    return f"channel {channel.pk}"


def is_about_jobs(rule: NotificationRule) -> bool:
    """Return whether the rule is limited to certain jobs."""
    return bool(rule.job_kinds or rule.series)


def due_at(rule: NotificationRule, state: str, at: datetime) -> datetime:
    """Return when a message whose state began at this time is due by a rule."""
    age = timedelta(seconds=rule.minimum_age if state == MessageState.OPENED else 0)
    return after_quiet_hours(rule, at + age)


def first_due(rules: Iterable[NotificationRule], state: str, at: datetime) -> datetime | None:
    """Return the earliest time by any of these rules; None without one."""
    return min((due_at(rule, state, at) for rule in rules), default=None)


def after_quiet_hours(rule: NotificationRule, at: datetime) -> datetime:
    """Return the time itself, or the end of the quiet hours around it."""
    if rule.quiet_from is None or rule.quiet_to is None:
        return at
    return QuietHours(rule.quiet_from, rule.quiet_to, ZoneInfo(rule.timezone)).end_after(at)


def judge(
    message: Notification,
    rules: Sequence[NotificationRule],
    *,
    told: bool,
    has_job: JobMatch,
    now: datetime,
) -> Verdict:
    """Decide about a due message. `told` says that the channel knows the incident as open."""
    incident = message.incident
    if incident is None:
        return Verdict(skip="The incident no longer exists.")
    if message.state == MessageState.ENDED:
        return _judge_end(incident, rules, told=told, now=now)
    if reason := _why_not(message, incident, told=told):
        return Verdict(skip=reason)
    if incident.state == IncidentState.SNOOZED:
        return Verdict(until=max(incident.snoozed_until or now + SNOOZED_LOOK, now + timedelta(seconds=1)))
    return _judge_open(message, rules, has_job=has_job, now=now)


def _why_not(message: Notification, incident: Incident, *, told: bool) -> str:
    """Say why a message about an open incident is not needed; empty if it is."""
    if incident.ended_at is not None:
        return "It was over before this was sent."
    if incident.state == IncidentState.ACKNOWLEDGED:
        return "It was acknowledged before this was sent."
    if message.state == MessageState.OPENED and told:
        return "The channel knows already that it is open."
    return ""


def _judge_open(
    message: Notification, rules: Sequence[NotificationRule], *, has_job: JobMatch, now: datetime
) -> Verdict:
    if not rules:
        return Verdict(skip="No rule sends this incident to the channel.")
    begun = message.created_at if message.state == MessageState.OPENED else now
    times = {rule: max(due_at(rule, message.state, begun), after_quiet_hours(rule, now)) for rule in rules}
    ready = [rule for rule, at in times.items() if at <= now and has_job(rule)]
    if ready:
        return Verdict(rule=min(ready, key=lambda rule: (not rule.reminder_interval, rule.reminder_interval)))
    later = min((at for at in times.values() if at > now), default=now + LOOK_AGAIN)
    return Verdict(until=min(later, now + LOOK_AGAIN) if any(at <= now for at in times.values()) else later)


def _judge_end(incident: Incident, rules: Sequence[NotificationRule], *, told: bool, now: datetime) -> Verdict:
    if incident.ended_at is None:
        return Verdict(skip="It was open again before this was sent.")
    if not told:
        return Verdict(skip="No message said that it was open.")
    until = first_due(rules, MessageState.ENDED, now) or now
    return Verdict() if until <= now else Verdict(until=until)
