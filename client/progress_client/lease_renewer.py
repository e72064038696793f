"""Renews the leases of what is held, in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Callable, Protocol

from progress_client import backoff
from progress_client.errors import CertificateError, Refused
from progress_client.leases import Group, Leases
from progress_client.transport import Transport, Trouble, encode

log = logging.getLogger(__name__)


class Held(Protocol):
    """What can be held: something of a job that a worker has, until it is lost. `renewed_at`: when its lease began."""

    id: int
    key: str
    job: int
    worker: str
    lost: bool
    renewed_at: float

    def give_back(self) -> None:
        """Somebody else may do it."""


class Keeper:
    """Every item that is held, and the thread that says so to the server three times within each lease.

    `cancelled` is called with the id of a job that nobody wants any more, from that thread.
    """

    def __init__(self, transport: Transport, *, cancelled: Callable[[int], None]) -> None:
        self._transport, self._cancelled = transport, cancelled
        self._leases = Leases()
        self._changed = threading.Condition()
        self._closing = False
        self._tries = 0
        self._thread = threading.Thread(target=self._run, name="progress-keeper", daemon=True)
        self._thread.start()

    def take(self, items: Sequence[Held], *, lease: float) -> None:
        """These were claimed."""
        groups: dict[Group, dict[int, Any]] = {}
        for item in items:
            groups.setdefault(_group(item), {})[item.id] = item
        with self._changed:
            for group, members in groups.items():
                self._leases.take(group, members, lease=lease, now=time.monotonic())
            self._changed.notify()

    def drop(self, item: Held) -> None:
        """The outcome of this one is known."""
        with self._changed:
            self._leases.drop(_group(item), [item.id])

    def held(self) -> list[Held]:
        """What is held now."""
        with self._changed:
            return self._leases.held()

    def lose_job(self, job: int) -> None:
        """Nothing of this job is ours any more."""
        with self._changed:
            lost = [item for item in self._leases.held() if item.job == job]
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
        try:
            answer = self._transport.once("POST", f"/jobs/{job}/heartbeat", encode({"worker": worker, "items": ids}))
        except (Trouble, CertificateError) as trouble:
            pause = backoff.pause(self._tries, asked=getattr(trouble, "asked", 0.0))
            log.warning("no heartbeat for job %d (%s), next try in %.1f s", job, trouble, pause)
            self._tries += 1
            with self._changed:
                self._leases.again(group, at=time.monotonic() + pause)
            return
        except Refused as error:
            log.warning("no heartbeat for job %d: %s", job, error)
            answer = {"lost": ids, "cancel_requested": False}
        self._tries = 0
        with self._changed:
            lost = self._leases.drop(group, answer["lost"])
            renewed = set(ids)
            for item in self._leases.held(group):
                if item.id in renewed:
                    item.renewed_at = began
        _lose(lost)
        if answer["cancel_requested"]:
            self._cancelled(job)


def _group(item: Held) -> Group:
    return item.job, item.worker


def _lose(items: Sequence[Held]) -> None:
    for item in items:
        log.warning("lost %s of job %d", item.key, item.job)
        item.lost = True
