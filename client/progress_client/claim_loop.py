"""Claim loop of a worker: claim items, hand them out, wait for more and detect the end.

`Client` and `AsyncClient` share it; they differ only in how they wait.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from progress_client import forks
from progress_client.background import in_thread
from progress_client.bar import Bar
from progress_client.buffer import Address
from progress_client.claim_size import ClaimSize
from progress_client.errors import NotFound, ProgressError, Unavailable
from progress_client.items import Item
from progress_client.session import Session
from progress_client.waiting_pools import HandedOut

log = logging.getLogger(__name__)

SHORTEST_WAIT = 0.2
LONGEST_WAIT = 2.0
QUARANTINE_WAIT = 10.0  # an operator may lift a quarantine at any time
QUARANTINED = (
    "%s is quarantined: its last items all failed while another worker does not fail, so the site gives it no items of"
    " %s for now. Check this worker (disk, memory, model files); it is tried out again later, or an operator lifts it."
)
FAST_BATCH = 0.5  # the next claim is made ahead while batches take fewer seconds than this
SLOW_CLAIM = 4 * FAST_BATCH
LAST_CLAIM = 1.0  # seconds for which the end of a loop waits for a claim that was made ahead
LONGEST_RETRY_WAIT = 60.0  # other items may come before those that wait for their retry
OVER = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class ClaimOptions:
    """Options of a claim loop: worker, batch (None: adapted), lease in seconds, whether to wait for later items."""

    worker: str
    batch: int | None
    lease: float
    wait: bool

    def body(self, limit: int) -> dict[str, Any]:
        """Return the body of a claim request for at most `limit` items."""
        return {"worker": self.worker, "limit": limit, "lease_seconds": self.lease}


class ClaimLoop:
    """The items of one claim loop, for use from one thread."""

    def __init__(self, session: Session, options: ClaimOptions, *, bar: Bar | None = None) -> None:
        self._session, self._options, self._bar = session, options, bar
        self._ready: deque[Item] = deque()
        self._pause = SHORTEST_WAIT
        self._ended = False
        self._quarantined = False
        self._process = os.getpid()
        self._filled_at = float("-inf")
        self._is_fast = False
        self._ahead: Future[dict[str, Any]] | None = None
        self._handed_out = HandedOut()
        self._size = ClaimSize(options.batch)

    def arm(self) -> None:
        """Give items back on SIGTERM from now on. Call it from the main thread."""
        self._session.end_on_term()

    def begin(self) -> None:
        """Take over the outcomes that dead processes left in the journal, before the first claim."""
        self._session.outbox.adopt()

    def ready(self) -> Item | None:
        """Return the next claimed item whose lease is valid, or None. ProgressError in a forked child."""
        forks.check(self._process, "This loop over claim() began", instead="call claim() here")
        self._give_back_excess()
        while self._ready and not self._session.stop.is_set():
            item = self._ready.popleft()
            if self._is_fast and self._ahead is None and len(self._ready) <= self._size.limit // 2:
                self._ahead = in_thread(self.claim)
            if not item.lost and item.job not in self._session.cancelled:
                self._handed_out.add(item)
                return item
        return None

    def next(self) -> Item | None:
        """Wait for the next item; None when the loop has ended."""
        forks.check(self._process, "This loop over claim() began", instead="call claim() here")
        while not self._is_stopped():
            item = self.ready()
            if item is not None:
                return item
            try:
                self._fill()
            except Unavailable:
                if not self._session.stop.is_set():
                    raise
        return None

    def close(self) -> None:
        """Give back the claimed items that were not handed out."""
        self._ended = True
        if self._process != os.getpid():
            return
        self._give_back(self._ready)
        self._ready.clear()
        if self._ahead:
            wait([self._ahead], timeout=LAST_CLAIM)
            self._ahead.add_done_callback(self._give_back_claimed)
        if self._bar:
            self._bar.close()

    # --- for subclasses ----------------------------------------------------------------------------

    @property
    def subject(self) -> str:
        """The phase for log lines."""
        raise NotImplementedError

    def claim(self) -> dict[str, Any]:
        """Claim items; return the response with its items as `Item`."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Check that no more items can come."""
        return False

    def flush(self) -> None:
        """Report all waiting outcomes, without a time limit."""
        self._session.outbox.flush(stop=self._session.stop)

    def is_cancelled(self) -> bool:
        """Check whether the job was cancelled."""
        return False

    # --- private -----------------------------------------------------------------------------------

    def _give_back_excess(self) -> None:
        """Leave items to other workers if a large claim of quick items was followed by slow ones."""
        if time.monotonic() - self._filled_at > SLOW_CLAIM:
            self._give_back([self._ready.pop() for _ in range(self._size.excess(len(self._ready)))])

    def _give_back(self, items: Iterable[Item]) -> None:
        for item in items:
            if not item.lost and item.job not in self._session.cancelled:
                item.give_back()

    def _give_back_claimed(self, ahead: Future[dict[str, Any]]) -> None:
        """Give back what a claim brought after the loop has ended."""
        if ahead.exception() is None:
            with suppress(ProgressError):  # the client is closed; the leases expire
                self._give_back(ahead.result()["items"])

    def _claim(self) -> dict[str, Any]:
        """Return the answer of the claim that was made ahead, if it brought items, or claim now."""
        ahead, self._ahead = self._ahead, None
        answer = ahead.result() if ahead else None
        return answer if answer and answer["items"] else self.claim()

    def _is_stopped(self) -> bool:
        return self._ended or self._session.stop.is_set() or self.is_cancelled()

    def _ends(self, answer: dict[str, Any]) -> bool:
        """Check whether an empty claim ends this loop."""
        if answer["reason"] == "limit":  # items are pending; outcomes of our own may make room for them
            self.flush()
            return False
        if not self._options.wait or answer["reason"] == "closed":
            self.flush()
            return True
        return self.is_over()

    def _note_quarantine(self, answer: dict[str, Any]) -> None:
        """Warn the operator of this worker once when a quarantine begins, and say when it is over."""
        began = answer["reason"] == "quarantined"
        if began and not self._quarantined:
            log.warning(QUARANTINED, self._options.worker, self.subject)
        elif self._quarantined and answer["items"]:
            log.warning("%s gets items of %s again.", self._options.worker, self.subject)
        self._quarantined = began or (self._quarantined and not answer["items"])

    def _fill(self) -> None:
        """Claim items. If there are none, end the loop or wait before the next claim."""
        if self._session.outbox.error:
            raise self._session.outbox.error
        self._is_fast = time.monotonic() - self._filled_at < FAST_BATCH
        self._size.note(is_fast=self._is_fast)
        answer = self._claim()
        self._ready.extend(answer["items"])
        self._note_quarantine(answer)
        if self._ready:
            self._pause, self._filled_at = SHORTEST_WAIT, time.monotonic()
            if self._ended:
                self.close()
            return
        if self._ends(answer):
            self._ended = True
            return
        self._handed_out.explain()
        if not self._session.outbox.adopt():
            self._session.stop.wait(self._wait_after(answer))

    def _wait_after(self, answer: dict[str, Any]) -> float:
        """Return the seconds until the next claim: until the first retry is due, if only such items are left."""
        if self._quarantined:
            return QUARANTINE_WAIT
        if answer["reason"] == "retry_wait":
            return min(LONGEST_RETRY_WAIT, max(self._pause, float(answer.get("retry_after", 0))))
        pause, self._pause = self._pause, min(LONGEST_WAIT, self._pause * 2)
        return pause


class PhaseClaimLoop(ClaimLoop):
    """Claim loop over one phase; it ends with the phase."""

    def __init__(self, session: Session, options: ClaimOptions, *, job: int, phase: str, bar: Bar | None) -> None:
        super().__init__(session, options, bar=bar)
        self._address = Address(job, phase, options.worker)
        if bar:
            session.listeners.setdefault((job, phase), []).append(bar.show)

    @property
    def subject(self) -> str:
        """The phase and its job."""
        return f"phase {self._address.phase} of job {self._address.job}"

    def claim(self) -> dict[str, Any]:
        """Claim items of this phase. A deleted job counts as a closed phase."""
        address, options = self._address, self._options
        try:
            answer = self._session.claim(
                f"{address.path}/claim", options.body(self._size.limit), job=address.job, lease=options.lease
            )
        except NotFound:
            if self._job() is not None:
                raise
            return {"items": [], "reason": "closed"}
        return {**answer, "items": self._session.lease_items(answer["items"], address=address, lease=options.lease)}

    def is_over(self) -> bool:
        """Check whether the phase or the job has ended."""
        self.flush()
        job = self._job()
        if job is None:
            return True
        [phase] = [phase for phase in job["phases"] if phase["code"] == self._address.phase]
        if self._bar:
            self._bar.show(phase)
        return job["status"] in OVER or phase["status"] in OVER

    def flush(self) -> None:
        """Report the waiting outcomes of this job."""
        self._session.outbox.flush(job=self._address.job, stop=self._session.stop)

    def _job(self) -> dict[str, Any] | None:
        """Fetch the job; log and return None if it was deleted."""
        try:
            job: dict[str, Any] = self._session.call("GET", f"/jobs/{self._address.job}", retry_forever=True)
        except NotFound:
            log.warning(
                "job %d was deleted or is no longer visible to this token; its claim loop ends", self._address.job
            )
            return None
        return job

    def is_cancelled(self) -> bool:
        """Check whether the job was cancelled."""
        return self._address.job in self._session.cancelled


class CommonClaimLoop(ClaimLoop):
    """Claim loop over the oldest items of any job. With `wait` it never ends by itself."""

    def __init__(self, session: Session, options: ClaimOptions, *, phase: str, kind: str) -> None:
        super().__init__(session, options)
        self._filter = {"phase": phase, "kind": kind}

    @property
    def subject(self) -> str:
        """The code of the phases."""
        return f"phases {self._filter['phase']}"

    def claim(self) -> dict[str, Any]:
        """Claim items of unfinished phases with this code."""
        body = {**self._options.body(self._size.limit), **self._filter}
        answer = self._session.claim("/claim", body, job=None, lease=self._options.lease)
        fallback = Address(0, self._filter["phase"], self._options.worker)
        return {
            **answer,
            "items": self._session.lease_items(answer["items"], address=fallback, lease=self._options.lease),
        }
