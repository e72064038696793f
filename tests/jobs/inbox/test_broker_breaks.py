"""A broker that is killed and started again, and consumers that are killed: committed events in are applied once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pika
import pytest
from pika.exceptions import AMQPError

from jobs.inbox.topology import EXCHANGE, QUEUE, declare_consumer
from jobs.models import InboxMessage, Item, Job
from jobs.rules import pipelines
from tests.jobs.inbox.broker import Producer
from tests.jobs.inbox.messages import event, phase
from tests.jobs.outbox.rabbit import Broker, wait_until
from tests.jobs.races.concurrency import assert_whole
from tests.plan import size
from tests.servers import database_url

pytestmark = [pytest.mark.rabbitmq, pytest.mark.django_db(transaction=True)]
EVENTS, KILLS = size(200, full=600), size(2, full=4)
COMMAND = [sys.executable, "manage.py", "consume", "--interval", "0.2"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def broker(own_broker: Broker) -> Broker:
    """A server that may be killed."""
    return own_broker


Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def consume(broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """Start `manage.py consume` on the database of the test; all of them are gone in the end."""
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        declare_consumer(channel, QUEUE, pipelines.inbound_types())
        channel.queue_purge(QUEUE)
    environment = os.environ | {
        "AMQP_URL": broker.url,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "consume.log").open("ab") as out:
            started.append(subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stdout=out, stderr=out))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


class Load(Thread):
    """Publishes one event after the other with confirms, over whatever happens to the broker.

    `confirmed` are the assets whose event the broker has: it was confirmed, or sent again until it was.
    """

    def __init__(self, url: str, *, number: int) -> None:
        super().__init__(daemon=True)
        self._url, self._number = url, number
        self.confirmed: list[str] = []
        self.over = Event()

    def run(self) -> None:
        """Publish all; one that was not confirmed is sent again with the same id."""
        messages = [event("image.embedding.ready", asset_id=f"k{n}") for n in range(self._number)]
        while messages:
            try:
                self._publish(messages)
            except (AMQPError, OSError):
                time.sleep(0.1)
        self.over.set()

    def _publish(self, messages: list[dict[str, dict[str, str]]]) -> None:
        producer = Producer(self._url, exchange=EXCHANGE)
        while messages:
            producer.publish("image.embedding.ready", messages[0])
            self.confirmed.append(messages.pop(0)["data"]["asset_id"])
            time.sleep(0.003)


def taken() -> int:
    """Return the number of items that are done."""
    return Item.objects.filter(status="completed").count()


def assert_applied_once(assets: list[str]) -> None:
    """Check that the confirmed messages were applied, each once, and no others."""
    wait_until(lambda: taken() == len(assets), seconds=60)
    embeddings = assert_whole(Job.objects.get())
    assert set(embeddings.items.values_list("key", flat=True)) == set(assets)
    assert (embeddings.done, embeddings.items_total) == (len(assets), len(assets))
    assert InboxMessage.objects.filter(status="applied", type="image.embedding.ready").count() == len(assets)
    assert not InboxMessage.objects.dead()


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_broker_that_goes_under_load_and_comes_back_loses_and_doubles_nothing(
    broker: Broker, consume: Start, number: signal.Signals
) -> None:
    consumers = [consume(), consume()]
    load = Load(broker.url, number=EVENTS)
    load.start()
    wait_until(lambda: taken() > 20)
    broker.kill(number)
    time.sleep(0.5)
    broker.start()
    load.over.wait(timeout=90)
    assert len(load.confirmed) == EVENTS
    assert_applied_once(load.confirmed)
    assert [process.poll() for process in consumers] == [None, None]


@pytest.mark.full
def test_consumers_that_are_killed_under_load_lose_and_double_nothing(broker: Broker, consume: Start) -> None:
    dice = random.Random(7)
    load = Load(broker.url, number=EVENTS)
    consumers = [consume(), consume()]
    load.start()
    for kill in range(KILLS):
        done = taken()
        wait_until(lambda done=done: taken() > done + 10)
        time.sleep(dice.uniform(0, 0.05))
        consumers[kill % 2].kill()
        consumers[kill % 2] = consume()
    load.over.wait(timeout=90)
    assert_applied_once(load.confirmed)


def test_sigterm_ends_a_consumer_in_good_order(broker: Broker, consume: Start) -> None:
    consumer = consume()
    load = Load(broker.url, number=200)
    load.start()
    wait_until(lambda: taken() > 5)
    consumer.send_signal(signal.SIGTERM)
    assert consumer.wait(timeout=20) == 0
    load.over.wait(timeout=60)
    consume()
    assert_applied_once(load.confirmed)


def test_a_consumer_waits_for_a_broker_that_is_not_there_yet(broker: Broker, consume: Start) -> None:
    broker.kill(signal.SIGTERM)
    consumer = consume()
    time.sleep(1.0)
    broker.start()
    producer = Producer(broker.url, exchange=EXCHANGE)
    producer.publish("products.images.ready.batch", event("products.images.ready.batch", total_images=7))
    wait_until(lambda: Job.objects.exists())
    assert (phase("image.embeddings").expected, consumer.poll()) == (7, None)
    producer.close()
