"""The asyncio twin: the same names, and an event loop that is never held up."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from progress_client import AsyncClient, AsyncJob, Client, Fail, Job, WrongState

from tests.client.grounds import counts
from tests.examples.site import Site


@pytest.fixture
async def client(site: Site, folder: Path) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(site.url, token=site.token, worker="a1", journal=folder) as made:
        yield made


def names(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_the_twins_have_the_same_names() -> None:
    assert names(AsyncClient) >= names(Client) - {"named"}
    assert names(AsyncJob) >= names(Job)


async def test_every_item_comes_once(client: AsyncClient, site: Site, name: str) -> None:
    job = await client.job(name, items=["a", "b", "c"])
    keys = []
    async for item in job.claim(batch=2):
        async with item:
            keys.append(item.key)
            if item.key == "b":
                raise Fail("broken")
    assert keys == ["a", "b", "c"]
    assert counts(site, name) == (2, 1, 0, 0)
    assert (await job.refresh()).status == "completed"


async def test_several_tasks_share_the_work(client: AsyncClient, site: Site, name: str) -> None:
    job = await client.job(name, items=map(str, range(100)))

    async def work() -> int:
        done = 0
        async for item in job.claim(batch=5):
            async with item:
                await asyncio.sleep(0.001)
                done += 1
        return done

    assert sum(await asyncio.gather(*[work() for _ in range(4)])) == 100
    assert counts(site, name) == (100, 0, 0, 0)


async def test_a_cancelled_task_gives_its_item_back(client: AsyncClient, site: Site, name: str) -> None:
    job = await client.job(name, items=["a", "b", "c"])
    begun = asyncio.Event()

    async def work() -> None:
        async for item in job.claim(batch=3):
            async with item:
                begun.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
    assert counts(site, name) == (0, 0, 0, 3)


async def test_a_cancelled_claim_leaves_nothing_held(client: AsyncClient, name: str) -> None:
    job = await client.job(name)
    waiting = asyncio.ensure_future(anext(job.claim()))
    await asyncio.sleep(0.5)
    waiting.cancel()
    await job.add_items(["a", "b"])
    await asyncio.sleep(2.5)
    await client.flush()
    assert [item["status"] async for item in job.items()] == ["pending"] * 2


async def test_the_event_loop_goes_on_while_a_claim_waits(client: AsyncClient, name: str) -> None:
    job = await client.job(name)
    waiting = asyncio.ensure_future(anext(job.claim()))
    longest, last = 0.0, time.monotonic()
    for _ in range(30):
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert longest < 0.3
    await job.add_items(["a"])
    assert (await waiting).key == "a"


async def test_verbs_are_awaited(client: AsyncClient, name: str) -> None:
    job = await client.job(name, phases=[{"code": "fit"}])
    assert (await job.count(done=2))["applied"] is True
    await job.finish()
    with pytest.raises(WrongState):
        await job.add_items(["a"])
    found = await client.find(name)
    assert found is not None
    assert (await client.open(found.id)).name == name
    assert [other.name async for other in client.jobs(name=name)] == [name]
    assert [item async for item in job.items()] == []
    assert [body["status"] async for body in job.watch()][-1] == "completed"


async def test_the_common_claim_has_a_twin(client: AsyncClient, name: str) -> None:
    await client.job(name, phases=[{"code": name}], items=["a"])
    keys = []
    async for item in client.claim(phase=name, wait=False):
        async with item:
            keys.append(item.key)
    assert keys == ["a"]
