"""Real processes and a real broker that are killed in the middle: nothing lost, nothing made up."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from jobs import outbox
from jobs.models import Delivery, Endpoint, Event
from tests.factories import make_job
from tests.jobs.outbox.conftest import Receiver, make_endpoint
from tests.jobs.outbox.rabbit import Broker, Queue, wait_until
from tests.servers import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)

DIES = """
import os, signal, django
django.setup()
from jobs import outbox
from jobs.outbox import delivery_run

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

{patch}
outbox.deliver()
"""
BEFORE_SENDING = "delivery_run.WebhookSender.send = die"
BEFORE_THE_MARK = "delivery_run.results.mark = die"
DURING_THE_MARK = """
from jobs.db import bulk_sql
update = bulk_sql.update
bulk_sql.update = lambda model, values, **kwargs: update(model, values, **kwargs) and die() if values else []
"""


def environment(**more: str) -> dict[str, str]:
    own = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    return os.environ | own | {"DEBUG": "", **more}


def run(patch: str) -> int:
    """A process that makes one pass and dies at that place; its exit code."""
    program = DIES.format(patch=patch)
    local = "from django.conf import settings; settings.DEBUG = settings.WEBHOOK_ALLOW_PRIVATE = True\n"
    program = program.replace("django.setup()\n", f"django.setup()\n{local}")
    return subprocess.run([sys.executable, "-c", program], env=environment(), cwd=ROOT, check=False).returncode


def survivors_turn() -> None:
    """The time for which the dead one held its endpoint is over."""
    assert Endpoint.objects.filter(sender_until__gt=timezone.now()).exists()
    Endpoint.objects.update(sender_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(("patch", "copies"), [(BEFORE_SENDING, 1), (BEFORE_THE_MARK, 2), (DURING_THE_MARK, 2)])
def test_a_deliverer_that_is_killed_loses_nothing(receiver: Receiver, patch: str, copies: int) -> None:
    make_endpoint(receiver.url, types=["job.*"])
    make_job(items=1, done=1)
    assert run(patch) == -signal.SIGKILL
    assert Delivery.objects.get().status == "waiting"
    assert len(receiver.requests) == copies - 1
    outbox.deliver()
    assert Delivery.objects.get().status == "waiting"
    survivors_turn()
    outbox.deliver()
    assert Delivery.objects.get().status == "sent"
    assert receiver.ids == [str(Event.objects.get(type="job.completed").event_id)] * copies
    assert len({request.body for request in receiver.requests}) == 1


class Deliverers:
    """Processes of `manage.py deliver`."""

    def __init__(self, **more: str) -> None:
        self._environment = environment(**more)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        command = [sys.executable, "manage.py", "deliver", "--interval", "0.1"]
        self._running.append(subprocess.Popen(command, env=self._environment, cwd=ROOT))

    def kill(self) -> None:
        """Kill the oldest, and take its endpoints from it as time would."""
        process = self._running.pop(0)
        process.kill()
        process.wait()
        Endpoint.objects.update(sender_until=timezone.now() - timedelta(seconds=1))

    def end(self) -> None:
        """Ask all to end; they do so in good order."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            assert process.wait(timeout=40) == 0


class Load:
    """Jobs that complete one after the other in a thread; every fifth transaction is rolled back."""

    def __init__(self) -> None:
        self._stop = Flag()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            with transaction.atomic():
                make_job(items=1, done=1, name=f"load-{number}")
                transaction.set_rollback(number % 5 == 0)
            time.sleep(0.01)
        connections.close_all()


@pytest.mark.rabbitmq
def test_what_was_committed_is_received_though_broker_and_deliverers_are_killed(own_broker: Broker) -> None:
    dice = random.Random(7)
    make_endpoint("amqp", kind="broker")
    queue = Queue(own_broker.url)
    queue.leave()
    deliverers = Deliverers(AMQP_URL=own_broker.url)
    for _ in range(2):
        deliverers.start()
    load = Load()
    for number in (signal.SIGKILL, signal.SIGTERM):
        time.sleep(dice.uniform(1, 2))
        deliverers.kill()
        deliverers.start()
        time.sleep(dice.uniform(1, 2))
        own_broker.kill(number)
        own_broker.start()
    load.end()
    wait_until(lambda: hurry() == 0)
    deliverers.end()
    assert_received(own_broker, queue)


def hurry() -> int:
    """Make the waiting deliveries due now, except those that are being marked; return the number of waiting ones."""
    with transaction.atomic():
        waiting = Delivery.objects.waiting().select_for_update(skip_locked=True).values_list("pk", flat=True)
        Delivery.objects.filter(pk__in=list(waiting)).update(next_try_at=timezone.now())
    return Delivery.objects.waiting().count()


def assert_received(broker: Broker, queue: Queue) -> None:
    reader = Queue(broker.url, binding="none")
    reader.name = queue.name
    received: list[tuple[str, Any, dict[str, Any]]] = reader.take()
    copies = Counter(body["event_id"] for _, _, body in received)
    committed = {str(event_id) for event_id in Event.objects.outward().values_list("event_id", flat=True)}
    assert len(committed) > 100
    assert set(copies) == committed
    firsts: dict[str, list[str]] = {}
    for name, _, body in received:
        seen = firsts.setdefault(body["job_id"], [])
        if name not in seen:
            seen.append(name)
    assert {tuple(order) for order in firsts.values()} == {("items.completed", "job.completed")}
    reader.leave()
