"""Reading from a real RabbitMQ: taken once, buried with the reason, and two services that never share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest
from django.conf import settings as given
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import override_settings

from jobs.inbox import consumer
from jobs.inbox.consumer import Consumer
from jobs.inbox.topology import DELIVERY_LIMIT, dead_queue
from jobs.models import InboxMessage, Job, RowFailure
from jobs.rules import pipelines
from tests.jobs.inbox.broker import Producer
from tests.jobs.inbox.messages import event, job, phase
from tests.jobs.outbox.rabbit import wait_until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def producer() -> Iterator[Producer]:
    """A producer with an exchange and a queue of its own."""
    made = Producer(given.AMQP_URL)
    Consumer(given.AMQP_URL, Event(), exchange=made.exchange, queue=made.queue).drain()
    yield made
    made.close()


@pytest.fixture
def drain(producer: Producer) -> Callable[[], int]:
    """Take what waits for this site."""
    return Consumer(given.AMQP_URL, Event(), exchange=producer.exchange, queue=producer.queue).drain


def letters() -> list[tuple[str, str]]:
    """Type and reason of the dead letters, oldest first."""
    return list(InboxMessage.objects.dead().order_by("pk").values_list("type", "reason"))


def test_a_message_is_an_event_or_its_data_alone(producer: Producer, drain: Callable[[], int]) -> None:
    producer.tell("products.images.ready.batch", total_images=3)
    producer.publish("image.embedding.ready", event("image.embedding.ready", asset_id="a")["data"])
    producer.publish("image.embedding.ready", {**event("image.embedding.ready", asset_id="b"), "occurred_at": "now"})
    assert drain() == 3
    assert (phase("image.embeddings").expected, phase("image.embeddings").done) == (3, 2)
    assert not letters()
    assert InboxMessage.objects.filter(source="broker", status="applied").count() == 3
    assert job().events.filter(actor="broker").exists()


def test_what_was_delivered_twice_counts_once(producer: Producer, drain: Callable[[], int]) -> None:
    body = event("image.embedding.ready", asset_id="a")
    for _ in range(3):
        producer.publish("image.embedding.ready", body)
    assert drain() == 3
    assert (phase("image.embeddings").done, letters()) == (1, [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{nope", "The body is not JSON"),
        (b"\xff\xfe\x00", "The body is not UTF-8"),
        (b"[]", "The body must be a JSON object"),
        (b'{"job_id": "a\\u0000", "image_id": "b"}', "NUL"),
        (b'{"job_id": "a", "image_id": "\\ud800"}', "surrogate"),
        (b'{"job_id": "a", "image_id": "b", "n": 99999999999999999999}', "2^53"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "deeper than 32"),
        (b'{"job_id": "a", "image_id": "b", "x": "' + b"x" * 1_100_000 + b'"}', "larger than 1 MiB"),
        (b'{"job_id": "a"}', "data.image_id: This field is required."),
        (b'{"type": "no.such", "data": {}}', "type: There is no inbound event of type 'no.such'"),
    ],
)
def test_poison_is_buried_with_the_reason_and_not_requeued(
    producer: Producer, drain: Callable[[], int], body: bytes, reason: str
) -> None:
    producer.publish("products.image.ready", body)
    producer.publish("products.image.ready", body)
    assert (drain(), drain()) == (2, 0)
    [(name, why)] = letters()
    assert reason in why
    assert name in ("products.image.ready", "no.such")
    assert not Job.objects.exists()


def test_poison_does_not_hold_up_what_comes_behind_it(producer: Producer, drain: Callable[[], int]) -> None:
    producer.publish("products.images.ready.batch", b"{")
    producer.tell("products.images.ready.batch", total_images=0)
    drain()
    assert job().status == "completed"


def test_only_inbound_types_come_to_this_site(producer: Producer, drain: Callable[[], int]) -> None:
    everything = producer.declare("everything", "#")
    producer.publish("video.embeddings.completed", {"a": 1})
    assert (drain(), len(producer.take(everything))) == (0, 1)


def test_two_services_never_take_from_each_other(producer: Producer, drain: Callable[[], int]) -> None:
    batches = producer.declare("vision_embedding.keyframes.batch", "videos.keyframes.ready.batch")
    masked = producer.declare("vision_keypoint.keyframes.batch", "*.keyframes.*.batch", "*.keyframes.ready.batch")
    producer.tell("videos.keyframes.ready.batch", total_keyframes=0)
    assert drain() == 1
    assert [len(producer.take(queue)) for queue in (batches, masked)] == [1, 1]
    assert job().status == "completed"


def test_queues_are_durable_quorum_queues_and_may_be_declared_again(producer: Producer) -> None:
    for _ in range(2):
        name = producer.declare("again", *pipelines.inbound_types())
    assert producer.waiting(name) == producer.waiting(dead_queue(name)) == 0


def test_what_was_delivered_too_often_is_buried_with_that_reason(producer: Producer, drain: Callable[[], int]) -> None:
    body = event("image.embedding.ready", asset_id="a")
    producer.publish("image.embedding.ready", body["data"])
    for _ in range(DELIVERY_LIMIT + 1):
        method, _, _ = producer.channel.basic_get(producer.queue)
        producer.channel.basic_nack(method.delivery_tag, requeue=True)
    wait_until(lambda: producer.waiting(dead_queue(producer.queue)) == 1, seconds=20)
    assert drain() == 1
    reason = f"It was delivered {DELIVERY_LIMIT} times without being acknowledged."
    assert letters() == [("image.embedding.ready", reason)]
    assert InboxMessage.objects.dead().get().payload == body


def test_one_that_is_rejected_by_hand_is_a_dead_letter_too(producer: Producer, drain: Callable[[], int]) -> None:
    producer.publish("image.embedding.ready", b"\x00")
    method, _, _ = producer.channel.basic_get(producer.queue)
    producer.channel.basic_nack(method.delivery_tag, requeue=False)
    wait_until(lambda: producer.waiting(dead_queue(producer.queue)) == 1, seconds=20)
    drain()
    [(name, why)] = letters()
    assert name == "image.embedding.ready"
    assert why.startswith("The broker rejected it.")


def test_a_consumer_that_stops_leaves_the_rest_in_the_queue(producer: Producer) -> None:
    stop = Event()
    for number in range(5):
        producer.tell("image.embedding.ready", asset_id=f"k{number}")
    stop.set()
    Consumer(given.AMQP_URL, stop, exchange=producer.exchange, queue=producer.queue).run(interval=0.1)
    assert producer.waiting(producer.queue) == 5
    assert not Job.objects.exists()


def test_a_database_that_does_not_take_it_costs_no_message(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "RETRY_AFTER", (0.05,))
    stop = Event()
    producer.tell("image.embedding.ready", asset_id="a")
    rename("jobs_job", to="jobs_job_away")
    try:
        thread = Thread(target=run, args=[Consumer(given.AMQP_URL, stop, producer.exchange, producer.queue)])
        thread.start()
        thread.join(timeout=1.5)
        assert thread.is_alive()
    finally:
        rename("jobs_job_away", to="jobs_job")
    wait_until(lambda: Job.objects.filter(name="batch", phases__done=1).exists(), seconds=20)
    stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert (phase("image.embeddings").done, letters(), producer.waiting(producer.queue)) == (1, [], 0)


def test_a_message_that_the_database_refuses_is_set_aside_and_stops_no_other(
    producer: Producer, drain: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "RETRY_AFTER", ())
    monkeypatch.setattr(consumer, "FAULT_SECONDS", 0.0)
    failures: list[bytes] = []

    def receive(body: bytes, **given: Any) -> None:
        if b"poisoned" in body and len(failures) < 3:
            failures.append(body)
            raise OperationalError("this row alone")
        real(body, **given)

    real = consumer.receive
    monkeypatch.setattr(consumer, "receive", receive)
    producer.tell("image.embedding.ready", asset_id="poisoned")
    producer.tell("image.embedding.ready", asset_id="b")
    drain()
    assert (phase("image.embeddings").done, len(failures), letters()) == (2, 3, [])
    assert RowFailure.objects.get(step="consume").number == 3


def rename(table: str, *, to: str) -> None:
    """Put a table out of reach, or back: to SQLite that is a fault of operation, to PostgreSQL one of the program."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {to}")


def run(consumer: Consumer) -> None:
    """In a thread, whose connection is closed in the end."""
    try:
        consumer.run(interval=0.1)
    finally:
        connection.close()


def test_without_a_broker_the_command_says_so() -> None:
    with override_settings(AMQP_URL=""), pytest.raises(CommandError, match="Set AMQP_URL"):
        call_command("consume", "--once")
    with (
        override_settings(AMQP_URL="amqp://127.0.0.1:1/"),
        pytest.raises(CommandError, match="Reading the queue failed"),
    ):
        call_command("consume", "--once")


def test_data_alone_is_kept_with_its_type(producer: Producer, drain: Callable[[], int]) -> None:
    producer.publish("products.image.ready", {"image_id": "a"})
    drain()
    assert InboxMessage.objects.dead().get().payload == {"type": "products.image.ready", "data": {"image_id": "a"}}
