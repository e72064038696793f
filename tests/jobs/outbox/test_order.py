"""In order per job at each endpoint, retried with growing waits, dead after the last."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import operations, outbox
from jobs.models import Delivery, Endpoint, Job, sender_leases
from jobs.outbox import endpoint_leases, results
from jobs.outbox.results import RETRY_AFTER
from tests.factories import make_job
from tests.jobs.outbox.conftest import Receiver, make_endpoint, reply

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local")]


def later(**length: float) -> datetime:
    return timezone.now() + timedelta(**length)


def received(receiver: Receiver) -> list[tuple[str, str]]:
    bodies = [json.loads(request.body) for request in receiver.requests]
    return [(body["job_id"], body["type"]) for body in bodies]


def test_a_jobs_events_arrive_in_their_order(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    jobs = [make_job(items=1, done=1) for _ in range(5)]
    assert outbox.deliver() == {"sent": 10, "retried": 0, "dead": 0}
    for job in jobs:
        assert [each for name, each in received(receiver) if name == job.name] == ["items.completed", "job.completed"]
    assert set(Delivery.objects.values_list("status", "response_status", "error")) == {("sent", 204, "")}
    assert outbox.deliver() == {"sent": 0, "retried": 0, "dead": 0}
    assert len(receiver.requests) == 10


def test_a_failing_delivery_holds_back_the_later_ones_of_its_job_at_its_endpoint_only(receiver: Receiver) -> None:
    bad, good = make_endpoint(receiver.url), make_endpoint(receiver.url.replace("hook", "other"))
    stopped, other = make_job(items=1, done=1), make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(
        handler, 500 if request.path == "/hook" and stopped.name in request.body.decode() else 204
    )
    assert outbox.deliver() == {"sent": 6, "retried": 1, "dead": 0}
    waiting = Delivery.objects.waiting()
    assert set(waiting.values_list("job", "endpoint")) == {(stopped.pk, bad.pk)}
    assert waiting.count() == 2
    assert not waiting.filter(job=other).exists()
    assert good.deliveries.filter(status="sent").count() == 4
    receiver.answer = lambda handler, request: reply(handler, 204)
    assert outbox.deliver()["sent"] == 0
    assert outbox.deliver(later(seconds=6))["sent"] == 2
    assert received(receiver)[-2:] == [(stopped.name, "items.completed"), (stopped.name, "job.completed")]


def test_what_is_held_back_is_put_off_until_the_try_that_it_waits_for(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 503)
    outbox.deliver()
    outbox.deliver()
    tries = Delivery.objects.order_by("event_id").values_list("tries", "next_try_at")
    assert [row[0] for row in tries] == [1, 0]
    assert len({row[1] for row in tries}) == 1
    assert endpoint_leases.endpoints_due(timezone.now()) == []
    assert len(receiver.requests) == 1


def test_tries_follow_with_growing_waits_and_end_after_the_last(receiver: Receiver) -> None:
    make_endpoint(receiver.url, types=["job.*"])
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 500, b"no room\n")
    now = timezone.now()
    for failures, seconds in enumerate(RETRY_AFTER, 1):
        assert outbox.deliver(now) == {"sent": 0, "retried": 1, "dead": 0}
        delivery = Delivery.objects.get()
        wait = (delivery.next_try_at - now).total_seconds()
        assert (delivery.tries, delivery.status, delivery.response_status) == (failures, "waiting", 500)
        assert 0.9 * seconds <= wait <= 1.1 * seconds
        assert outbox.deliver(delivery.next_try_at - timedelta(seconds=0.01))["retried"] == 0
        now = delivery.next_try_at
    assert outbox.deliver(now) == {"sent": 0, "retried": 0, "dead": 1}
    assert outbox.deliver(now + timedelta(days=9)) == {"sent": 0, "retried": 0, "dead": 0}
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("dead", "The endpoint answered 500: no room")
    assert len(set(receiver.ids)) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len(receiver.requests) == len(RETRY_AFTER) + 1


def test_the_waits_vary_so_that_not_all_come_back_at_once(receiver: Receiver) -> None:
    make_endpoint(receiver.url, types=["job.*"])
    for _ in range(8):
        make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 500)
    now = timezone.now()
    outbox.deliver(now)
    assert len(set(Delivery.objects.values_list("next_try_at", flat=True))) == 8


def test_a_dead_delivery_holds_back_nothing(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 500 if b'"items.completed"' in request.body else 204)
    Delivery.objects.filter(event__type="items.completed").update(tries=len(RETRY_AFTER))
    assert outbox.deliver() == {"sent": 1, "retried": 0, "dead": 1}
    statuses = Delivery.objects.order_by("event_id").values_list("status", flat=True)
    assert list(statuses) == ["dead", "sent"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_a_refusal_for_good_is_dead_at_once_and_holds_back_nothing(receiver: Receiver, status: int) -> None:
    endpoint = make_endpoint(receiver.url)
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, status if b'"items.completed"' in request.body else 204)
    assert outbox.deliver() == {"sent": 1, "retried": 0, "dead": 1}
    dead, sent = Delivery.objects.order_by("event_id")
    assert (dead.status, dead.tries, dead.response_status) == ("dead", 1, status)
    assert sent.status == "sent"
    endpoint.refresh_from_db()
    assert endpoint.active
    receiver.answer = lambda handler, request: reply(handler, 204)
    operations.replay(dead.event, actor=None)
    assert outbox.deliver()["sent"] == 1


@pytest.mark.parametrize("status", [301, 408, 425, 429, 500, 501, 503])
def test_what_may_be_answered_otherwise_later_is_tried_again(receiver: Receiver, status: int) -> None:
    make_endpoint(receiver.url)
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, status)
    assert outbox.deliver() == {"sent": 0, "retried": 1, "dead": 0}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (lambda now: "90", 90),
        (lambda now: format_datetime(now + timedelta(seconds=90), usegmt=True), 90),
        (lambda now: "999999999999", 3600),
        (lambda now: format_datetime(now + timedelta(days=9), usegmt=True), 3600),
        (lambda now: format_datetime(now - timedelta(days=9), usegmt=True), 5),
        (lambda now: "1", 5),
        (lambda now: "-5", 5),
        (lambda now: "soon", 5),
        (lambda now: "Wed, 99 Foo 2026", 5),
        (lambda now: "Wed, 99999999999999999999 Nov 2026 10:10:10 GMT", 5),
        (lambda now: "\u00b2", 5),
    ],
)
def test_retry_after_puts_the_next_try_off(receiver: Receiver, header: Callable[[datetime], str], seconds: int) -> None:
    make_endpoint(receiver.url, types=["job.*"])
    make_job(items=1, done=1)
    now = timezone.now()
    receiver.answer = lambda handler, request: reply(handler, 429, **{"Retry-After": header(now)})
    assert outbox.deliver(now)["retried"] == 1
    wait = (Delivery.objects.get().next_try_at - now).total_seconds()
    assert 0.9 * seconds - 1 <= wait <= 1.1 * seconds


def test_an_endpoint_that_asks_for_a_pause_gets_one_for_all_of_its_deliveries(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url, types=["job.*"])
    for _ in range(30):
        make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 503, **{"Retry-After": "60"})
    assert outbox.deliver()["retried"] == 4
    assert outbox.deliver(later(seconds=50)) == {"sent": 0, "retried": 0, "dead": 0}
    assert outbox.Lane(endpoint).run() == {}
    receiver.answer = lambda handler, request: reply(handler, 204)
    assert outbox.deliver(later(seconds=70))["sent"] == 30


def test_a_replay_ends_the_pause(receiver: Receiver) -> None:
    make_endpoint(receiver.url, types=["job.*"])
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 503, **{"Retry-After": "60"})
    outbox.deliver()
    receiver.answer = lambda handler, request: reply(handler, 204)
    operations.replay(Delivery.objects.get().event, actor=None)
    assert outbox.deliver()["sent"] == 1


def test_an_endpoint_that_is_not_reached_is_left_alone_until_the_first_retry(receiver: Receiver) -> None:
    make_endpoint("http://127.0.0.1:9/hook", types=["job.*"])
    for _ in range(10):
        make_job(items=1, done=1)
    assert outbox.deliver()["retried"] == 4
    assert outbox.deliver()["retried"] == 0
    Delivery.objects.filter(tries=1).update(next_try_at=later(hours=9), tries=6)
    assert outbox.deliver(later(seconds=6))["retried"] == 4
    assert outbox.deliver(later(seconds=36))["retried"] == 4


def test_nobody_answers_so_the_rest_is_not_tried_in_vain(receiver: Receiver) -> None:
    make_endpoint("http://127.0.0.1:9/hook")
    make_endpoint(receiver.url)
    for _ in range(40):
        make_job(items=1, done=1)
    assert outbox.deliver() == {"sent": 80, "retried": 4, "dead": 0}
    assert Delivery.objects.waiting().filter(tries=0).count() == 76


def test_an_endpoint_that_somebody_works_for_is_left_alone_until_its_time_has_passed(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url)
    make_job(items=1, done=1)
    assert sender_leases.lease(endpoint, sender="other", now=timezone.now(), length=endpoint_leases.HELD_FOR)
    assert outbox.deliver()["sent"] == 0
    assert outbox.Lane(endpoint).run() == {}
    Endpoint.objects.update(sender_until=timezone.now())
    assert outbox.deliver()["sent"] == 2
    endpoint.refresh_from_db()
    assert (endpoint.sender, endpoint.sender_until) == ("", None)


def test_a_mark_does_not_undo_what_a_replay_did_meanwhile(receiver: Receiver) -> None:
    make_endpoint(receiver.url, types=["job.*"])
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: reply(handler, 500)
    outbox.deliver()
    delivery = Delivery.objects.get()
    stale = endpoint_leases.Due(delivery.pk, delivery.job_id, delivery.event_id, 0, delivery.next_try_at)
    results.mark(delivery.endpoint, [(stale, outbox.Outcome("late"))], now=timezone.now())
    delivery.refresh_from_db()
    assert (delivery.tries, delivery.error) == (1, "The endpoint answered 500: nothing more")


def test_a_pass_costs_the_same_however_many_wait(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url)

    def statements(jobs: int) -> int:
        for _ in range(jobs):
            make_job(items=1, done=1)
        Delivery.objects.update(status="waiting", next_try_at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            endpoint_leases.due_at(endpoint, now=timezone.now(), limit=4)
        return len(queries)

    few = statements(4)
    assert statements(30) <= few


def test_a_limit_cuts_off_late_events_not_early_ones(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url)
    jobs = [make_job(items=1, done=1) for _ in range(3)]
    now = timezone.now()
    first = Delivery.objects.filter(event__type="items.completed")
    first.update(next_try_at=now)
    Delivery.objects.exclude(pk__in=first).update(next_try_at=now - timedelta(seconds=9))
    assert endpoint_leases.due_at(endpoint, now=now, limit=3) == {}
    ready = endpoint_leases.due_at(endpoint, now=now, limit=3)
    assert sum(map(len, ready.values())) == 3
    assert outbox.deliver(now)["sent"] == 6
    for job in jobs:
        assert [each for name, each in received(receiver) if name == job.name] == ["items.completed", "job.completed"]


def test_deliveries_go_with_their_job() -> None:
    make_endpoint()
    job = make_job(items=1, done=1)
    Job.objects.filter(pk=job.pk).delete()
    assert not Delivery.objects.exists()


def test_a_pass_tries_no_more_than_its_limit(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    for _ in range(5):
        make_job(items=1, done=1)
    assert outbox.deliver(limit=4)["sent"] == 4
    assert outbox.deliver(limit=4)["sent"] == 4
    assert outbox.deliver(limit=4)["sent"] == 2


def test_the_metrics_tell_what_is_not_delivered(client: Client) -> None:
    make_endpoint(types=["job.*"])
    for _ in range(3):
        make_job(items=1, done=1)
    first, second = Delivery.objects.order_by("id")[:2]
    Delivery.objects.filter(pk=first.pk).update(status="dead")
    Delivery.objects.filter(pk=second.pk).update(created_at=later(seconds=-90))
    lines = client.get("/metrics").content.decode().splitlines()
    assert {'progress_deliveries{status="waiting"} 2.0', 'progress_deliveries{status="dead"} 1.0'} <= set(lines)
    [age] = [line.split()[1] for line in lines if line.startswith("progress_oldest_undelivered_seconds ")]
    assert 90 <= float(age) < 120
