"""After an outage longer than a lease a worker reports its finished items before it claims."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from progress_client import AsyncClient, Client, Item, backoff, outcome_queue

from tests.client.gateway import TEXT, Foreign, Gateway, gateway_to
from tests.client.grounds import counts, worker, written_down
from tests.examples.site import Site, eventually, working

Another = Callable[..., Client]
AWAY = Foreign(503, b"no backend", TEXT)


@pytest.fixture
def gateway(site: Site) -> Iterator[Gateway]:
    with gateway_to(site) as made:
        yield made


@pytest.fixture(autouse=True)
def _claims_recover_faster_than_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst luck: a claim is tried ten times as often as a report."""
    monkeypatch.setattr(backoff, "LONGEST", 0.05)
    monkeypatch.setattr(outcome_queue, "OLDEST_SECONDS", 0.05)
    slow = outcome_queue.RetrySchedule.failed

    def failed(self, address, *, retry_after, status, now):  # type: ignore[no-untyped-def]
        pause = slow(self, address, retry_after=retry_after, status=status, now=now)
        for rest in (self._server, *self._pauses.values()):
            rest.until = now + 0.8
        return pause

    monkeypatch.setattr(outcome_queue.RetrySchedule, "failed", failed)


def expired(site: Site, name: str, number: int) -> bool:
    """The leases of so many items have run out."""
    return counts(site, name)[3] == number


def outage(site: Site, gateway: Gateway, name: str, *, items: int) -> None:
    """The site is away for longer than the leases of so many items."""
    gateway.always(AWAY)
    eventually(lambda: expired(site, name, items), what="the end of the leases")
    gateway.always(None)


@pytest.mark.parametrize("is_common", [False, True])
def test_a_loop_does_no_finished_item_again(
    another: Another, gateway: Gateway, site: Site, name: str, is_common: bool
) -> None:
    client = another(gateway.url)
    job = client.job(name, phases=[{"code": name}], items=["a", "b"])
    handled: list[tuple[str, int]] = []
    items: Iterator[Item] = (
        client.claim(phase=name, batch=2, lease_seconds=1) if is_common else job.claim(batch=2, lease_seconds=1)
    )
    for item in items:
        with item:
            handled.append((item.key, item.attempt))
            if item.key == "a":
                gateway.always(AWAY)
        if item.key == "b":
            outage(site, gateway, name, items=2)
            client.job(f"{name}/2", phases=[{"code": name}], items=["c"]) if is_common else job.add_items(["c"])
        if item.key == "c":
            client.stop()
    client.close()
    assert handled == [("a", 1), ("b", 1), ("c", 1)]
    assert counts(site, name)[0] == (2 if is_common else 3)


async def test_an_asyncio_loop_does_no_finished_item_again(
    gateway: Gateway, site: Site, folder: Path, name: str
) -> None:
    handled: list[tuple[str, int]] = []
    async with AsyncClient(gateway.url, token=site.token, journal=folder) as client:
        job = await client.job(name, items=["a", "b"])
        async for item in job.claim(batch=2, lease_seconds=1):
            async with item:
                handled.append((item.key, item.attempt))
                gateway.always(AWAY)
            if item.key == "b":
                outage(site, gateway, name, items=2)
    assert handled == [("a", 1), ("b", 1)]
    assert counts(site, name) == (2, 0, 0, 0)


def test_threads_of_one_client_do_no_finished_item_again(
    another: Another, gateway: Gateway, site: Site, name: str
) -> None:
    client = another(gateway.url)
    job = client.job(name, items=map(str, range(8)))
    handled: list[str] = []
    barrier = threading.Barrier(2, action=lambda: gateway.always(AWAY))

    def work() -> None:
        for number, item in enumerate(job.claim(batch=4, lease_seconds=1)):
            if number == 0:
                barrier.wait(10)
            with item:
                handled.append(item.key)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(handled) == 8, what="all items done")
    outage(site, gateway, name, items=8)
    for thread in threads:
        thread.join(20)
    assert sorted(handled) == [str(number) for number in range(8)]
    assert counts(site, name) == (8, 0, 0, 0)


def test_an_item_whose_lease_ends_while_it_is_worked_on_is_reported_before_the_next_claim(
    another: Another, gateway: Gateway, site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_queue, "OLDEST_SECONDS", 5.0)
    handled: list[str] = []
    for item in another(gateway.url).job(name, items=["a"]).claim(batch=1, lease_seconds=1):
        with item:
            handled.append(item.key)
            gateway.always(AWAY, path="/heartbeat")
            eventually(lambda: expired(site, name, 1), what="the end of the lease")
            gateway.always(None)
    assert handled == ["a"]
    assert counts(site, name) == (1, 0, 0, 0)


def test_the_next_process_reports_what_a_killed_one_left_before_it_claims(
    client: Client, gateway: Gateway, site: Site, folder: Path, name: str
) -> None:
    client.job(name, items=["a", "b"])
    gateway.always(AWAY, path="/report")
    first = worker(site, name, "--batch", "2", "--lease", "1", journal=folder, url=gateway.url)
    with working([first]):
        assert first.stdout is not None
        assert [first.stdout.readline().strip() for _ in range(2)] == ["a", "b"]
        eventually(lambda: written_down(folder) == 2, what="both outcomes in the journal")
        first.kill()
    eventually(lambda: expired(site, name, 2), what="the end of the leases")
    gateway.always(None)
    second = worker(site, name, journal=folder, url=gateway.url)
    with working([second]):
        out, _ = second.communicate(timeout=20)
    assert out == ""
    assert counts(site, name) == (2, 0, 0, 0)


def test_a_claim_waits_for_reports_that_do_not_arrive_only_for_a_while(
    another: Another, gateway: Gateway, site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_queue, "OVERDUE_WAIT_SECONDS", 0.3)
    client = another(gateway.url)
    phase = {"code": name}
    bad, good = client.job(name, phases=[phase]), client.job(f"{name}/2", phases=[phase], items=["a", "b"])
    gateway.always(AWAY, path=f"/jobs/{bad.id}/")
    bad.tell("a")
    eventually(lambda: gateway.tries(f"/jobs/{bad.id}/phases") > 0, what="a try")
    handled = []
    for item in client.claim(phase=name, batch=1):
        with item:
            handled.append(item.key)
        if item.key == "b":
            client.stop()
    assert handled == ["a", "b"]
    assert good.id != bad.id
