"""The life of a message: opened, reminded, over; digests, quiet hours, failing channels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobs.incidents.lifecycle import RECOVERED, end
from jobs.models import Channel, Incident, Notification
from tests.jobs.notifications.conftest import (
    Later,
    MailServer,
    bodies,
    channel_to,
    mail_channel,
    notify_at,
    open_incident,
    results,
    titles,
)
from tests.jobs.outbox.conftest import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_message_when_it_opens_and_one_when_it_is_over(receiver: Receiver, later: Later) -> None:
    channel = channel_to(receiver)
    incident = open_incident(now=later(0))
    assert notify_at(later(1)) == {"sent": 1, "failed": 0}
    assert notify_at(later(2)) == {"sent": 0, "failed": 0}
    end(incident, by=RECOVERED, now=later(60))
    notify_at(later(61))
    assert titles(receiver) == ["generic jobs are silent (1 job)", "Over: generic jobs are silent (1 job)"]
    assert results(channel) == [("opened", "sent"), ("ended", "sent")]


def test_what_is_over_before_it_was_sent_is_never_sent(receiver: Receiver, later: Later) -> None:
    channel_to(receiver, minimum_age=600)
    incident = open_incident(now=later(0))
    notify_at(later(599))
    end(incident, by=RECOVERED, now=later(599))
    notify_at(later(700))
    assert not receiver.requests
    assert results() == [("opened", "skipped"), ("ended", "skipped")]
