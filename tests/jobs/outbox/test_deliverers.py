"""The loop that delivers: as a command, inside serve, and several at once."""

from __future__ import annotations

import time
from collections import Counter
from io import StringIO
from threading import Barrier, Thread
from threading import Event as Flag

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from jobs import outbox
from jobs.management import deliverer_loop
from jobs.models import Delivery, Event
from jobs.outbox import dispatch
from tests.factories import make_job
from tests.jobs.outbox.conftest import Receiver, make_endpoint, reply
from tests.jobs.outbox.rabbit import wait_until
from tests.jobs.outbox.test_crashes import environment
from tests.servers import Server, started

HANGS = 8.0
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("local")]


def test_once_sends_what_is_due(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    make_job(items=1, done=1)
    call_command("deliver", "--once", stdout=StringIO())
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("interval", ["0", "-1", "x", "1e9"])
def test_a_wrong_interval_is_refused(interval: str) -> None:
    with pytest.raises(CommandError, match="--interval"):
        call_command("deliver", "--once", f"--interval={interval}")


def test_an_endpoint_that_hangs_holds_up_no_other(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    make_endpoint(receiver.url.replace("hook", "hangs"))
    stop = Flag()
    receiver.answer = lambda handler, request: hang_or_take(handler, request.path, stop)
    loop = Thread(target=run_loop, args=[stop])
    loop.start()
    try:
        for number in range(1, 4):
            make_job(items=1, done=1)
            begun = time.monotonic()
            wait_until(lambda wanted=2 * number: taken(receiver) == wanted, seconds=HANGS)
            assert time.monotonic() - begun < HANGS
        assert Delivery.objects.filter(endpoint__url__endswith="hangs", status="waiting").count() >= 5
    finally:
        stop.set()
        loop.join()
    assert Delivery.objects.filter(endpoint__url__endswith="hook", status="sent").count() == 6


def test_many_slow_endpoints_hold_up_no_other(receiver: Receiver) -> None:
    slow, released = 12, Flag()
    for number in range(slow):
        make_endpoint(f"{receiver.url}/slow/{number}")
    make_endpoint(receiver.url)
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: answer_when(released, handler, request.path)
    stop = Flag()
    loop = Thread(target=run_loop, args=[stop])
    loop.start()
    try:
        wait_until(lambda: len({request.path for request in receiver.requests}) == slow + 1, seconds=HANGS)
        for number in range(2, 5):
            make_job(items=1, done=1)
            wait_until(lambda wanted=2 * number: taken(receiver) == wanted, seconds=HANGS)
        assert not released.is_set()
        assert Delivery.objects.filter(endpoint__url__contains="slow", status="sent").count() == 0
    finally:
        released.set()
        stop.set()
        loop.join()


def answer_when(released: Flag, handler: object, path: str) -> None:
    if "slow" in path:
        released.wait(HANGS)
    handler.send_response(204)
    handler.end_headers()


def test_once_asks_all_endpoints_side_by_side(receiver: Receiver) -> None:
    """Each of them answers only when the others have been asked too."""
    together = Barrier(5)
    for number in range(5):
        make_endpoint(f"{receiver.url}/{number}", types=["job.*"])
    make_job(items=1, done=1)
    receiver.answer = lambda handler, request: (together.wait(HANGS), reply(handler, 204))
    call_command("deliver", "--once", stdout=StringIO())
    assert Delivery.objects.filter(status="sent").count() == 5


def test_a_wave_is_sent_without_a_database_connection(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    make_endpoint(receiver.url)
    make_job(items=1, done=1)
    used: list[object] = []
    send = outbox.delivery_run.WebhookSender.send
    monkeypatch.setattr(
        outbox.delivery_run.WebhookSender,
        "send",
        lambda *args: used.append(connections["default"].connection) or send(*args),
    )
    assert outbox.deliver()["sent"] == 2
    assert used == [None, None]


def test_lanes_take_turns_where_there_are_more_than_may_send(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "LANES", 1)
    for number in range(3):
        make_endpoint(f"{receiver.url}/{number}", types=["job.*"])
    for _ in range(10):
        make_job(items=1, done=1)
    assert outbox.deliver()["sent"] == 30
    paths = [request.path[-1] for request in receiver.requests]
    assert set(paths[:12]) == {"0", "1", "2"}


def run_loop(stop: Flag) -> None:
    assert deliverer_loop.deliver_until(stop, interval=0.1)
    connections.close_all()


def taken(receiver: Receiver) -> int:
    return sum(request.path == "/hook" for request in receiver.requests)


def hang_or_take(handler: object, path: str, stop: Flag) -> None:
    if path == "/hangs":
        stop.wait(HANGS)
    handler.send_response(204)
    handler.end_headers()


def test_several_deliverers_share_the_work_and_send_everything_once(receiver: Receiver) -> None:
    for number in range(3):
        make_endpoint(f"{receiver.url}/{number}")
    for _ in range(20):
        make_job(items=1, done=1)
    flags = [Flag() for _ in range(3)]
    loops = [Thread(target=run_loop, args=[flag]) for flag in flags]
    for loop in loops:
        loop.start()
    wait_until(lambda: not Delivery.objects.waiting().exists(), seconds=90)
    for flag, loop in zip(flags, loops, strict=True):
        flag.set()
        loop.join()
    copies = Counter((request.path, request.headers["webhook-id"]) for request in receiver.requests)
    assert len(copies) == 3 * Event.objects.outward().count() == 120
    assert set(copies.values()) == {1}


def test_serve_delivers_and_ends_in_good_order(receiver: Receiver) -> None:
    make_endpoint(receiver.url)
    more = {
        "DEBUG": "on",
        "WEBHOOK_ALLOW_PRIVATE": "on",
        "DJANGO_SETTINGS_MODULE": "progress_site.settings",
        "ENV_FILE": "",
    }
    with started(Server(environment(**more))) as server:
        make_job(items=1, done=1)
        wait_until(lambda: len(receiver.requests) == 2, seconds=90)
    assert server.process.returncode == 0
    assert not Delivery.objects.waiting().exists()
