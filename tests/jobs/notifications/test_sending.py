"""The life of a message: opened, reminded, over; digests, quiet hours, retries, failing channels."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from jobs import notifications, operations
from jobs.incidents.lifecycle import RECOVERED
from jobs.models import Channel, Incident, Notification
from jobs.notifications import notifier
from jobs.rules.incidents import IncidentState
from jobs.watchdog.prune import prune
from tests.factories import make_job
from tests.jobs.notifications.conftest import (
    SECRET,
    Later,
    MailServer,
    bodies,
    channel_to,
    end,
    mail_channel,
    notify_at,
    open_incident,
    results,
    titles,
    wake,
)
from tests.jobs.outbox.conftest import Received, Receiver, reply

pytestmark = pytest.mark.django_db(transaction=True)
OPENED, OVER = "generic jobs are silent (1 job)", "Over: generic jobs are silent (1 job)"
REMINDED = "Still open: generic jobs are silent (1 job)"


def refuse(handler: BaseHTTPRequestHandler, request: Received) -> None:
    """Answer as a service that has revoked the token, and repeats it."""
    reply(handler, 403, f"The token {SECRET} is revoked.".encode())


def test_one_message_when_it_opens_and_one_when_it_is_over(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver)
    incident = open_incident(now=later(0))
    assert notify_at(later(1)) == {"sent": 1, "failed": 0}
    assert notify_at(later(2)) == {"sent": 0, "failed": 0}
    end(incident, by=RECOVERED, now=later(60))
    notify_at(later(61))
    notify_at(later(62))
    assert titles(receiver) == [OPENED, OVER]
    assert results(channel) == [("opened", "sent"), ("ended", "sent")]


def test_an_incident_that_is_over_before_its_minimum_age_is_never_sent(receiver: Receiver, later: Later) -> None:
    channel_to(receiver, minimum_age=600)
    incident = open_incident(now=later(0))
    notify_at(later(599))
    end(incident, by=RECOVERED, now=later(599))
    notify_at(later(700))
    assert not receiver.requests
    assert results() == [("opened", "skipped"), ("ended", "skipped")]


def test_it_is_sent_from_its_minimum_age_on(receiver: Receiver, later: Later) -> None:
    channel_to(receiver, minimum_age=600)
    open_incident(now=later(0))
    notify_at(later(599))
    assert not receiver.requests
    notify_at(later(600))
    assert titles(receiver) == [OPENED]


def test_it_is_repeated_until_it_is_acknowledged(receiver: Receiver, later: Later) -> None:
    channel_to(receiver, reminder_interval=60)
    incident = open_incident(now=later(0))
    for seconds in (0, 59, 60, 119, 120):
        notify_at(later(seconds))
    assert titles(receiver) == [OPENED, REMINDED, REMINDED]
    Incident.objects.filter(pk=incident.pk).update(state=IncidentState.ACKNOWLEDGED)
    for seconds in (180, 240, 300):
        notify_at(later(seconds))
    assert len(receiver.requests) == 3
    incident.refresh_from_db()
    end(incident, by=RECOVERED, now=later(400))
    notify_at(later(400))
    assert titles(receiver)[-1] == OVER


def test_without_an_interval_nothing_is_repeated(receiver: Receiver, later: Later) -> None:
    channel_to(receiver)
    open_incident(now=later(0))
    for seconds in (0, 3600, 86_400):
        notify_at(later(seconds))
    assert titles(receiver) == [OPENED]


def test_a_snoozed_incident_is_quiet_until_it_wakes(receiver: Receiver, later: Later) -> None:
    channel_to(receiver, reminder_interval=60)
    incident = open_incident(now=later(0))
    notify_at(later(0))
    Incident.objects.filter(pk=incident.pk).update(state=IncidentState.SNOOZED, snoozed_until=later(3600))
    for seconds in (60, 600, 3599):
        notify_at(later(seconds))
    assert titles(receiver) == [OPENED]
    wake(Incident.objects.get(), why="The snooze is over.", now=later(3600))
    notify_at(later(3600))
    assert titles(receiver) == [OPENED, REMINDED]


def test_an_incident_that_wakes_reminds_without_an_interval_too(receiver: Receiver, later: Later) -> None:
    channel_to(receiver)
    incident = open_incident(now=later(0))
    notify_at(later(0))
    Incident.objects.filter(pk=incident.pk).update(state=IncidentState.SNOOZED, snoozed_until=later(60))
    wake(Incident.objects.get(), why="There are more jobs.", now=later(30))
    notify_at(later(30))
    notify_at(later(31))
    assert titles(receiver) == [OPENED, REMINDED]


def test_a_reopened_incident_is_sent_again_once_its_end_was_sent(receiver: Receiver, later: Later) -> None:
    channel_to(receiver)
    job = make_job(items=1)
    incident = open_incident(job, now=later(0))
    notify_at(later(0))
    end(incident, by=RECOVERED, now=later(10))
    notify_at(later(10))
    open_incident(job, now=later(20))
    notify_at(later(20))
    assert titles(receiver) == [OPENED, OVER, f"Open again: {OPENED}"]


def test_a_reopening_before_the_end_was_sent_says_nothing(receiver: Receiver, later: Later) -> None:
    channel_to(receiver)
    job = make_job(items=1)
    incident = open_incident(job, now=later(0))
    notify_at(later(0))
    end(incident, by=RECOVERED, now=later(10))
    open_incident(job, now=later(11))
    notify_at(later(12))
    assert titles(receiver) == [OPENED]
    incident.refresh_from_db()
    end(incident, by=RECOVERED, now=later(30))
    notify_at(later(30))
    assert titles(receiver) == [OPENED, OVER]


# --- rules ---------------------------------------------------------------------------------------------


def test_a_rule_chooses_by_kind_project_and_jobs(receiver: Receiver, later: Later) -> None:
    channel_to(receiver, kinds=["job_failed"], projects=["a"], series="nightly-*", job_kinds=["generic"])
    open_incident(kind="job_stuck", project="a", now=later(0))
    open_incident(kind="job_failed", project="b", now=later(0))
    assert not Notification.objects.exists()
    job = make_job(name="daily-1", items=1, project="a")
    incident = open_incident(job, kind="job_failed", project="a", title="generic jobs failed", now=later(0))
    notify_at(later(1))
    assert not receiver.requests
    late_joiner = make_job(name="nightly-2", items=1, project="a")
    incident.members.create(job=late_joiner, joined_at=later(30))
    notify_at(later(61))
    assert titles(receiver) == ["generic jobs failed (2 jobs, a)"]


def test_a_channel_of_a_project_gets_only_its_incidents(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver)
    Channel.objects.filter(pk=channel.pk).update(project="a")
    open_incident(project="b", now=later(0))
    open_incident(kind="watchdog_silent", about="", title="No watchdog", now=later(0))
    open_incident(project="a", now=later(0))
    notify_at(later(0))
    assert titles(receiver) == ["generic jobs are silent (1 job, a)"]


BERLIN = ZoneInfo("Europe/Berlin")
QUIET = {"quiet_from": datetime.min.time().replace(hour=22), "quiet_to": datetime.min.time().replace(hour=6)}


@pytest.mark.parametrize("day", [datetime(2026, 3, 28), datetime(2026, 10, 24), datetime(2026, 7, 1)])
def test_what_opens_in_quiet_hours_is_sent_when_they_end(receiver: Receiver, day: datetime) -> None:
    """The clock changes in two of these nights, so they have 7 and 9 quiet hours."""
    evening = day.replace(hour=23, tzinfo=BERLIN)
    morning = (day + timedelta(days=1)).replace(hour=6, tzinfo=BERLIN)
    utc = ZoneInfo("UTC")
    channel_to(receiver, **QUIET, timezone="Europe/Berlin")
    open_incident(now=evening.astimezone(utc))
    notify_at(evening.astimezone(utc))
    notify_at(morning.astimezone(utc) - timedelta(seconds=1))
    assert not receiver.requests
    notify_at(morning.astimezone(utc))
    assert titles(receiver) == [OPENED]


def test_what_is_over_when_quiet_hours_end_is_not_sent(receiver: Receiver) -> None:
    night = datetime(2026, 7, 1, 1, tzinfo=ZoneInfo("UTC"))
    channel_to(receiver, **QUIET)
    incident = open_incident(now=night)
    end(incident, by=RECOVERED, now=night + timedelta(hours=1))
    notify_at(night + timedelta(hours=7))
    assert not receiver.requests


def test_a_rule_that_is_removed_sends_nothing_more(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver, minimum_age=60)
    open_incident(now=later(0))
    operations.remove_rule(channel.rules.get(), actor=None)
    notify_at(later(60))
    assert not receiver.requests
    assert results() == [("opened", "skipped")]


# --- digests -------------------------------------------------------------------------------------------


def open_many(number: int, *, now: datetime, start: int = 0) -> None:
    """Open that many incidents."""
    job = make_job(items=1)
    for each in range(start, start + number):
        open_incident(job, about=f"cause {each}", title=f"Cause {each}", now=now)


def test_ten_at_once_are_sent_singly(receiver: Receiver, later: Later) -> None:
    channel_to(receiver)
    open_many(10, now=later(0))
    notify_at(later(1))
    assert len(receiver.requests) == 10


def test_more_than_ten_at_once_become_a_digest(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver)
    open_many(40, now=later(0))
    notify_at(later(1))
    assert titles(receiver) == ["40 incidents: 40 open"]
    [body] = bodies(receiver)
    assert "Cause 0 (1 job)" in body
    assert "10 further incidents" in body
    assert results(channel) == [("opened", "sent")] * 40
    assert len({message.digest for message in Notification.objects.all()}) == 1


def test_the_eleventh_of_a_minute_waits_for_the_digest(receiver: Receiver, later: Later) -> None:
    channel_to(receiver)
    open_many(10, now=later(0))
    notify_at(later(0))
    open_many(5, start=10, now=later(5))
    notify_at(later(5))
    assert len(receiver.requests) == 10
    open_many(7, start=15, now=later(50))
    notify_at(later(61))
    assert titles(receiver)[10:] == ["12 incidents: 12 open"]


# --- failures ------------------------------------------------------------------------------------------


def test_a_failed_message_is_retried_with_growing_pauses_and_in_the_end_dead(receiver: Receiver, later: Later) -> None:
    receiver.answer = refuse
    channel = channel_to(receiver)
    open_incident(now=later(0))
    message = Notification.objects.get(channel=channel)
    pauses = []
    while message.status == "waiting":
        due = message.next_try_at
        notify_at(due - timedelta(seconds=1))
        assert len(receiver.requests) == len(pauses)
        notify_at(due)
        message.refresh_from_db()
        pauses.append((message.next_try_at - due).total_seconds())
    assert pauses == [10, 30, 120, 600, 1800, 3600, 3600, 7200, 0]
    assert (message.status, message.tries) == ("dead", 9)
    assert message.result == "The service answered 403: The token … is revoked."


def test_messages_are_counted_for_monitoring_by_kind_of_channel(
    receiver: Receiver, later: Later, client: Client, settings: Any
) -> None:
    def figures() -> list[str]:
        lines = client.get("/metrics").content.decode().splitlines()
        found = [line.removeprefix("progress_notifications_") for line in lines if line.startswith("progress_notif")]
        return [line for line in found if not line.endswith(" 0.0")]

    settings.METRICS_SECONDS = 0
    assert len([line for line in client.get("/metrics").content.splitlines() if b"progress_notif" in line[:16]]) == 8
    channel_to(receiver, minimum_age=864_000, name="later")
    channel_to(receiver, name="now")
    receiver.answer = refuse
    open_incident(now=later(-2))
    notify_at(later(-1))
    assert figures() == ['total{channel="apprise",outcome="failed"} 1.0', 'waiting{channel="apprise"} 1.0']
    Notification.objects.filter(tries=1).update(tries=8)
    notify_at(later(9))
    receiver.answer = Receiver().answer
    open_incident(about="generic stalled", now=later(40))
    notify_at(later(41))
    assert figures() == [
        'total{channel="apprise",outcome="sent"} 1.0',
        'total{channel="apprise",outcome="failed"} 1.0',
        'total{channel="apprise",outcome="dead"} 1.0',
    ]


def test_three_failures_in_a_row_open_an_incident_and_a_success_ends_it(receiver: Receiver, later: Later) -> None:
    receiver.answer = refuse
    channel = channel_to(receiver, name="night shift")
    other = mail_channel_without_server()
    open_incident(now=later(0))
    for seconds in (0, 10):
        notify_at(later(seconds))
    assert not Incident.objects.filter(cause=f"channel {channel.pk}").exists()
    notify_at(later(40))
    failing = Incident.objects.get(kind="channel_failing", cause=f"channel {channel.pk}")
    assert failing.title == "Messages to the channel night shift fail"
    assert not channel.messages.filter(incident=failing).exists(), "it is not sent through itself"
    assert other.messages.filter(incident=failing).exists()
    channel.refresh_from_db()
    assert channel.failures == 3
    assert channel.failing_since == later(0)
    receiver.answer = Receiver().answer
    notify_at(later(160))
    failing.refresh_from_db()
    channel.refresh_from_db()
    assert failing.ended_by == RECOVERED
    assert (channel.failures, channel.failing_since) == (0, None)


def mail_channel_without_server() -> Channel:
    """A channel that takes messages and cannot send them."""
    channel = Channel.objects.create(
        name="other", kind="mail", address="", masked="1 mail address", created_at=timezone.now()
    )
    operations.add_rule(channel, actor=None)
    return channel


def test_a_disabled_channel_gets_nothing_and_its_incident_ends(receiver: Receiver, later: Later) -> None:
    receiver.answer = refuse
    channel = channel_to(receiver)
    open_incident(now=later(0))
    for seconds in (0, 10, 40):
        notify_at(later(seconds))
    operations.change_channel(channel, active=False, actor=None)
    assert not Incident.objects.ongoing().filter(kind="channel_failing").exists()
    assert results(channel) == [("opened", "skipped")]
    open_incident(about="another", now=later(50))
    notify_at(later(60))
    assert len(receiver.requests) == 3


def test_a_changed_address_gets_the_waiting_messages_at_once(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver)
    Channel.objects.filter(pk=channel.pk).update(address="encrypted with a former key")
    open_incident(now=later(-100))
    notify_at(later(-100))
    channel.refresh_from_db()
    assert channel.last_result.endswith("Enter the address again.")
    assert Incident.objects.filter(kind="channel_failing").exists(), "only a person can mend it"
    operations.change_channel(channel, addresses=[f"json://127.0.0.1:{receiver.port}"], actor=None)
    notifications.notify()
    assert titles(receiver) == [OPENED]


def test_a_service_that_hangs_holds_up_no_other_channel(
    receiver: Receiver, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "SECONDS", 1.0)
    goes_on = Event()

    def hang(handler: BaseHTTPRequestHandler, request: Received) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        while request.path.endswith("hangs") and not goes_on.is_set():
            handler.wfile.write(b"x")  # so that no time-out of a read ends it
            time.sleep(0.05)

    receiver.answer = hang
    hanging = operations.add_channel(
        name="hangs", kind="apprise", addresses=[f"json://127.0.0.1:{receiver.port}/hangs"], actor=None
    )
    operations.add_rule(hanging, actor=None)
    quick = channel_to(receiver)
    open_incident(now=timezone.now())
    begun = time.monotonic()
    sender = notifications.Notifier()
    sender.look()
    while results(quick) != [("opened", "sent")]:
        sender.turn(0.05)
        assert time.monotonic() - begun < 1.0
    while not sender.idle:
        sender.turn(0.05)
        assert time.monotonic() - begun < 20
    message = Notification.objects.get(channel=hanging)
    assert (message.status, message.tries) == ("waiting", 1)
    assert message.result.startswith("No answer within")
    Channel.objects.update(sender="", sender_until=None)
    Notification.objects.update(next_try_at=timezone.now())
    sender.look()
    assert sender.idle, "its first thread still hangs"
    goes_on.set()


def test_a_channel_that_another_deliverer_has_is_left_alone(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver)
    open_incident(now=later(0))
    Channel.objects.filter(pk=channel.pk).update(sender="another", sender_until=later(90))
    notify_at(later(1))
    assert not receiver.requests
    notify_at(later(90))
    assert titles(receiver) == [OPENED]


# --- mails ---------------------------------------------------------------------------------------------


def test_a_mail_has_both_forms_and_a_thread(mail_server: MailServer, later: Later) -> None:
    mail_channel("olga@example.com", "night@example.com")
    incident = open_incident(now=later(0), error="Disk full. Call 7.", detail="No worker has sent a report.")
    notify_at(later(60))
    [mail] = mail_server.mails
    assert mail["Subject"] == f"[Progress Site] {OPENED}"
    assert mail["References"] == f"<incident-{incident.pk}@progress-site>"
    assert mail_server.recipients == [["olga@example.com", "night@example.com"]]
    plain, html = (mail.get_body([kind]).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    for text in (
        "Disk full.",
        "No worker has sent a report.",
        "(60 s ago)",
        "Release leases",
        "https://progress.example.com/admin/",
    ):
        assert text in plain
        assert text in html
    assert "Call 7" not in plain


def test_the_answer_of_a_mail_server_is_kept(mail_server: MailServer, later: Later) -> None:
    mail_server.refuse = f"554 No mail for {SECRET}@example.com"
    channel = mail_channel()
    open_incident(now=later(0))
    notify_at(later(0))
    assert Notification.objects.get(channel=channel).result == "The mail server answered 554: No mail for …"


def test_a_message_of_ntfy_arrives(receiver: Receiver, later: Later) -> None:
    address = f"ntfy://127.0.0.1:{receiver.port}/alerts"
    channel = operations.add_channel(name="ntfy", kind="apprise", addresses=[address], actor=None)
    operations.add_rule(channel, actor=None)
    open_incident(now=later(0))
    notify_at(later(0))
    assert json.loads(receiver.requests[0].body)["title"] == OPENED


def test_a_mail_of_apprise_arrives(mail_server: MailServer, later: Later) -> None:
    address = f"mailto://127.0.0.1:{mail_server.port}/?from=site@example.com&to=olga@example.com&mode=insecure"
    channel = operations.add_channel(name="mailto", kind="apprise", addresses=[address], actor=None)
    operations.add_rule(channel, actor=None)
    open_incident(now=later(0))
    notify_at(later(0))
    assert Notification.objects.get(channel=channel).status == "sent", Notification.objects.get(channel=channel).result
    assert mail_server.mails[0]["Subject"] == OPENED


def test_a_test_message_says_what_the_service_answered(receiver: Receiver) -> None:
    channel = channel_to(receiver)
    assert operations.try_channel(channel, actor=None).sent
    assert titles(receiver) == ["Test message"]
    receiver.answer = refuse
    answer = operations.try_channel(channel, actor=None)
    assert (answer.sent, answer.text) == (False, "The service answered 403: The token … is revoked.")
    assert results(channel) == [("test", "sent"), ("test", "dead")]


def test_messages_are_pruned_with_the_timeline(receiver: Receiver, settings: Any) -> None:
    channel_to(receiver)
    open_incident(now=timezone.now())
    notifications.notify()
    prune(now=timezone.now() + timedelta(days=settings.RETENTION_TIMELINE_DAYS - 1))
    assert Notification.objects.count() == 1
    prune(now=timezone.now() + timedelta(days=settings.RETENTION_TIMELINE_DAYS + 1))
    assert not Notification.objects.exists()
