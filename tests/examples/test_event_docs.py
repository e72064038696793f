"""The blocks of docs/events.md do what the page says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pika
import pytest
from django.conf import settings
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.inbox.topology import dead_queue
from tests.examples.document_blocks import block, run, running
from tests.examples.site import Site, eventually, serving
from tests.examples.test_listener import complete

QUEUE = "q.my_service"
FEED, LISTENER = "docs/events.md#The feed", "docs/events.md#A listener"
WEBHOOK, BROKER = "docs/events.md#Webhooks", "docs/events.md#RabbitMQ"
SIGNATURE = "docs/events.md#Verify a signature"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as running_site:
        yield running_site


def test_the_feed_is_read_and_followed(site: Site) -> None:
    complete(site, "before")
    with running(site, FEED) as output:
        eventually(lambda: output.read_text().count("data: ") == 2, what="the events so far")
        complete(site, "after")
        eventually(lambda: output.read_text().count("data: ") == 4, what="the new events")
        page = json.loads(output.read_text().partition("\n")[0])
    assert [event["job_id"] for event in page["results"]] == ["before"] * 2


def test_the_listener_prints_completions(site: Site) -> None:
    complete(site, "one")
    with running(site, LISTENER) as output:
        eventually(lambda: output.read_text().count("one: ") == 2, what="the completions")


def test_the_webhook_is_added_and_its_secret_is_shown(site: Site) -> None:
    with running(site, WEBHOOK) as output:
        eventually(lambda: output.read_text().endswith("}\n"), what="the endpoint")
        added = json.loads(output.read_text())
    assert (added["url"], added["types"]) == ("https://matcher.example.com/events", ["*.completed"])
    assert added["secret"].startswith("whsec_")


def test_a_channel_is_added_and_its_address_is_masked(site: Site, tmp_path: Path) -> None:
    added, found = map(json.loads, run("docs/notifications.md#REST", site=site, folder=tmp_path).splitlines())
    assert added["address"] == "ntfys://…"
    assert found["results"] == [added]


def test_a_signature_is_verified() -> None:
    names: dict[str, object] = {}
    exec(block(SIGNATURE), names)
    receive, secret, body = names["receive"], "whsec_c2VjcmV0c2VjcmV0c2VjcmV0", '{"type": "job.completed"}'
    now = datetime.now(tz=UTC)
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("1", now, body),
    }
    assert receive(body.encode(), headers, secret) == {"type": "job.completed"}  # type: ignore[operator]
    with pytest.raises(WebhookVerificationError):
        receive(b"{}", headers, secret)  # type: ignore[operator]


@pytest.mark.rabbitmq
def test_the_listener_prints_completions_from_the_broker(site: Site) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(settings.AMQP_URL))
    channel = connection.channel()
    try:
        with running(site, WEBHOOK, BROKER, amqp=settings.AMQP_URL) as output:
            eventually(lambda: _is_there(connection), what="the queue of the listener")
            complete(site, "sent-by-the-broker")
            eventually(lambda: output.read_text().count("sent-by-the-broker: ") == 2, what="the completions")
    finally:
        channel.queue_delete(QUEUE)
        channel.queue_delete(dead_queue(QUEUE))
        connection.close()


def _is_there(connection: pika.BlockingConnection) -> bool:
    """Does the queue have a consumer? A declaration of a missing queue closes its channel, so each has a new one."""
    channel = connection.channel()
    try:
        found = channel.queue_declare(QUEUE, passive=True).method.consumer_count > 0
    except pika.exceptions.ChannelClosedByBroker:
        return False
    channel.close()
    return bool(found)
