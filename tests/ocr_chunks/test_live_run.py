"""A document that seventeen workers finish at once, over HTTP, while a browser watches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from knox.models import AuthToken

from tests.factories import types
from tests.jobs.live.conftest import run, sign_in
from tests.jobs.live.server import LiveServer, hear, serving
from tests.ocr_chunks.factories import checksum, job_of, make_document

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 17
MERGING = "Merging OCR results"


@pytest.fixture
def server(transactional_db: None) -> Iterator[LiveServer]:
    """The server, alone."""
    with serving() as server:
        yield server


@pytest.fixture
def token(transactional_db: None) -> str:
    """The token of a worker."""
    secret: str = AuthToken.objects.create(sign_in("report_job", "view_job")[0])[1]
    return secret


class Workers:
    """Workers that begin together; whoever merges waits until a browser has seen that it does."""

    def __init__(self, server: LiveServer, *, token: str) -> None:
        self.server, self.token = server, token
        self.together, self.merging = Barrier(WORKERS), Event()

    async def work(self) -> list[str]:
        """The phases of everything that was done."""
        with ThreadPoolExecutor(WORKERS) as threads:
            loop = asyncio.get_running_loop()
            done = [loop.run_in_executor(threads, Worker(self, number).work) for number in range(WORKERS)]
            return [phase for phases in await asyncio.gather(*done) for phase in phases]


class Worker:
    """A worker that takes chunks of any document one by one, and merges what is ready."""

    def __init__(self, workers: Workers, number: int) -> None:
        self.workers, self.server, self.name = workers, workers.server, f"w{number}"

    def work(self) -> list[str]:
        """The phases of what it did, in order, until nothing can be had."""
        done = []
        self.workers.together.wait(timeout=60)
        while item := self._claim("merge") or self._claim("ocr"):
            assert item["phase"] == "ocr" or self.workers.merging.wait(timeout=20)
            assert self._report(item) == "applied"
            done.append(item["phase"])
        return done

    def _claim(self, phase: str) -> dict[str, Any] | None:
        given = {"worker": self.name, "phase": phase, "kind": "ocr", "limit": 1}
        items = self.server.post("/claim", given, token=self.workers.token)["items"]
        return items[0] if items else None

    def _report(self, item: dict[str, Any]) -> str:
        result = {"checksum": checksum(item["payload"]["chunk_index"])} if item["phase"] == "ocr" else merged()
        outcome = {"key": item["key"], "status": "completed", "attempt": item["attempt"], "result": result}
        address = f"/jobs/{item['job']}/phases/{item['phase']}/report"
        answer = self.server.post(address, {"worker": self.name, "results": [outcome]}, token=self.workers.token)
        return str(answer["results"][0]["outcome"])


def merged() -> dict[str, Any]:
    """Return a merge result with all chunks, in another order."""
    return {"chunks": [{"chunk_index": index, "checksum": checksum(index)} for index in range(16, -1, -1)]}


async def follow(browser: Any, workers: Workers) -> list[dict[str, Any]]:
    """Every state of the job that a browser gets, until it is completed."""
    seen: list[dict[str, Any]] = [(await hear(browser))["jobs"][0]]
    working = asyncio.create_task(workers.work())
    while seen[-1]["status"] != "completed":
        seen.append((await hear(browser))["job"])
        if seen[-1]["stage"] == MERGING:
            workers.merging.set()
    assert sorted(await working) == ["merge", *["ocr"] * WORKERS]
    return seen


async def test_the_percent_never_falls_and_the_last_stage_is_the_one_merge(
    server: LiveServer, viewer: str, token: str
) -> None:
    document = await run(make_document, WORKERS)
    async with server.watch(f"/ws/jobs/{document.pk}", session_key=viewer) as browser:
        seen = await follow(browser, Workers(server, token=token))
    percents, stages = [job["percent"] for job in seen], [job["stage"] for job in seen]
    assert percents == sorted(percents)
    assert (percents[0], percents[-2:], stages[-2:]) == (0, [100, 100], [MERGING, "Completed"])
    assert all(stage.startswith("Processing chunk ") for stage in stages[: stages.index(MERGING)])
    job = await run(job_of, document)
    assert await run(types, job, outward=True) == ["ocr.completed", "merge.completed", "job.completed"]
