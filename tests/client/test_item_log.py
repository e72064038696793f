"""Logs, links and retries of items, from the worker's block to the site."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from progress_client import AsyncClient, Client, Fail, Item, ItemLogHandler, Job

from tests.client.test_loop import do, rows
from tests.examples.site import Site

Attempts = list[dict[str, Any]]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of the worker's program that feeds the item."""
    found, handler = logging.getLogger("worker.of.tests"), ItemLogHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    found.addHandler(handler)
    found.setLevel(logging.WARNING)
    yield found
    found.removeHandler(handler)


def attempts(client: Client, job: Job, key: str = "k0") -> Attempts:
    """Return the ended attempts of an item."""
    client.flush()
    [item] = [item for item in job.items() if item["key"] == key]
    found: Attempts = job.attempts(item["id"])["results"]
    return found


def test_the_traceback_of_an_exception_is_sent_as_the_log(client: Client, name: str) -> None:
    job = client.job(name, items=["k0"])

    def deed(item: Item) -> None:
        item.log("opened the file")
        raise OSError("no space\0 left")

    do(job, deed)
    [attempt] = attempts(client, job)
    assert (attempt["outcome"], attempt["error"]) == ("failed", "OSError: no space\\0 left")
    assert attempt["log"].startswith("opened the file\nTraceback (most recent call last):\n")
    assert attempt["log"].endswith("OSError: no space\\0 left\n")


def test_a_log_and_links_are_kept_for_a_success_too(client: Client, name: str) -> None:
    job = client.job(name, items=["k0", "k1"])

    def deed(item: Item) -> None:
        if item.key == "k0":
            item.log("12 faces")
            item.link("Picture", "https://files.example/k0.jpg")

    do(job, deed)
    [attempt] = attempts(client, job)
    assert (attempt["outcome"], attempt["log"]) == ("completed", "12 faces\n")
    assert attempt["links"] == [{"label": "Picture", "url": "https://files.example/k0.jpg"}]
    assert attempts(client, job, "k1") == []


def test_records_of_logging_go_to_the_item_of_the_block(client: Client, name: str, logger: logging.Logger) -> None:
    job = client.job(name, items=["k0", "k1"])
    logger.warning("before")

    def deed(item: Item) -> None:
        logger.warning("work on %s", item.key)

    do(job, deed)
    logger.warning("after")
    assert [attempts(client, job, key)[0]["log"] for key in ("k0", "k1")] == [
        "WARNING work on k0\n",
        "WARNING work on k1\n",
    ]


def test_records_of_tasks_go_each_to_its_own_item(site: Site, name: str, logger: logging.Logger, folder: Any) -> None:
    async def work(item: Item, both: asyncio.Barrier) -> None:
        async with item:
            await both.wait()
            logger.warning("of %s", item.key)

    async def main() -> None:
        async with AsyncClient(site.url, token=site.token, worker="w1", journal=folder) as client:
            job = await client.job(name, items=["k0", "k1"])
            both = asyncio.Barrier(2)
            await asyncio.gather(*[work(item, both) async for item in job.claim(wait=False)])

    asyncio.run(main())
    with Client(site.url, token=site.token, worker="w1", journal=folder) as client:
        job = client.job(name)
        assert [attempts(client, job, key)[0]["log"] for key in ("k0", "k1")] == ["WARNING of k0\n", "WARNING of k1\n"]


def test_of_a_very_long_log_the_end_is_sent(client: Client, name: str) -> None:
    job = client.job(name, items=["k0"])

    def deed(item: Item) -> None:
        for _ in range(10):
            item.log("x" * 10_000)
        item.log("the end")

    do(job, deed)
    log = attempts(client, job)[0]["log"]
    assert log.startswith("[The beginning of this log was cut.]\n")
    assert log.endswith("x\nthe end\n")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://a", "files/a.jpg", "http://", "https://a b", "https://" + "x" * 2000]
)
def test_a_link_that_the_site_would_refuse_is_an_error_in_the_block(client: Client, name: str, url: str) -> None:
    job = client.job(name, items=["k0"])
    do(job, lambda item: item.link("a", url))
    assert attempts(client, job)[0]["error"].startswith("ValueError: A link needs an address")


def failing(*retry: Any, **choices: Any) -> Callable[[Item], Any]:
    def deed(item: Item) -> None:
        raise Fail("Disk full", **choices)

    return deed


def test_a_failed_item_comes_again_with_its_failures(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=["k0"], retries=2, retry_delay=1)
    seen = []

    def deed(item: Item) -> None:
        seen.append((item.attempt, item.failures, item.last_error))
        if item.attempt == 1:
            raise Fail("Disk full", retry_after=0)

    do(job, deed)
    assert seen == [(1, 0, ""), (2, 1, "Disk full")]
    assert (job.refresh().status, rows(site, name)["k0"]["status"]) == ("completed", "completed")


def test_a_failure_may_be_final_in_spite_of_retries(client: Client, site: Site, name: str) -> None:
    job = client.job(name, items=["k0"], retries=2)
    do(job, failing(retry=False))
    item = rows(site, name)["k0"]
    assert (item["status"], item["failures"]) == ("failed", 1)
    assert job.refresh().status == "failed"


def test_many_long_logs_are_sent_in_several_requests(client: Client, site: Site, name: str) -> None:
    keys = [f"k{number}" for number in range(150)]
    job = client.job(name, items=keys)
    do(job, lambda item: item.log("x" * 20_000), batch=150)
    assert job.refresh().body["phases"][0]["done"] == 150
    assert client.refused == []


def test_retries_are_changed_by_an_act(site: Site, operator: str, folder: Any, name: str) -> None:
    with Client(site.url, token=operator, journal=folder) as client:
        job = client.job(name, items=["k0"])
        assert job.retries(3, retry_delay=5)["changed"] == 1
        [phase] = job.refresh().body["phases"]
        assert (phase["retries"], phase["retry_delay"], phase["retry_delay_max"]) == (3, 5, 3600)
