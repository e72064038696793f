"""Background renewal of leases."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Callable, Protocol

from progress_client import backoff, waiting_pools
from progress_client.errors import CertificateError, Refused
from progress_client.leases import Group, Leases
from progress_client.transport import RetryableError, Transport, encode

log = logging.getLogger(__name__)


class Leased(Protocol):
    """An item leased to a worker, until it is `lost`. `renewed_at`: start of the current lease, monotonic.

    `percent` is its progress as set at `percent_at`, None until then.
    """

    id: int
    key: str
    job: int
    worker: str
    lost: bool
    renewed_at: float
    percent: int | None
    percent_at: float

    def give_back(self) -> None:
        """Return the item, so that another worker can claim it."""


class LeaseRenewer:
    """All leased items, and the thread that renews each lease three times within its length.

    The thread calls `cancelled` with the id of each cancelled job.
    """

    def __init__(self, transport: Transport, *, cancelled: Callable[[int], None]) -> None:
        self._transport, self._cancelled = transport, cancelled
        self._leases = Leases()
        self._changed = threading.Condition()
        self._closing = False
        self._tries = 0
        self._thread = threading.Thread(target=self._run, name="progress-lease_renewer", daemon=True)
        self._thread.start()

    def take(self, items: Sequence[Leased], *, lease: float) -> None:
        """Add claimed items."""
        groups: dict[Group, dict[int, Any]] = {}
        for item in items:
            groups.setdefault(_group(item), {})[item.id] = item
        with self._changed:
            for group, members in groups.items():
                self._leases.take(group, members, lease=lease, now=time.monotonic())
            self._changed.notify()

    def drop(self, item: Leased) -> None:
        """Stop renewing the lease of an item."""
        with self._changed:
            self._leases.drop(_group(item), [item.id])

    def leased(self) -> list[Leased]:
        """Return the leased items."""
        with self._changed:
            return self._leases.leased()

    def lose_job(self, job: int) -> None:
        """Mark all items of a job as lost."""
        with self._changed:
            lost = [item for item in self._leases.leased() if item.job == job]
            for item in lost:
                self._leases.drop(_group(item), [item.id])
        _lose(lost)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                due = self._wait()
                if self._closing:
                    return
            for group, ids in due:
                self._renew(group, ids)
            waiting_pools.warn()

    def _wait(self) -> list[tuple[Group, list[int]]]:
        while not self._closing:
            due = self._leases.due(now=time.monotonic())
            if due:
                return due
            at = self._leases.next_at()
            self._changed.wait(None if at is None else max(0.0, at - time.monotonic()))
        return []

    def _renew(self, group: Group, ids: list[int]) -> None:
        job, worker = group
        began = time.monotonic()
        body = {"worker": worker, "items": ids, **self._progress(group)}
        try:
            answer = self._transport.once("POST", f"/jobs/{job}/heartbeat", encode(body))
        except (RetryableError, CertificateError) as failure:
            pause = backoff.pause(self._tries, retry_after=getattr(failure, "retry_after", 0.0))
            log.warning("no heartbeat for job %d (%s), next try in %.1f s", job, failure, pause)
            self._tries += 1
            with self._changed:
                self._leases.retry_at(group, at=time.monotonic() + pause)
            return
        except Refused as error:
            log.warning("no heartbeat for job %d: %s", job, error)
            answer = {"lost": ids, "cancel_requested": False}
        self._tries = 0
        with self._changed:
            lost = self._leases.drop(group, answer["lost"])
            renewed = set(ids)
            for item in self._leases.leased(group):
                if item.id in renewed:
                    item.renewed_at = began
        _lose(lost)
        if answer["cancel_requested"]:
            self._cancelled(job)

    def _progress(self, group: Group) -> dict[str, int]:
        """Return the progress of the item that set it last, for the body of a heartbeat."""
        with self._changed:
            moving = [item for item in self._leases.leased(group) if item.percent is not None]
        last = max(moving, key=lambda item: item.percent_at, default=None)
        return {} if last is None else {"progress": last.percent}


def _group(item: Leased) -> Group:
    return item.job, item.worker


def _lose(items: Sequence[Leased]) -> None:
    for item in items:
        log.warning("lost the lease of %s of job %d", item.key, item.job)
        item.lost = True
