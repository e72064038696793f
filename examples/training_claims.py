"""Claimed images of a worker, and the heartbeat that renews their leases."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

from connection import Connection, GaveUp, Refused
from training_session import CLAIMED, Body, Session

log = logging.getLogger("worker")


@dataclass(frozen=True)
class Work:
    """One claimed image of one phase."""

    phase: str
    item: Body

    @property
    def key(self) -> str:
        """The path of the image below the folder."""
        return str(self.item["key"])


class Claims:
    """Claims several images at a time, of the first phase that has any."""

    def __init__(self, session: Session, options: argparse.Namespace) -> None:
        self.session = session
        self.worker: str = options.worker
        self._options = options
        self._leased: dict[int, Work] = {}
        self._lock = Lock()
        self._ended = Event()
        self._heart = Thread(target=self._send_heartbeats, daemon=True)

    def start(self) -> None:
        """Start the heartbeats."""
        self._heart.start()

    def end(self) -> None:
        """Give back claimed images and stop the heartbeats."""
        self._give_back()
        self._ended.set()
        self._heart.join(timeout=5)

    def next(self) -> list[Work]:
        """Claim some images. If the response is lost, they become pending again when their leases end."""
        wanted = {"worker": self.worker, "limit": self._options.batch, "lease_seconds": self._options.lease}
        for phase in CLAIMED:
            items = self.session.server.post(f"{self.session.job}/phases/{phase}/claim", wanted)["items"]
            if items:
                return self._add([Work(phase, item) for item in items])
        return []

    def holds(self, work: Work) -> bool:
        """Return False if a heartbeat has found that the lease was lost."""
        with self._lock:
            return work.item["id"] in self._leased

    def report(self, work: Work, **result: Any) -> Body:
        """Report the outcome of an image and return its phase.

        The site ignores the report if the attempt is outdated, because another worker has the image.
        """
        result.update(key=work.key, attempt=work.item["attempt"])
        answer = self._report(work.phase, [result])
        with self._lock:
            self._leased.pop(work.item["id"], None)
        outcome = answer["results"][0]
        if outcome["outcome"] not in ("applied", "duplicate"):
            log.warning("not counted %s: %s, %s", work.key, outcome["outcome"], outcome.get("detail", ""))
        return dict(answer["phase"])

    def _report(self, phase: str, results: list[Body]) -> Body:
        body = {"worker": self.worker, "results": results}
        return dict(self.session.server.post(f"{self.session.job}/phases/{phase}/report", body))

    def _add(self, works: list[Work]) -> list[Work]:
        with self._lock:
            self._leased.update({work.item["id"]: work for work in works})
        return works

    def _give_back(self) -> None:
        """Give back images that were not started, so that other workers need not wait for the leases to end."""
        with self._lock:
            works, self._leased = list(self._leased.values()), {}
        for phase in {work.phase for work in works}:
            items = [work.item for work in works if work.phase == phase]
            back = [{"key": item["key"], "attempt": item["attempt"], "status": "pending"} for item in items]
            self._report(phase, back)
            log.info("gave back %d images of %s", len(items), phase)

    def _send_heartbeats(self) -> None:
        """Renew the leases three times within their length, in a thread with its own connection."""
        options = self._options
        server = Connection(options.url, token=options.token, stop=self._ended, last_tries=0)
        while not self._ended.wait(options.lease / 3):
            with self._lock:
                mine = list(self._leased)
            try:
                answer = server.post(f"{self.session.job}/heartbeat", {"worker": self.worker, "items": mine})
            except (GaveUp, Refused) as error:
                log.warning("no heartbeat: %s", error)
                continue
            self._forget(mine if answer["cancel_requested"] else answer["lost"])

    def _forget(self, ids: list[int]) -> None:
        """Drop images whose leases were lost or whose job was cancelled."""
        with self._lock:
            lost = [self._leased.pop(number).key for number in ids if number in self._leased]
        for key in lost:
            log.warning("lost the lease of %s", key)
