"""Acts on the rules of a channel: add, change, remove. A rule says which incidents the channel gets, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.utils import timezone

from jobs.change.audit import log_act
from jobs.models import Channel, NotificationRule
from jobs.operations.channels import lock_channel
from jobs.rules import names
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.formatting import format_duration
from jobs.rules.incidents import KINDS, IncidentKind
from jobs.rules.limits import LONGEST_SECONDS, NAME_LENGTH, PROJECT_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_RULES = 50  # of one channel
MOST_LISTED = 100  # kinds and projects of a rule
SHORTEST_REMINDER = 60
UNKNOWN_KIND = "Choose from {kinds}, not {kind!r}."


def add_rule(channel: Channel, *, actor: User | None, **values: Any) -> NotificationRule:
    """Add a rule to a channel; BadInput names the wrong field.

    The fields are those of NotificationRule. Without any, the rule sends every incident at once.
    """
    with transaction.atomic():
        locked = lock_channel(channel, actor)
        if locked.rules.count() >= MOST_RULES:
            raise BadInput({"channel": f"A channel has at most {MOST_RULES} rules; remove one first."})
        rule = NotificationRule(channel=locked, created_at=timezone.now())
        _fill(rule, values)
        rule.save(force_insert=True)
        log_act(locked, f"Rule {rule.pk} added: {describe_rule(rule)}", account=actor, flag=CHANGE)
    return rule


def change_rule(rule: NotificationRule, *, actor: User | None, **values: Any) -> NotificationRule:
    """Change the given fields of a rule; messages that wait follow it as it is when their time comes."""
    with transaction.atomic():
        locked = lock_channel(rule.channel, actor)
        changed = locked.rules.filter(pk=rule.pk).first()
        if changed is None:
            raise NotFound(f"There is no rule {rule.pk}.")
        changed.channel = locked
        _fill(changed, values)
        changed.save(force_update=True)
        log_act(locked, f"Rule {rule.pk} changed: {describe_rule(changed)}", account=actor, flag=CHANGE)
    return changed


def remove_rule(rule: NotificationRule, *, actor: User | None) -> None:
    """Remove a rule."""
    with transaction.atomic():
        locked = lock_channel(rule.channel, actor)
        locked.rules.filter(pk=rule.pk).delete()
        log_act(locked, f"Rule {rule.pk} removed.", account=actor, flag=CHANGE)


def describe_rule(rule: NotificationRule) -> str:
    """Return a rule in one sentence."""
    parts = [
        ", ".join(KINDS[IncidentKind(kind)].label for kind in rule.kinds) or "Every kind of incident",
        f"projects {', '.join(rule.projects)}" if rule.projects else "",
        f"kinds of jobs {', '.join(rule.job_kinds)}" if rule.job_kinds else "",
        f"jobs {rule.series}" if rule.series else "",
        f"after {format_duration(rule.minimum_age)}" if rule.minimum_age else "at once",
        f"quiet {rule.quiet_from:%H:%M} to {rule.quiet_to:%H:%M} {rule.timezone}" if rule.quiet_from else "",
        f"repeated every {format_duration(rule.reminder_interval)}" if rule.reminder_interval else "",
    ]
    return f"{'; '.join(filter(None, parts))}."


def _fill(rule: NotificationRule, values: dict[str, Any]) -> None:
    """Set the given fields and check all of them."""
    for name, value in values.items():
        setattr(rule, name, value)
    errors = {name: error for name, check in CHECKS.items() if (error := check(rule))}
    if errors:
        raise BadInput(errors)
    rule.projects = [names.clean(each, field="projects", most=PROJECT_LENGTH) for each in rule.projects]
    rule.series = names.clean(rule.series, field="series", most=NAME_LENGTH)


def _kinds_error(rule: NotificationRule) -> str:
    unknown = [kind for kind in rule.kinds if kind not in list(IncidentKind)]
    return UNKNOWN_KIND.format(kinds=", ".join(IncidentKind), kind=unknown[0][:NAME_LENGTH]) if unknown else ""


def _projects_error(rule: NotificationRule) -> str:
    if len(rule.projects) > MOST_LISTED:
        return f"Enter at most {MOST_LISTED} projects."
    own = rule.channel.project
    outside = [each for each in rule.projects if own and each != own]
    return f"Remove {outside[0][:PROJECT_LENGTH]!r}; this channel gets only the project {own!r}." if outside else ""


def _job_kinds_error(rule: NotificationRule) -> str:
    wrong = len(rule.job_kinds) > MOST_LISTED or not all(0 < len(each) <= NAME_LENGTH for each in rule.job_kinds)
    return f"Enter at most {MOST_LISTED} kinds of jobs, such as vision." if wrong else ""


def _quiet_error(one: time | None, other: time | None) -> str:
    if one is None and other is not None:
        return "Enter the beginning and the end of the quiet hours, or neither."
    return "Enter another end; the quiet hours would be empty." if one is not None and one == other else ""


def _timezone_error(rule: NotificationRule) -> str:
    return "" if rule.timezone in zones() else "Enter a time zone such as Europe/Berlin or UTC."


def _seconds_error(value: int, *, shortest: int) -> str:
    if value == 0 or shortest <= value <= LONGEST_SECONDS:
        return ""
    return f"Enter 0, or seconds from {shortest} to {LONGEST_SECONDS}."


CHECKS: dict[str, Callable[[NotificationRule], str]] = {
    "kinds": _kinds_error,
    "projects": _projects_error,
    "job_kinds": _job_kinds_error,
    "quiet_from": lambda rule: _quiet_error(rule.quiet_from, rule.quiet_to),
    "quiet_to": lambda rule: _quiet_error(rule.quiet_to, rule.quiet_from),
    "timezone": _timezone_error,
    "minimum_age": lambda rule: _seconds_error(rule.minimum_age, shortest=1),
    "reminder_interval": lambda rule: _seconds_error(rule.reminder_interval, shortest=SHORTEST_REMINDER),
}


@cache
def zones() -> frozenset[str]:
    """Return the names of the time zones that this machine knows."""
    return frozenset(available_timezones())
