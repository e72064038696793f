"""Acts on channels of notifications: add, change, test, disable, remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from jobs.change.audit import log_act
from jobs.db.deletion import delete
from jobs.models import Channel, Notification
from jobs.models.notifications import MASK_LENGTH, ChannelKind, MessageState, MessageStatus
from jobs.notifications import addresses as apprise_addresses
from jobs.notifications import send_now
from jobs.notifications.results import forget_failures, record_channel
from jobs.notifications.secrets import KeyChanged, decrypt, encrypt
from jobs.notifications.sending import NO_MAIL, Answer
from jobs.notifications.texts import trial_text
from jobs.operations.base import require_permission
from jobs.operations.receivers import once_per_project, require_project
from jobs.rules import names
from jobs.rules.errors import BadInput, NotFound
from jobs.rules.formatting import clip, pluralize
from jobs.rules.limits import NAME_LENGTH, PROJECT_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MANAGE = "manage_channels"
MOST_ADDRESSES = 50
TAKEN = "There is a channel of this name for this project."


def add_channel(*, name: str, kind: str, addresses: Sequence[str], project: str = "", actor: User | None) -> Channel:
    """Add a channel: one Apprise address, or mail addresses. It needs a rule before anything is sent to it.

    With a `project` it gets only the incidents of that project. BadInput names the wrong field; Conflict
    (`channel_exists`) if the project has a channel of this name.
    """
    project = names.clean(project, field="project", most=PROJECT_LENGTH)
    require_project(actor, MANAGE, receiver="A channel", project=project)
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
    with once_per_project(TAKEN, code="channel_exists"):
        channel.save(force_insert=True)
        log_act(channel, f"Address {masked}.", account=actor, flag=ADDITION)
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
        locked = lock_channel(channel, actor)
        done = [_rename(locked, name), _move(locked, addresses), _switch(locked, active)]
        with once_per_project(TAKEN, code="channel_exists"):
            locked.save(update_fields=["name", "address", "masked", "active"])
        if locked.active:
            Channel.objects.filter(pk=locked.pk).update(sender="", sender_until=None)
            locked.messages.waiting().filter(tries__gt=0).update(next_try_at=timezone.now())
        else:
            _give_up(locked)
        if any(done):
            log_act(locked, " ".join(filter(None, done)), account=actor, flag=CHANGE)
    return locked


def remove_channel(channel: Channel, *, actor: User | None, reason: str = "") -> int:
    """Remove a channel with its rules and its log; return the number of messages that still waited."""
    with transaction.atomic():
        locked = lock_channel(channel, actor)
        waiting = locked.messages.waiting().count()
        log_act(
            locked,
            f"Removed with {pluralize(waiting, 'waiting message')}. {reason}".strip(),
            account=actor,
            flag=DELETION,
        )
        Channel.objects.filter(pk=locked.pk).update(active=False)
        _give_up(locked)
    delete(Notification.objects.filter(channel=locked))
    delete(Channel.objects.filter(pk=locked.pk))
    return waiting


def try_channel(channel: Channel, *, actor: User | None) -> Answer:
    """Send a test message now and return the answer of the service. The log of the channel keeps it."""
    require_project(actor, MANAGE, receiver="A channel", project=channel.project)
    text = trial_text(channel.name)
    answer = send_now(channel, text)
    now = timezone.now()
    with transaction.atomic():
        locked = lock_channel(channel, actor)
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
        log_act(locked, f"Test message. {answer.text}", account=actor, flag=CHANGE)
    return answer


def needs_address(channel: Channel) -> bool:
    """Return whether SECRET_KEY has changed, so that the address must be entered again."""
    try:
        decrypt(channel.address)
    except KeyChanged:
        return True
    return False


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


def lock_channel(channel: Channel, actor: User | None) -> Channel:
    """Lock the channel; NotFound if it no longer exists."""
    require_permission(actor, MANAGE, permission=MANAGE)
    locked = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk).first()
    if locked is None:
        raise NotFound(f"There is no channel {channel.pk}.")
    require_project(actor, MANAGE, receiver="A channel", project=locked.project)
    return locked
