"""Delivery of the newest state: under load, with lost hints, beside slow browsers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from jobs.live import hub, open_connections
from jobs.models import Job
from tests.factories import complete, make_job, phase_of
from tests.jobs.live.conftest import Watch, run

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_busy_job_sends_at_most_five_frames_a_second_and_the_newest_last(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=40)
    browser = watch(f"/ws/jobs/{job.pk}", session_key=viewer)
    await browser.begin()
    moments: list[float] = []

    async def work() -> None:
        for number in range(40):
            await run(lambda number=number: complete(phase_of(job), 1, start=number))

    working = asyncio.create_task(work())
    done = 0
    while done < 40:
        done = (await browser.hear_job())["phases"][0]["done"]
        moments.append(time.monotonic())
    await working
    assert all(after - before >= 1 for before, after in zip(moments, moments[5:], strict=False))


@pytest.mark.parametrize("path", ["/ws/jobs", "/ws/jobs/{}"])
async def test_a_change_whose_hint_was_lost_arrives_a_moment_later(viewer: str, watch: Watch, path: str) -> None:
    job = await run(make_job, items=10)
    browser = watch(path.format(job.pk), session_key=viewer)
    await browser.begin()
    unseen = {"revision": F("revision") + 1, "stage": "changed unseen", "updated_at": timezone.now()}
    await run(Job.objects.filter(pk=job.pk).update, **unseen)
    assert (await browser.hear_job())["stage"] == "changed unseen"


async def test_a_browser_that_acknowledges_nothing_does_not_delay_the_others(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=40)
    for _ in range(10):
        await watch("/ws/jobs", session_key=viewer).open()
    browser = watch("/ws/jobs", session_key=viewer)
    await browser.begin()
    for number in range(10):
        await run(lambda number=number: complete(phase_of(job), 1, start=number))
        began = time.monotonic()
        assert (await browser.hear_job())["phases"][0]["done"] == number + 1
        assert time.monotonic() - began < 1


async def test_every_socket_of_a_job_gets_the_same_text(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=10)
    browsers = [watch("/ws/jobs", session_key=viewer), watch(f"/ws/jobs/{job.pk}", session_key=viewer)]
    for browser in browsers:
        await browser.begin()
    await run(lambda: complete(phase_of(job), 4))
    first, second = [await browser.hear_job() for browser in browsers]
    assert first == second


async def test_changes_while_the_snapshot_is_on_its_way_are_not_missed(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=30)

    async def work() -> None:
        for number in range(30):
            await run(lambda number=number: complete(phase_of(job), 1, start=number))

    working = asyncio.create_task(work())
    for _ in range(5):
        browser = watch("/ws/jobs", session_key=viewer)
        shown = {shown["id"]: shown for shown in await browser.begin()}[job.pk]
        while shown["status"] != "completed":
            newer = await browser.hear_job()
            assert newer["revision"] > shown["revision"]
            shown = newer
    await working


async def test_a_job_that_leaves_the_list_is_gone_and_comes_back(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=1, project="a")
    browser = watch("/ws/projects/a", session_key=viewer)
    await browser.begin()
    await run(Job.objects.filter(pk=job.pk).update, project="b")
    assert await browser.hear() == {"type": "gone", "id": job.pk}
    await run(Job.objects.filter(pk=job.pk).update, project="a")
    assert (await browser.hear_job())["id"] == job.pk


async def test_the_live_sockets_are_counted_and_forgotten(viewer: str, watch: Watch) -> None:
    job = await run(make_job, items=1)
    browsers: list[Any] = [watch(f"/ws/jobs/{job.pk}", session_key=viewer) for _ in range(3)]
    for browser in browsers:
        await browser.begin()
    assert open_connections() == 3
    for browser in browsers:
        await browser.leave()
    assert open_connections() == 0
    assert hub().rooms == {}
