"""Messages to RabbitMQ: confirmed, persistent, routed by type; what no queue wants is kept."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import pytest
from django.conf import settings as given
from django.utils import timezone
from pika.exceptions import ChannelClosedByBroker
from structlog.testing import capture_logs

from jobs import outbox
from jobs.management.deliverer_loop import deliverer_thread
from jobs.models import Delivery, Event
from jobs.outbox import broker, delivery_run
from jobs.outbox.routing import wants
from tests.factories import make_job
from tests.jobs.outbox.conftest import make_endpoint
from tests.jobs.outbox.rabbit import Queue
from tests.servers import free_port

pytestmark = [pytest.mark.django_db]
rabbitmq = pytest.mark.rabbitmq


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """Queue of an exchange of the test's own: other processes publish to the common one at the same time."""
    exchange = f"test.{uuid4().hex}"
    monkeypatch.setattr(broker, "EXCHANGE", exchange)
    made = Queue(given.AMQP_URL, exchange=exchange)
    yield made
    made.remove(exchange=exchange)


@rabbitmq
def test_events_are_published_by_type_persistent_and_in_order(queue: Queue) -> None:
    make_endpoint("amqp", kind="broker")
    make_job(items=1, done=1)
    assert outbox.deliver() == {"sent": 2, "retried": 0, "dead": 0}
    taken = queue.take()
    assert [row[0] for row in taken] == ["items.completed", "job.completed"]
    for (_, properties, body), event in zip(taken, Event.objects.outward().order_by("pk"), strict=True):
        assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
        assert properties.message_id == body["event_id"] == str(event.event_id)
        assert properties.type == body["type"] == event.type
        assert body["data"] == event.data


TYPES = ["items.completed", "video.embeddings.completed", "video.embeddings.failed", "job.completed", "job.stuck"]


@rabbitmq
@pytest.mark.parametrize(
    ("pattern", "binding", "taken"),
    [
        ("*", "#", TYPES),
        ("*.completed", "#.completed", ["items.completed", "video.embeddings.completed", "job.completed"]),
        ("video.*", "video.#", ["video.embeddings.completed", "video.embeddings.failed"]),
        ("job.*", "job.*", ["job.completed", "job.stuck"]),
        ("items.completed", "items.completed", ["items.completed"]),
    ],
)
def test_a_pattern_of_an_endpoint_and_its_binding_take_the_same_types(
    pattern: str, binding: str, taken: list[str]
) -> None:
    exchange = f"test.{uuid4().hex}"
    bound = Queue(given.AMQP_URL, exchange=exchange, binding=binding)
    bound._channel.confirm_delivery()
    for name in TYPES:
        bound._channel.basic_publish(exchange, name, b"{}")
    received = [row[0] for row in bound.take()]
    bound.remove(exchange=exchange)
    matched = [name for name in TYPES if wants([pattern], project="", event=Event(type=name))]
    assert matched == received == taken


@rabbitmq
def test_the_exchange_exists_from_the_start_of_a_deliverer(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = f"test.{uuid4().hex}"
    monkeypatch.setattr(broker, "EXCHANGE", exchange)
    deliverer = deliverer_thread()
    deliverer.start()
    until = time.monotonic() + 20
    while not exists(exchange):
        assert time.monotonic() < until
    assert deliverer.stop(timeout=20)
    Queue(given.AMQP_URL, exchange=exchange).remove(exchange=exchange)


def exists(exchange: str) -> bool:
    """Return whether the broker has this exchange."""
    connection = pika.BlockingConnection(pika.URLParameters(given.AMQP_URL))
    try:
        connection.channel().exchange_declare(exchange, passive=True)
    except ChannelClosedByBroker:
        return False
    finally:
        if connection.is_open:
            connection.close()
    return True


def test_a_broker_that_is_away_stops_no_deliverer(settings: Any) -> None:
    settings.AMQP_URL = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    with capture_logs() as lines:
        outbox.declare_exchange()
    assert [line["event"] for line in lines] == ["exchange_not_declared"]


@rabbitmq
def test_a_broker_gets_cloudevents_too(queue: Queue) -> None:
    make_endpoint("amqp", kind="broker", format="cloudevents")
    make_job(items=1, done=1)
    outbox.deliver()
    for key, properties, body in queue.take():
        assert properties.content_type == "application/cloudevents+json"
        assert (body["specversion"], body["type"], body["data"]["type"]) == ("1.0", key, key)


@rabbitmq
def test_many_jobs_events_leave_in_few_waves_and_all_arrive(queue: Queue) -> None:
    make_endpoint("amqp", kind="broker")
    jobs = [make_job(items=1, done=1).name for _ in range(40)]
    assert outbox.deliver()["sent"] == 80
    received = [(row[2].get("job_id"), row[0]) for row in queue.take()]
    for name in jobs:
        assert [each for job, each in received if job == name] == ["items.completed", "job.completed"]


@rabbitmq
def test_what_no_queue_wants_is_kept_with_its_sentence_and_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = f"test.{uuid4().hex}"
    monkeypatch.setattr(broker, "EXCHANGE", exchange)
    make_endpoint("amqp", kind="broker", types=["job.*"])
    make_job(items=1, done=1)
    assert outbox.deliver()["retried"] == 1
    delivery = Delivery.objects.get()
    assert delivery.error == f"No queue is bound to {exchange} for job.completed."
    assert (delivery.status, delivery.tries) == ("waiting", 1)
    bound = Queue(given.AMQP_URL, binding="job.*", exchange=exchange)
    assert outbox.deliver(timezone.now() + timedelta(seconds=6))["sent"] == 1
    assert [row[0] for row in bound.take()] == ["job.completed"]
    bound.remove(exchange=exchange)


@rabbitmq
def test_one_connection_serves_several_waves(queue: Queue) -> None:
    sender = broker.BrokerSender()
    messages = [outbox.messages.Message(event_id=f"{n}", type="t.x", body=b"{}") for n in range(5)]
    endpoint = make_endpoint("amqp", kind="broker")
    assert [outcome.sent for outcome in sender.send(endpoint, messages)] == [True] * 5
    assert [outcome.sent for outcome in sender.send(endpoint, messages)] == [True] * 5
    sender.close()
    assert len([row for row in queue.take() if row[0] == "t.x"]) == 10


@rabbitmq
def test_a_closed_sender_leaves_no_socket_behind(queue: Queue) -> None:
    def sockets() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = sockets()
    gc.disable()  # the objects of a connection refer to each other
    try:
        for _ in range(3):
            sender = broker.BrokerSender()
            assert sender.declare() == ""
            sender.close()
        assert sockets() == before
    finally:
        gc.enable()


@rabbitmq
def test_an_old_connection_that_broke_is_replaced_at_once(queue: Queue) -> None:
    sender, endpoint = broker.BrokerSender(), make_endpoint("amqp", kind="broker")
    message = outbox.messages.Message(event_id="1", type="t.y", body=b"{}")
    assert sender.send(endpoint, [message])[0].sent
    sender._connection._transport._sock.shutdown(2)
    assert sender.send(endpoint, [message])[0].sent
    sender.close()


def test_a_broker_that_is_away_uses_up_no_tries_and_is_asked_often(settings: Any) -> None:
    settings.AMQP_URL = f"amqp://guest:guest@127.0.0.1:{free_port()}/"
    make_endpoint("amqp", kind="broker", types=["job.*"])
    make_job(items=1, done=1)
    now = timezone.now()
    for _ in range(12):
        assert outbox.deliver(now) == {"sent": 0, "retried": 1, "dead": 0}
        delivery = Delivery.objects.get()
        assert delivery.error.startswith("The broker cannot be reached")
        assert delivery.next_try_at - now <= timedelta(seconds=33)
        now = delivery.next_try_at


def test_without_a_broker_or_its_package_the_delivery_says_so(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AMQP_URL = ""
    make_endpoint("amqp", kind="broker", types=["job.*"])
    make_job(items=1, done=1)
    outbox.deliver()
    assert Delivery.objects.get().error == "AMQP_URL is not set."
    settings.AMQP_URL = "amqp://127.0.0.1/"
    monkeypatch.setattr(delivery_run, "BROKER_SENDER", "no_such_package.BrokerSender")
    outbox.deliver(timezone.now() + timedelta(seconds=40))
    assert "requirements-scale.txt" in Delivery.objects.get().error
