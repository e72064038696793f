"""The loop of a worker: claim, hand out, wait, and know when it is over. The twins differ in how they wait only."""

from __future__ import annotations

import logging
import os
from collections import deque
from dataclasses import dataclass
from typing import Any

from progress_client import forks
from progress_client.bar import Bar
from progress_client.buffer import Address
from progress_client.errors import NotFound, Unavailable
from progress_client.items import Item
from progress_client.session import Core

log = logging.getLogger(__name__)

SHORTEST_REST = 0.2
LONGEST_REST = 2.0
OVER = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Wish:
    """What a loop wants: so many items together, for so long; with `wait` also those that come later."""

    worker: str
    batch: int
    lease: float
    wait: bool

    def body(self) -> dict[str, Any]:
        """As a claim says it."""
        return {"worker": self.worker, "limit": self.batch, "lease_seconds": self.lease}


class Work:
    """The items of one loop; one thread asks for them."""

    def __init__(self, core: Core, wish: Wish, *, bar: Bar | None = None) -> None:
        self._core, self._wish, self._bar = core, wish, bar
        self._ready: deque[Item] = deque()
        self._rest = SHORTEST_REST
        self._ended = False
        self._process = os.getpid()

    def arm(self) -> None:
        """SIGTERM gives items back from now on; called from the thread that the program began with."""
        self._core.end_on_term()

    def begin(self) -> None:
        """Before the first item: what others left behind is told."""
        self._core.outbox.adopt()

    def ready(self) -> Item | None:
        """The next item that is at hand and still ours. ProgressError in a process that was forked from the loop's."""
        forks.check(self._process, "This loop over claim() began", instead="call claim() here")
        while self._ready and not self._core.stop.is_set():
            item = self._ready.popleft()
            if not item.lost and item.job not in self._core.cancelled:
                return item
        return None

    def next(self) -> Item | None:
        """The next item, waited for; None when it is over."""
        forks.check(self._process, "This loop over claim() began", instead="call claim() here")
        while not self._is_stopped():
            item = self.ready()
            if item is not None:
                return item
            try:
                self._fill()
            except Unavailable:
                if not self._core.stop.is_set():
                    raise
        return None

    def close(self) -> None:
        """Give back what was not handed out."""
        self._ended = True
        if self._process != os.getpid():
            return
        while self._ready:
            item = self._ready.popleft()
            if not item.lost and item.job not in self._core.cancelled:
                item.give_back()
        if self._bar:
            self._bar.close()

    # --- what the kinds of loops differ in ---------------------------------------------------------

    def claim(self) -> dict[str, Any]:
        """The answer to a claim, its items as `Item`."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Will nothing come any more?"""
        return False

    def flush(self) -> None:
        """Report what waits, for as long as that takes."""
        self._core.outbox.flush(stop=self._core.stop)

    def is_cancelled(self) -> bool:
        """Does nobody want it any more?"""
        return False

    # --- the parts -------------------------------------------------------------------------------

    def _is_stopped(self) -> bool:
        return self._ended or self._core.stop.is_set() or self.is_cancelled()

    def _ends(self, answer: dict[str, Any]) -> bool:
        """Whether an empty answer is the last one of this loop."""
        if not self._wish.wait or answer["reason"] == "closed":
            self.flush()
            return True
        return self.is_over()

    def _fill(self) -> None:
        """Claim; where there is nothing, find out whether something will come, and wait for it."""
        if self._core.outbox.error:
            raise self._core.outbox.error
        answer = self.claim()
        self._ready.extend(answer["items"])
        if self._ready:
            self._rest = SHORTEST_REST
            if self._ended:
                self.close()
            return
        if self._ends(answer):
            self._ended = True
            return
        if not self._core.outbox.adopt():
            self._core.stop.wait(self._rest)
            self._rest = min(LONGEST_REST, self._rest * 2)


class PhaseWork(Work):
    """Items of one phase; over when the phase is."""

    def __init__(self, core: Core, wish: Wish, *, job: int, phase: str, bar: Bar | None) -> None:
        super().__init__(core, wish, bar=bar)
        self._address = Address(job, phase, wish.worker)
        if bar:
            core.listeners.setdefault((job, phase), []).append(bar.show)

    def claim(self) -> dict[str, Any]:
        """Items of this phase; none, and the phase is closed, where the job was deleted."""
        address, wish = self._address, self._wish
        try:
            answer = self._core.claim(f"{address.path}/claim", wish.body(), job=address.job, lease=wish.lease)
        except NotFound:
            if self._job() is not None:
                raise
            return {"items": [], "reason": "closed"}
        return {**answer, "items": self._core.hold(answer["items"], address=address, lease=wish.lease)}

    def is_over(self) -> bool:
        """Has the phase or the job ended?"""
        self.flush()
        job = self._job()
        if job is None:
            return True
        [phase] = [phase for phase in job["phases"] if phase["code"] == self._address.phase]
        if self._bar:
            self._bar.show(phase)
        return job["status"] in OVER or phase["status"] in OVER

    def flush(self) -> None:
        """Report what waits for this job."""
        self._core.outbox.flush(job=self._address.job, stop=self._core.stop)

    def _job(self) -> dict[str, Any] | None:
        """The job; None, and a line in the log, where it was deleted."""
        try:
            job: dict[str, Any] = self._core.call("GET", f"/jobs/{self._address.job}", patient=True)
        except NotFound:
            log.warning("job %d was deleted, or is out of sight now: its loop ends", self._address.job)
            return None
        return job

    def is_cancelled(self) -> bool:
        """Was the job cancelled?"""
        return self._address.job in self._core.cancelled


class AnyWork(Work):
    """The oldest items of any job; such a loop does not end by itself while it waits."""

    def __init__(self, core: Core, wish: Wish, *, phase: str, kind: str) -> None:
        super().__init__(core, wish)
        self._which = {"phase": phase, "kind": kind}

    def claim(self) -> dict[str, Any]:
        """Items of unfinished phases of this code."""
        body = {**self._wish.body(), **self._which}
        answer = self._core.claim("/claim", body, job=None, lease=self._wish.lease)
        nowhere = Address(0, self._which["phase"], self._wish.worker)
        return {**answer, "items": self._core.hold(answer["items"], address=nowhere, lease=self._wish.lease)}
