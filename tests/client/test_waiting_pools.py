"""Programs that wait for themselves are told so."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from progress_client import Client, waiting_pools

from tests.client.grounds import counts
from tests.examples.site import Site, eventually


def test_a_pool_that_waits_for_itself_is_named_once_by_the_thread_that_renews_leases(
    client: Client, site: Site, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = client.job(name, items=["a", "b"])
    pool, both = ThreadPoolExecutor(2), threading.Barrier(2)
    inner: list[Future[None]] = []

    def work() -> None:
        for item in job.claim(batch=1, lease_seconds=1, wait=False):
            with item:
                both.wait(10)
                inner.append(pool.submit(lambda: None))
                inner[-1].result()

    outer = [pool.submit(work) for _ in range(2)]
    eventually(lambda: "2 threads of a ThreadPoolExecutor wait for results of the same pool" in caplog.text, what="it")
    waiting_pools.warn()
    assert caplog.text.count("ThreadPoolExecutor") == 1
    for future in inner:
        future.set_result(None)
    for future in outer:
        future.result(10)
    client.flush()
    assert counts(site, name) == (2, 0, 0, 0)


def test_a_pool_with_a_free_thread_and_one_that_waits_for_another_are_no_such_pools(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(2) as first, ThreadPoolExecutor(1) as second:
        slow = second.submit(over.wait)
        waits = first.submit(slow.result)
        eventually(lambda: waits.running(), what="a thread that waits")
        waiting_pools.warn()
        over.set()
    assert caplog.text == ""
    assert slow.result()


def test_a_loop_that_is_collected_before_its_items_are_done_is_explained(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waiting_pools, "COLLECTED_SECONDS", 0.5)
    job = client.job(name, items=["a", "b", "c"])
    threading.Thread(target=list, args=(job.claim(batch=2),), daemon=True).start()
    eventually(lambda: "3 items that this loop over claim() has handed out" in caplog.text, what="the sentence")
    assert "list(job.claim())" in caplog.text
    assert caplog.text.count("handed out") == 1


def test_a_loop_whose_items_are_begun_elsewhere_is_not(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waiting_pools, "COLLECTED_SECONDS", 0.2)
    over = threading.Event()

    def work(item) -> None:  # type: ignore[no-untyped-def]
        with item:
            over.wait(10)

    with ThreadPoolExecutor(1) as pool:
        threading.Timer(1.5, over.set).start()
        for item in client.job(name, items=["a", "b"]).claim():
            pool.submit(work, item)
    assert "handed out" not in caplog.text
