"""The asyncio twin: the same names, awaited. Calls run in threads, so the event loop is never held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from progress_client import forks
from progress_client.bar import bar
from progress_client.buffer import Address
from progress_client.claim_loop import AnyWork, PhaseWork, Wish, Work
from progress_client.client import Client
from progress_client.file_listing import NewItem
from progress_client.items import Item
from progress_client.job import LEASE_SECONDS, Job
from progress_client.job_calls import Answer, Verbs
from progress_client.session import Core

T = TypeVar("T")


class AsyncJob(Verbs[Awaitable[Any]], forks.Unpicklable):
    """One job; `body` is what the server said of it last."""

    def __init__(self, job: Job, core: Core) -> None:
        self._job, self._core = job, core
        self.id, self.name = job.id, job.name

    @property
    def body(self) -> Answer:
        """What the server said of it last."""
        return self._job.body

    @property
    def status(self) -> str:
        """The status of the job when it was looked at last."""
        return self._job.status

    @property
    def first_phase(self) -> str:
        """The code of the first phase."""
        return self._job.first_phase

    async def refresh(self) -> AsyncJob:
        """Look again."""
        await asyncio.to_thread(self._job.refresh)
        return self

    async def add_items(self, items: Iterable[NewItem], *, phase: str | None = None, reopen: bool = False) -> Answer:
        """As `Job.add_items`."""
        return await asyncio.to_thread(self._job.add_items, items, phase=phase, reopen=reopen)

    def items(self, **query: Any) -> AsyncIterator[Answer]:
        """As `Job.items`."""
        return stepped(lambda: self._job.items(**query))

    def claim(
        self,
        *,
        batch: int = 100,
        worker: str | None = None,
        phase: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
        progress: bool | None = None,
    ) -> AsyncIterator[Item]:
        """As `Job.claim`, for `async for`; use each item with `async with item:`."""
        wish = Wish(worker or self._core.worker, batch, lease_seconds, wait)
        code = self.first_phase if phase is None else phase
        shown = bar(self.name, wanted=progress)
        return handed_out(PhaseWork(self._core, wish, job=self.id, phase=code, bar=shown))

    async def tell(self, key: str, **outcome: Any) -> None:
        """As `Job.tell`."""
        await asyncio.to_thread(self._job.tell, key, **outcome)

    def watch(self) -> AsyncIterator[Answer]:
        """As `Job.watch`."""
        return stepped(self._job.watch)

    def _call(self, method: str, path: str, body: Answer | None = None) -> Awaitable[Any]:
        return asyncio.to_thread(self._core.call, method, path, body)

    def _count(self, address: Address, body: Answer) -> Awaitable[Any]:
        return asyncio.to_thread(self._core.count, address, body)

    @property
    def _worker(self) -> str:
        return self._core.worker


class AsyncClient(forks.Unpicklable):
    """`Client` for asyncio, with the same arguments."""

    def __init__(self, url: str | None = None, **options: Any) -> None:
        self._client = Client(url, **options)
        self._core = self._client._core

    @property
    def worker(self) -> str:
        """The name of this process among workers."""
        return self._client.worker

    async def job(self, name: str, **options: Any) -> AsyncJob:
        """As `Client.job`."""
        return self._job(await asyncio.to_thread(self._client.job, name, **options))

    async def find(self, name: str) -> AsyncJob | None:
        """As `Client.find`."""
        found = await asyncio.to_thread(self._client.find, name)
        return None if found is None else self._job(found)

    async def open(self, job_id: int) -> AsyncJob:
        """As `Client.open`."""
        return self._job(await asyncio.to_thread(self._client.open, job_id))

    async def jobs(self, **query: Any) -> AsyncIterator[AsyncJob]:
        """As `Client.jobs`."""
        async for job in stepped(lambda: self._client.jobs(**query)):
            yield self._job(job)

    def claim(
        self,
        *,
        phase: str,
        kind: str = "",
        batch: int = 100,
        worker: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
    ) -> AsyncIterator[Item]:
        """As `Client.claim`, for `async for`."""
        wish = Wish(worker or self.worker, batch, lease_seconds, wait)
        return handed_out(AnyWork(self._core, wish, phase=phase, kind=kind))

    @property
    def refused(self) -> list[Answer]:
        """As `Client.refused`; it reads the dead file and makes no call."""
        return self._client.refused

    async def replay(self, **options: Any) -> bool:
        """As `Client.replay`."""
        return await asyncio.to_thread(self._client.replay, **options)

    async def flush(self, **options: Any) -> bool:
        """As `Client.flush`."""
        return await asyncio.to_thread(self._client.flush, **options)

    def stop(self) -> None:
        """End every loop after the item in hand."""
        self._client.stop()

    async def close(self) -> None:
        """As `Client.close`."""
        await asyncio.to_thread(self._client.close)
        self._core.disarm()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def _job(self, job: Job) -> AsyncJob:
        return AsyncJob(job, self._core)


async def handed_out(work: Work) -> AsyncIterator[Item]:
    """The items of a loop. Only claiming and waiting leave the event loop; an item at hand costs no thread."""
    work.arm()
    await asyncio.to_thread(work.begin)
    try:
        while True:
            item = work.ready() or await _next(work)
            if item is None:
                return
            yield item
    finally:
        work.close()


async def _next(work: Work) -> Item | None:
    """The next item, waited for in a thread; who is cancelled meanwhile gives back what comes after all."""
    step = asyncio.ensure_future(asyncio.to_thread(work.next))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        step.add_done_callback(_unwanted)
        raise


def _unwanted(step: asyncio.Future[Item | None]) -> None:
    item = None if step.cancelled() or step.exception() else step.result()
    if item:
        item.give_back()


async def stepped(begin: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """What an iterator gives, each step taken in a thread."""
    rows = begin()
    done = object()
    while True:
        row: Any = await asyncio.to_thread(next, rows, done)
        if row is done:
            return
        yield row
