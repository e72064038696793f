"""Receivers of messages on this machine: a mail server and HTTP servers; channels, and incidents to tell of."""

from __future__ import annotations

import email
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import transaction
from django.utils import timezone

from jobs import notifications, operations
from jobs.incidents import lifecycle
from jobs.incidents.causes import Cause, Finding
from jobs.incidents.lifecycle import open_incidents
from jobs.models import Channel, Incident, Job, Notification
from jobs.rules.incidents import IncidentKind
from tests.factories import make_job
from tests.jobs.outbox.conftest import Receiver, receiver
from tests.servers import free_port

__all__ = ["receiver"]

SECRET = "canary-5f1d7c0b"


@dataclass
class MailServer:
    """A real mail server. It refuses mails with the reply `refuse`, if that is set."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuse: str = ""
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        if self.refuse:
            return self.refuse
        mail = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    """A mail server, and the settings of mail that lead to it."""
    made = MailServer(port=free_port())
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    settings.EMAIL_URL = f"smtp://127.0.0.1:{made.port}"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", made.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield made
    controller.stop()


@pytest.fixture(autouse=True)
def local(settings: Any) -> None:
    """Messages to this machine are allowed."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.PUBLIC_URL = "https://progress.example.com"


def channel_to(receiver: Receiver, *, name: str = "", scheme: str = "json", **rule: Any) -> Channel:
    """A channel to a receiver, with one rule."""
    address = f"{scheme}://{SECRET}:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}"
    made = operations.add_channel(
        name=name or f"channel-{Channel.objects.count()}", kind="apprise", addresses=[address], actor=None
    )
    operations.add_rule(made, **rule, actor=None)
    return made


def mail_channel(*to: str, name: str = "mail", **rule: Any) -> Channel:
    """A channel to mail addresses, with one rule."""
    addresses = list(to) or [f"{SECRET}@example.com"]
    made = operations.add_channel(name=name, kind="mail", addresses=addresses, actor=None)
    operations.add_rule(made, **rule, actor=None)
    return made


def open_incident(
    *jobs: Job,
    kind: str = "job_stuck",
    about: str = "generic silent",
    project: str = "",
    title: str = "generic jobs are silent",
    now: datetime | None = None,
    **texts: Any,
) -> Incident:
    """Open an incident of this cause, which these jobs join."""
    cause = Cause(IncidentKind(kind), project, about, title=title, **texts)
    members = [job.pk for job in jobs or [make_job(items=1, project=project)]]
    with transaction.atomic():
        open_incidents([Finding(cause, members)], now=now or timezone.now())
    return Incident.objects.get(kind=kind, project=project, cause=about)


def end(incident: Incident, *, by: str, now: datetime) -> None:
    """End an incident in a transaction, as its cause does."""
    with transaction.atomic():
        lifecycle.end(incident, by=by, now=now)


def wake(incident: Incident, *, why: str, now: datetime) -> None:
    """End the snooze of an incident in a transaction."""
    with transaction.atomic():
        lifecycle.wake(incident, why=why, now=now)


def notify_at(at: datetime) -> dict[str, int]:
    """A pass of a deliverer at this time."""
    return notifications.notify(now=at)


def titles(receiver: Receiver) -> list[str]:
    """Return the titles of the JSON messages, in the order of their arrival."""
    return [str(json.loads(request.body)["title"]) for request in receiver.requests]


def bodies(receiver: Receiver) -> list[str]:
    """Return the texts of the JSON messages, in the order of their arrival."""
    return [str(json.loads(request.body)["message"]) for request in receiver.requests]


def results(channel: Channel | None = None) -> list[tuple[str, str]]:
    """Return state and status of each message, in their order."""
    found = Notification.objects.filter(channel=channel) if channel else Notification.objects.all()
    return list(found.order_by("pk").values_list("state", "status"))


Later = Callable[[float], datetime]


@pytest.fixture
def later() -> Later:
    """A clock that begins at one moment of this test."""
    begun = timezone.now().replace(microsecond=0)
    return lambda seconds: begun + timedelta(seconds=seconds)
