"""Deliveries to RabbitMQ, and reports in front of a backlog: one order as JSON on stdin, figures as JSON on stdout.

The order has `events` (how many are delivered), `backlog` (how many wait while reports are measured), `reports` and
`rounds`. The answer has `delivered` and `bare` in events a second, and the seconds of each report as `idle` (without
a backlog) and `behind` (with it). Without AMQP_URL both rates are null.
"""

from __future__ import annotations

import json
import logging
import sys
from time import perf_counter
from typing import Any
from uuid import uuid4

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import rabbit  # noqa: E402
from jobs import outbox, tracking  # noqa: E402
from jobs.change import Actor  # noqa: E402
from jobs.db import bulk_sql, event_order  # noqa: E402
from jobs.models import Delivery, Endpoint, Event, Job, Phase  # noqa: E402
from jobs.tracking import NewItem, Result  # noqa: E402

# Above every id that the database generates during the run.
FAR = 1_000_000
BY = Actor(name="bench")
TYPES = ("items.completed", "job.completed")


def backlog(endpoint: Endpoint, *, size: int) -> None:
    """Create a number of waiting events, two for each job."""
    now = timezone.now()
    with transaction.atomic():
        first = FAR + (Job.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)
        jobs = [(first + n, f"job-{first + n}", "generic", now, now, now) for n in range(size // 2)]
        bulk_sql.insert(Job, jobs, fields=("id", "name", "kind", "created_at", "updated_at", "watched_from"))
        places = list(enumerate(event_order.next_ids(size, outward=True)))
        data = {"job_id": "job", "event_id": str(uuid4()), "total_assets": 100, "processed_assets": 100}
        events = [(pk, uuid4(), first + n // 2, TYPES[n % 2], True, now, data) for n, pk in places]
        bulk_sql.insert(Event, events, fields=("id", "event_id", "job", "type", "outward", "at", "data"))
        waiting = [(pk, endpoint.pk, first + n // 2, now, now) for n, pk in places]
        bulk_sql.insert(Delivery, waiting, fields=("event", "endpoint", "job", "next_try_at", "created_at"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def report() -> float:
    """Return the seconds of one report that completes a job, and so writes two events with their deliveries."""
    job = tracking.create_job(name=uuid4().hex, items=[NewItem("k")], by=BY).job
    phase = Phase.objects.select_related("job").get(job=job)
    begun = perf_counter()
    tracking.report(phase, worker="w1", results=[Result("k", "completed")], by=BY)
    return perf_counter() - begun


def reports(endpoint: Endpoint, order: dict[str, Any]) -> dict[str, list[float]]:
    """Return rounds of reports with and without a backlog."""
    times: dict[str, list[float]] = {"idle": [], "behind": []}
    for _ in range(order["rounds"]):
        Delivery.objects.all().delete()
        times["idle"] += [report() for _ in range(order["reports"])]
        backlog(endpoint, size=order["backlog"])
        times["behind"] += [report() for _ in range(order["reports"])]
    Delivery.objects.all().delete()
    return times


def delivered(endpoint: Endpoint, *, events: int) -> float:
    """Return events a second from the database until confirmed and recorded."""
    backlog(endpoint, size=events)
    begun = perf_counter()
    sent = outbox.deliver(limit=events)["sent"]
    if sent != events:
        raise RuntimeError(f"{sent} of {events} were sent; {Delivery.objects.waiting().exclude(error='').first()}")
    return events / (perf_counter() - begun)


def to_broker(*, events: int, rounds: int) -> dict[str, list[float] | None]:
    """Measure the deliverer and bare pika in turn."""
    if not settings.AMQP_URL:
        return {"delivered": None, "bare": None}
    endpoint = Endpoint.objects.create(url="amqp", kind="broker", types=["*"], created_at=timezone.now())
    figures: dict[str, list[float]] = {"delivered": [], "bare": []}
    with rabbit.queue(settings.AMQP_URL):
        for _ in range(rounds):
            figures["bare"].append(events / rabbit.Bare(settings.AMQP_URL, messages=events).seconds())
            figures["delivered"].append(delivered(endpoint, events=events))
    return dict(figures)


def main(order: dict[str, Any]) -> dict[str, Any]:
    """Run the order."""
    logging.getLogger("jobs").setLevel(logging.ERROR)
    webhook = Endpoint.objects.create(url="https://example.com/", types=["*"], created_at=timezone.now())
    times = reports(webhook, order)
    webhook.delete()
    return {**times, **to_broker(events=order["events"], rounds=order["rounds"])}


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
