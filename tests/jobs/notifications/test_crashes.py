"""Deliverers as processes: killed between the opening and the sending, and two at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import notifications
from jobs.models import Channel, Notification
from tests.factories import make_job
from tests.jobs.notifications.conftest import channel_to, open_incident, titles
from tests.jobs.outbox.conftest import Receiver
from tests.jobs.outbox.test_crashes import environment
from tests.servers import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

SETUP = """
import os, signal, django
django.setup()
from django.conf import settings
settings.WEBHOOK_ALLOW_PRIVATE = True
"""
DELIVERS = f"{SETUP}from django.core.management import call_command; call_command('deliver', interval=0.1)"
DIES = """
from jobs import notifications
from jobs.notifications import results, sending

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

{patch} = die
notifications.notify()
"""


@pytest.mark.parametrize(("patch", "copies"), [("sending.send", 1), ("results.record", 2)])
def test_a_deliverer_that_is_killed_loses_nothing(receiver: Receiver, patch: str, copies: int) -> None:
    """Killed after the sending and before the record, it sends one message twice."""
    channel_to(receiver)
    open_incident()
    program = SETUP + DIES.format(patch=patch)
    killed = subprocess.run([sys.executable, "-c", program], env=environment(), cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert Notification.objects.get().status == "waiting"
    assert len(receiver.requests) == copies - 1
    notifications.notify()
    assert len(receiver.requests) == copies - 1, "the lease of the dead one holds"
    Channel.objects.update(sender_until=timezone.now() - timedelta(seconds=1))
    notifications.notify()
    assert len(receiver.requests) == copies
    assert Notification.objects.get().status == "sent"


def test_two_deliverers_send_each_message_once(receiver: Receiver) -> None:
    """The digest of a channel is left out: eight channels with eight incidents each."""
    job = make_job(items=1)
    for number in range(8):
        channel_to(receiver, name=f"channel {number}")
    for number in range(8):
        open_incident(job, about=f"cause {number}", title=f"Cause {number}")
    command = [sys.executable, "-c", DELIVERS]
    running = [subprocess.Popen(command, env=environment(), cwd=ROOT) for _ in range(2)]
    until = time.monotonic() + 90
    while Notification.objects.waiting().exists() and time.monotonic() < until:
        time.sleep(0.1)
    for process in running:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(timeout=40) for process in running] == [0, 0]
    assert Counter(titles(receiver)) == {f"Cause {number} (1 job)": 8 for number in range(8)}
    assert set(Notification.objects.values_list("status", flat=True)) == {"sent"}
