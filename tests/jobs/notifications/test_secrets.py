"""Addresses of channels: encrypted at rest, shown nowhere, and leading nowhere inside."""

from __future__ import annotations

import io
import logging
import socket
from contextlib import redirect_stderr
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs import notifications, operations
from jobs.models import Activity, Channel, Incident, IncidentEntry, Notification
from jobs.notifications import addresses, sending
from jobs.notifications.secrets import KeyChanged, decrypt, encrypt
from jobs.notifications.texts import trial_text
from jobs.rules.errors import BadInput, Conflict, NotPermitted
from tests.factories import operator
from tests.jobs.notifications.conftest import SECRET, MailServer, channel_to, mail_channel, open_incident
from tests.jobs.outbox.conftest import Received, Receiver, reply

pytestmark = pytest.mark.django_db(transaction=True)


def repeat(handler: BaseHTTPRequestHandler, request: Received) -> None:
    """Answer with everything that was sent: the path, the credentials, the host."""
    reply(handler, 500, f"{request.path} {request.headers} {request.body!r}".encode())


PAGES = (
    "/admin/jobs/channel/",
    "/admin/jobs/channel/{id}/",
    "/admin/jobs/channel/{id}/edit/",
    "/admin/jobs/channel/{id}/test/",
    "/admin/jobs/channel/{id}/remove/",
    "/admin/jobs/channel/{id}/history/",
    "/admin/jobs/channel/export.csv",
    "/admin/jobs/channel/export.json",
    "/admin/jobs/notification/",
    "/admin/jobs/notification/export.csv",
    "/admin/jobs/notification/export.json",
    "/admin/jobs/notification/export.ndjson",
    "/admin/incidents/",
    "/admin/activity/",
    "/admin/activity/export.csv",
    "/admin/",
    "/api/v1/channels",
    "/api/v1/channels/{id}",
    "/api/v1/incidents",
    "/api/v1/activity",
    "/api/v1/notification-rules",
)


def test_a_secret_is_in_no_page_answer_log_export_or_history(
    receiver: Receiver, caplog: Any, mail_server: MailServer
) -> None:
    """The services repeat whatever they get. The secret is user, password and path of one address, and a mail name."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the log of the receiving side
    receiver.answer = repeat
    mail_server.refuse = f"550 <{SECRET}@example.com> is unknown here"
    root = User.objects.create_superuser("root")
    channel = channel_to(receiver)
    mail = mail_channel()
    written = io.StringIO()
    with caplog.at_level(logging.DEBUG), redirect_stderr(written):
        operations.change_channel(
            channel, addresses=[f"json://{SECRET}@127.0.0.1:{receiver.port}/{SECRET}?+X-Key={SECRET}"], actor=root
        )
        for each in (channel, mail):
            operations.try_channel(each, actor=root)
        open_incident(now=timezone.now())
        notifications.notify()
        receiver.answer = Receiver().answer
        operations.change_channel(channel, addresses=[f"json://{SECRET}:x@127.0.0.1:1/{SECRET}"], actor=root)
        operations.try_channel(channel, actor=root)
    assert receiver.requests, "the secret was sent"
    client = Client()
    client.force_login(root)
    for page in PAGES:
        for each in (channel, mail):
            response = client.get(page.format(id=each.pk))
            assert response.status_code == 200, page
            assert SECRET not in text_of(response), page
    texts = caplog.text + written.getvalue() + "".join(LogEntry.objects.values_list("change_message", flat=True))
    assert SECRET not in texts
    with connection.cursor() as cursor:
        for model in (Activity, Channel, Incident, IncidentEntry, Notification):
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            assert SECRET not in str(cursor.fetchall())


def text_of(response: Any) -> str:
    """Return the body of a page, or of an export, which is streamed."""

    async def collect() -> bytes:
        return b"".join([part async for part in response])

    return (async_to_sync(collect)() if response.streaming else response.content).decode()  # type: ignore[no-any-return]


def test_an_address_is_shown_without_its_secrets() -> None:
    assert addresses.masked("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general") == "slack://…"
    assert addresses.masked("ntfys://secret-topic") == "ntfys://…"
    assert addresses.masked("jsons://user:pass@hooks.example.com:8443/path?x=y") == "jsons://hooks.example.com/…"


def test_an_encrypted_address_is_read_with_the_key_and_with_former_keys(settings: Any) -> None:
    token = encrypt("slack://a")
    former = settings.SECRET_KEY
    settings.SECRET_KEY = "another key of the site, which is long enough"
    with pytest.raises(KeyChanged):
        decrypt(token)
    settings.SECRET_KEY_FALLBACKS = [former]
    assert decrypt(token) == "slack://a"


def test_a_changed_key_asks_for_the_address_on_the_page_and_in_rest(receiver: Receiver, settings: Any) -> None:
    channel = channel_to(receiver)
    settings.SECRET_KEY = "another key of the site, which is long enough"
    root = User.objects.create_superuser("root")
    client = Client()
    client.force_login(root)
    assert b"Enter the address again" in client.get(f"/admin/jobs/channel/{channel.pk}/").content
    assert client.get(f"/api/v1/channels/{channel.pk}").json()["needs_address"] is True
    answer = operations.try_channel(channel, actor=root)
    assert answer.text.endswith("Enter the address again.")
    assert not receiver.requests


# --- where an address may lead -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "syslog://localhost",
        "file:///etc/passwd",
        "dbus://",
        "gnome://",
        "windows://",
        "macosx://",
        "vapid://olga@example.com/?keyfile=/etc/passwd",
        "fcm://project/apikey?keyfile=/etc/passwd",
        "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz?template=/etc/passwd",
        "mailtos://user:password@gmail.com?pgpkey=/etc/passwd",
        "MAILTOS://user:password@gmail.com?PGPKEY=/etc/passwd",
        "apprises://hooks.example.com/token",
        "no address",
        "json://a.example json://b.example",
        "json://a.example\njson://b.example",
        "unknown://a.example",
        "json://",
        "",
    ],
)
def test_an_address_of_this_machine_or_of_its_files_is_refused(address: str) -> None:
    with pytest.raises(BadInput) as refused:
        operations.add_channel(name="a", kind="apprise", addresses=[address], actor=None)
    assert list(refused.value.errors) == ["address"]
    assert SECRET not in str(refused.value)
    assert not Channel.objects.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "[::1]", "169.254.169.254", "127.1"])
def test_a_private_host_is_refused_at_once(host: str, settings: Any) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    with pytest.raises(BadInput):
        operations.add_channel(name="a", kind="apprise", addresses=[f"json://{host}/x"], actor=None)


@pytest.mark.parametrize("host", ["localtest", "2130706433", "0x7f000001"])
def test_a_name_of_a_private_host_is_refused_when_it_is_connected(
    receiver: Receiver, settings: Any, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are resolved again for each message, so their address is checked where Python connects."""
    channel = channel_to(receiver)
    address = f"json://{host}:{receiver.port}/x"
    Channel.objects.update(address=encrypt(address))
    channel.refresh_from_db()
    resolve_locally(monkeypatch)
    assert sending.send(channel, trial_text("a")).sent, "the host leads here"
    settings.WEBHOOK_ALLOW_PRIVATE = False
    answer = sending.send(channel, trial_text("a"))
    assert answer.text == "The address 127.0.0.1 is not public. Set WEBHOOK_ALLOW_PRIVATE to allow it."
    assert len(receiver.requests) == 1


def resolve_locally(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the name `localtest` have the address of this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real("127.0.0.1" if host == "localtest" else host, *rest, **more),
    )


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    def redirect(handler: BaseHTTPRequestHandler, request: Received) -> None:
        reply(handler, 307, b"", Location="/elsewhere")

    receiver.answer = redirect
    channel = channel_to(receiver)
    assert not sending.send(channel, trial_text("a")).sent
    assert len(receiver.requests) == 1


def test_a_host_without_a_receiver_says_so(receiver: Receiver) -> None:
    channel = operations.add_channel(name="a", kind="apprise", addresses=["json://127.0.0.1:1/x"], actor=None)
    assert operations.try_channel(channel, actor=None).text == "No answer: the service could not be reached."


# --- who may ------------------------------------------------------------------------------------------


def test_a_channel_of_the_whole_site_needs_an_account_without_limits(settings: Any) -> None:
    lead = operator(projects=["a"])
    lead.user_permissions.add(Permission.objects.get(codename="manage_channels"))
    with pytest.raises(NotPermitted):
        operations.add_channel(name="a", kind="apprise", addresses=["json://a.example"], actor=lead)
    made = operations.add_channel(name="a", kind="apprise", addresses=["json://a.example"], project="a", actor=lead)
    with pytest.raises(Conflict):
        operations.add_channel(name="a", kind="apprise", addresses=["json://a.example"], project="a", actor=lead)
    with pytest.raises(BadInput):
        operations.add_rule(made, projects=["b"], actor=lead)
    with pytest.raises(NotPermitted):
        operations.try_channel(made, actor=operator("retry"))


def test_mail_needs_a_mail_server() -> None:
    with pytest.raises(BadInput) as refused:
        operations.add_channel(name="a", kind="mail", addresses=["olga@example.com"], actor=None)
    assert "EMAIL_URL" in refused.value.errors["kind"]
