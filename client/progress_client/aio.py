"""Asyncio versions of `Client` and `Job`, with the same names. Calls run in threads and never block the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from progress_client import bodies as b
from progress_client import forks
from progress_client.bar import bar
from progress_client.buffer import Address
from progress_client.claim_loop import ClaimLoop, ClaimOptions, CommonClaimLoop, PhaseClaimLoop
from progress_client.client import Client
from progress_client.file_listing import NewItem
from progress_client.items import Item
from progress_client.job import LEASE_SECONDS, Job
from progress_client.job_calls import Answer, JobCalls
from progress_client.session import Session

T = TypeVar("T")


class AsyncJob(
    JobCalls[
        Awaitable[b.Announced],
        Awaitable[b.Counted],
        Awaitable[b.Reported],
        Awaitable[b.Beat],
        Awaitable[b.PhaseBody],
        Awaitable[b.Figures],
        Awaitable[list[b.ErrorGroup]],
        Awaitable[b.Attempts],
        Awaitable[b.Timeline],
        Awaitable[b.Act],
    ],
    forks.Unpicklable,
):
    """One job for asyncio. `body` is the latest state from the server."""

    def __init__(self, job: Job, session: Session) -> None:
        self._job, self._session = job, session
        self.id, self.name = job.id, job.name

    @property
    def body(self) -> b.JobBody:
        """The latest state from the server, in the shape of GET /jobs/{id}."""
        return self._job.body

    @property
    def status(self) -> str:
        """The status in `body`."""
        return self._job.status

    @property
    def first_phase(self) -> str:
        """The code of the first phase."""
        return self._job.first_phase

    async def refresh(self) -> AsyncJob:
        """Fetch the current state."""
        await asyncio.to_thread(self._job.refresh)
        return self

    async def add_items(self, items: Iterable[NewItem], *, phase: str | None = None, reopen: bool = False) -> b.Added:
        """See `Job.add_items`."""
        return await asyncio.to_thread(self._job.add_items, items, phase=phase, reopen=reopen)

    def items(self, **query: Any) -> AsyncIterator[b.ItemBody]:
        """See `Job.items`."""
        return iterate_in_threads(lambda: self._job.items(**query))

    def claim(
        self,
        *,
        batch: int | None = None,
        worker: str | None = None,
        phase: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
        progress: bool | None = None,
    ) -> AsyncIterator[Item]:
        """See `Job.claim`. Use it with `async for`, and each item with `async with item:`."""
        options = ClaimOptions(worker or self._session.worker, batch, lease_seconds, wait)
        code = self.first_phase if phase is None else phase
        shown = bar(self.name, wanted=progress)
        return claimed_items(PhaseClaimLoop(self._session, options, job=self.id, phase=code, bar=shown))

    async def tell(self, key: str, **outcome: Any) -> None:
        """See `Job.tell`."""
        await asyncio.to_thread(self._job.tell, key, **outcome)

    def watch(self) -> AsyncIterator[b.JobBody]:
        """See `Job.watch`."""
        return iterate_in_threads(self._job.watch)

    def _call(self, method: str, path: str, body: Answer | None = None) -> Awaitable[Any]:
        return asyncio.to_thread(self._session.call, method, path, body)

    def _count(self, address: Address, body: Answer) -> Awaitable[Any]:
        return asyncio.to_thread(self._session.count, address, body)

    @property
    def _worker(self) -> str:
        return self._session.worker


class AsyncClient(forks.Unpicklable):
    """`Client` for asyncio, with the same arguments."""

    def __init__(self, url: str | None = None, **options: Any) -> None:
        self._client = Client(url, **options)
        self._session = self._client._session

    @property
    def worker(self) -> str:
        """The worker name of this process."""
        return self._client.worker

    async def job(self, name: str, **options: Any) -> AsyncJob:
        """See `Client.job`."""
        return self._job(await asyncio.to_thread(self._client.job, name, **options))

    async def find(self, name: str) -> AsyncJob | None:
        """See `Client.find`."""
        found = await asyncio.to_thread(self._client.find, name)
        return None if found is None else self._job(found)

    async def open(self, job_id: int) -> AsyncJob:
        """See `Client.open`."""
        return self._job(await asyncio.to_thread(self._client.open, job_id))

    async def jobs(self, **query: Any) -> AsyncIterator[AsyncJob]:
        """See `Client.jobs`."""
        async for job in iterate_in_threads(lambda: self._client.jobs(**query)):
            yield self._job(job)

    def claim(
        self,
        *,
        phase: str,
        kind: str = "",
        batch: int | None = None,
        worker: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
    ) -> AsyncIterator[Item]:
        """See `Client.claim`. Use it with `async for`."""
        options = ClaimOptions(worker or self.worker, batch, lease_seconds, wait)
        return claimed_items(CommonClaimLoop(self._session, options, phase=phase, kind=kind))

    @property
    def refused(self) -> list[Answer]:
        """See `Client.refused`. It reads the dead file and makes no request."""
        return self._client.refused

    async def replay(self, **options: Any) -> bool:
        """See `Client.replay`."""
        return await asyncio.to_thread(self._client.replay, **options)

    async def flush(self, **options: Any) -> bool:
        """See `Client.flush`."""
        return await asyncio.to_thread(self._client.flush, **options)

    def stop(self) -> None:
        """End every claim loop after its current item."""
        self._client.stop()

    async def close(self) -> None:
        """See `Client.close`."""
        await asyncio.to_thread(self._client.close)
        self._session.disarm()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def _job(self, job: Job) -> AsyncJob:
        return AsyncJob(job, self._session)


async def claimed_items(loop: ClaimLoop) -> AsyncIterator[Item]:
    """Yield the items of a claim loop. Only claiming and waiting use a thread."""
    loop.arm()
    await asyncio.to_thread(loop.begin)
    try:
        while True:
            item = loop.ready() or await _next(loop)
            if item is None:
                return
            yield item
    finally:
        loop.close()


async def _next(loop: ClaimLoop) -> Item | None:
    """Wait for the next item in a thread. After a cancellation, give back an item that still arrives."""
    step = asyncio.ensure_future(asyncio.to_thread(loop.next))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        step.add_done_callback(_give_back_late_item)
        raise


def _give_back_late_item(step: asyncio.Future[Item | None]) -> None:
    item = None if step.cancelled() or step.exception() else step.result()
    if item:
        item.give_back()


async def iterate_in_threads(begin: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """Iterate over an iterator, each step in a thread."""
    rows = begin()
    done = object()
    while True:
        row: Any = await asyncio.to_thread(next, rows, done)
        if row is done:
            return
        yield row
