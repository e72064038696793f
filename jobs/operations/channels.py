"""Acts on channels of notifications and their rules: add, change, test, disable, remove."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import time
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.change.audit import log_act
from jobs.db.deletion import delete
from jobs.models import Channel, Notification, NotificationRule
from jobs.models.jobs import projects_of
from jobs.models.notifications import MASK_LENGTH, ChannelKind, MessageState, MessageStatus
from jobs.notifications import addresses as apprise_addresses
from jobs.notifications import send_now
from jobs.notifications.results import forget_failures, record_channel
from jobs.notifications.secrets import KeyChanged, decrypt, encrypt
from jobs.notifications.sending import NO_MAIL, Answer
from jobs.notifications.texts import trial_text
from jobs.operations.base import require_permission
from jobs.rules import names
from jobs.rules.errors import BadInput, Conflict, NotFound, NotPermitted
from jobs.rules.formatting import clip, format_duration, pluralize
from jobs.rules.incidents import KINDS, IncidentKind
from jobs.rules.limits import LONGEST_SECONDS, NAME_LENGTH, PROJECT_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_ADDRESSES = 50
MOST_RULES = 50  # of one channel
MOST_LISTED = 100  # kinds and projects of a rule
SHORTEST_REMINDER = 60
UNKNOWN_KIND = "Choose from {kinds}, not {kind!r}."


def add_channel(*, name: str, kind: str, addresses: Sequence[str], project: str = "", actor: User | None) -> Channel:
    """Add a channel: one Apprise address, or mail addresses. It needs a rule before anything is sent to it.

    With a `project` it gets only the incidents of that project. BadInput names the wrong field; Conflict
    (`channel_exists`) if the project has a channel of this name.
    """
    project = names.clean(project, field="project", most=PROJECT_LENGTH)
    _require(actor, project=project)
    address, masked = _checked(kind, addresses)
    channel = Channel(
        name=_name(name),
        project=project,
        kind=kind,
        address=encrypt(address),
        masked=masked,
        account=actor,
        created_at=timezone.now(),
    )
    with _once_per_project():
        channel.save(force_insert=True)
        _log(channel, actor, ADDITION, f"Address {masked}.")
    return channel


def change_channel(
    channel: Channel,
    *,
    name: str | None = None,
    addresses: Sequence[str] | None = None,
    active: bool | None = None,
    actor: User | None,
) -> Channel:
    """Change the given fields. With a new address, messages that wait are sent to it at once."""
    with transaction.atomic():
        locked = _locked(channel, actor)
        done = [_rename(locked, name), _move(locked, addresses), _switch(locked, active)]
        with _once_per_project():
            locked.save(update_fields=["name", "address", "masked", "active"])
        if locked.active:
            Channel.objects.filter(pk=locked.pk).update(sender="", sender_until=None)
            locked.messages.waiting().filter(tries__gt=0).update(next_try_at=timezone.now())
        else:
            _give_up(locked)
        if any(done):
            _log(locked, actor, CHANGE, " ".join(filter(None, done)))
    return locked


def remove_channel(channel: Channel, *, actor: User | None, reason: str = "") -> int:
    """Remove a channel with its rules and its log; return the number of messages that still waited."""
    with transaction.atomic():
        locked = _locked(channel, actor)
        waiting = locked.messages.waiting().count()
        _log(locked, actor, DELETION, f"Removed with {pluralize(waiting, 'waiting message')}. {reason}".strip())
        Channel.objects.filter(pk=locked.pk).update(active=False)
        _give_up(locked)
    delete(Notification.objects.filter(channel=locked))
    delete(Channel.objects.filter(pk=locked.pk))
    return waiting


def try_channel(channel: Channel, *, actor: User | None) -> Answer:
    """Send a test message now and return the answer of the service. The log of the channel keeps it."""
    _require(actor, project=channel.project)
    text = trial_text(channel.name)
    answer = send_now(channel, text)
    now = timezone.now()
    with transaction.atomic():
        locked = _locked(channel, actor)
        Notification.objects.create(
            channel=locked,
            state=MessageState.TEST,
            status=MessageStatus.SENT if answer.sent else MessageStatus.DEAD,
            subject=text.title,
            next_try_at=now,
            created_at=now,
            ended_at=now,
            result=answer.text,
        )
        record_channel(locked, answer, now=now)
        _log(locked, actor, CHANGE, f"Test message. {answer.text}")
    return answer


def needs_address(channel: Channel) -> bool:
    """Tell whether SECRET_KEY has changed, so that the address must be entered again."""
    try:
        decrypt(channel.address)
    except KeyChanged:
        return True
    return False


# --- rules ---------------------------------------------------------------------------------------------


def add_rule(channel: Channel, *, actor: User | None, **values: Any) -> NotificationRule:
    """Add a rule to a channel; BadInput names the wrong field.

    The fields are those of NotificationRule. Without any, the rule sends every incident at once.
    """
    with transaction.atomic():
        locked = _locked(channel, actor)
        if locked.rules.count() >= MOST_RULES:
            raise BadInput({"channel": f"A channel has at most {MOST_RULES} rules; remove one first."})
        rule = NotificationRule(channel=locked, created_at=timezone.now())
        _fill(rule, values)
        rule.save(force_insert=True)
        _log(locked, actor, CHANGE, f"Rule {rule.pk} added: {describe_rule(rule)}")
    return rule


def change_rule(rule: NotificationRule, *, actor: User | None, **values: Any) -> NotificationRule:
    """Change the given fields of a rule; messages that wait follow it as it is when their time comes."""
    with transaction.atomic():
        locked = _locked(rule.channel, actor)
        changed = locked.rules.filter(pk=rule.pk).first()
        if changed is None:
            raise NotFound(f"There is no rule {rule.pk}.")
        changed.channel = locked
        _fill(changed, values)
        changed.save(force_update=True)
        _log(locked, actor, CHANGE, f"Rule {rule.pk} changed: {describe_rule(changed)}")
    return changed


def remove_rule(rule: NotificationRule, *, actor: User | None) -> None:
    """Remove a rule."""
    with transaction.atomic():
        locked = _locked(rule.channel, actor)
        locked.rules.filter(pk=rule.pk).delete()
        _log(locked, actor, CHANGE, f"Rule {rule.pk} removed.")


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


# --- the parts -----------------------------------------------------------------------------------------


def _checked(kind: str, addresses: Sequence[str]) -> tuple[str, str]:
    """Return the address as it is stored, before encryption, and the form that may be shown."""
    given = [address.strip() for address in addresses if address.strip()]
    if kind == ChannelKind.MAIL:
        return _checked_mail(given)
    if kind != ChannelKind.APPRISE:
        raise BadInput({"kind": f"Choose {' or '.join(ChannelKind)}."})
    if len(given) != 1:
        raise BadInput({"address": "Enter one Apprise address."})
    address = apprise_addresses.check_address(given[0])
    return address, clip(apprise_addresses.masked(address), MASK_LENGTH)


def _checked_mail(given: Sequence[str]) -> tuple[str, str]:
    if not settings.EMAIL_URL:
        raise BadInput({"kind": NO_MAIL})
    if not 0 < len(given) <= MOST_ADDRESSES:
        raise BadInput({"addresses": f"Enter 1 to {MOST_ADDRESSES} mail addresses."})
    for number, address in enumerate(given, 1):
        try:
            validate_email(address)
        except ValidationError as error:
            raise BadInput({"addresses": f"Enter a valid mail address; number {number} is none."}) from error
    return "\n".join(dict.fromkeys(given)), pluralize(len(set(given)), "mail address", "mail addresses")


def _name(text: str) -> str:
    name = names.clean(text, field="name", most=NAME_LENGTH)
    if not name:
        raise BadInput({"name": "Enter a name."})
    return name


def _rename(channel: Channel, name: str | None) -> str:
    if name is None or _name(name) == channel.name:
        return ""
    channel.name = _name(name)
    return f"Name {channel.name}."


def _move(channel: Channel, addresses: Sequence[str] | None) -> str:
    if addresses is None:
        return ""
    address, channel.masked = _checked(channel.kind, addresses)
    channel.address = encrypt(address)
    return f"Address {channel.masked}."


def _switch(channel: Channel, active: bool | None) -> str:
    if active is None or active == channel.active:
        return ""
    channel.active = active
    return "Enabled." if active else "Disabled."


def _give_up(channel: Channel) -> None:
    """Skip what waits, and end the incident of the channel, which is out of use."""
    now = timezone.now()
    channel.messages.waiting().update(
        status=MessageStatus.SKIPPED, ended_at=now, result="The channel was disabled before this was sent."
    )
    Channel.objects.filter(pk=channel.pk).update(failures=0, failing_since=None)
    forget_failures(channel, now=now)


@contextmanager
def _once_per_project() -> Iterator[None]:
    """Refuse a name that the project has already. The unique constraint decides between two requests."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict("There is a channel of this name for this project.", code="channel_exists") from error


def _require(actor: User | None, *, project: str) -> None:
    require_permission(actor, "manage_channels", permission="manage_channels")
    projects = projects_of(actor) if actor else None
    if projects is not None and project not in projects:
        raise NotPermitted(
            f"Your account has no access to the project {project!r}."
            if project
            else "A channel for all projects needs an account that is not limited to projects."
        )


def _locked(channel: Channel, actor: User | None) -> Channel:
    """Lock the channel; NotFound if it no longer exists."""
    require_permission(actor, "manage_channels", permission="manage_channels")
    locked = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk).first()
    if locked is None:
        raise NotFound(f"There is no channel {channel.pk}.")
    _require(actor, project=locked.project)
    return locked


def _log(channel: Channel, actor: User | None, flag: int, message: str) -> None:
    log_act(channel, message, account=actor, flag=flag)
