"""The images that a worker holds, and the heartbeat that keeps them."""

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
    """One image of one phase that this worker has claimed."""

    phase: str
    item: Body

    @property
    def key(self) -> str:
        """The path of the image below the folder."""
        return str(self.item["key"])


class Claims:
    """Takes some images at a time, of whichever phase has any."""

    def __init__(self, session: Session, options: argparse.Namespace) -> None:
        self.session = session
        self.worker: str = options.worker
        self._options = options
        self._held: dict[int, Work] = {}
        self._lock = Lock()
        self._gone = Event()
        self._heart = Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        """Begin to tell the site that this worker is there."""
        self._heart.start()

    def end(self) -> None:
        """Return what is held; then nothing is told any more."""
        self._give_back()
        self._gone.set()
        self._heart.join(timeout=5)

    def next(self) -> list[Work]:
        """Some images, or none. If the answer is lost, they come back when their lease ends."""
        wanted = {"worker": self.worker, "limit": self._options.batch, "lease_seconds": self._options.lease}
        for phase in CLAIMED:
            items = self.session.server.post(f"{self.session.job}/phases/{phase}/claim", wanted)["items"]
            if items:
                return self._hold([Work(phase, item) for item in items])
        return []

    def holds(self, work: Work) -> bool:
        """False once a heartbeat was told that it is no longer ours."""
        with self._lock:
            return work.item["id"] in self._held

    def report(self, work: Work, **result: Any) -> Body:
        """Tell what became of an image; its phase as it is now.

        The attempt of the claim is the fence: who lost the image changes nothing.
        """
        result.update(key=work.key, attempt=work.item["attempt"])
        answer = self._report(work.phase, [result])
        with self._lock:
            self._held.pop(work.item["id"], None)
        outcome = answer["results"][0]
        if outcome["outcome"] not in ("applied", "duplicate"):
            log.warning("not counted %s: %s, %s", work.key, outcome["outcome"], outcome.get("detail", ""))
        return dict(answer["phase"])

    def _report(self, phase: str, results: list[Body]) -> Body:
        body = {"worker": self.worker, "results": results}
        return dict(self.session.server.post(f"{self.session.job}/phases/{phase}/report", body))

    def _hold(self, works: list[Work]) -> list[Work]:
        with self._lock:
            self._held.update({work.item["id"]: work for work in works})
        return works

    def _give_back(self) -> None:
        """Nobody has to wait for the leases of what was not begun."""
        with self._lock:
            works, self._held = list(self._held.values()), {}
        for phase in {work.phase for work in works}:
            items = [work.item for work in works if work.phase == phase]
            back = [{"key": item["key"], "attempt": item["attempt"], "status": "pending"} for item in items]
            self._report(phase, back)
            log.info("gave %d images of %s back", len(items), phase)

    def _beat(self) -> None:
        """Keep the leases, three times within each; runs in a thread of its own, on its own connection."""
        options = self._options
        server = Connection(options.url, token=options.token, stop=self._gone, last_tries=0)
        while not self._gone.wait(options.lease / 3):
            with self._lock:
                mine = list(self._held)
            try:
                answer = server.post(f"{self.session.job}/heartbeat", {"worker": self.worker, "items": mine})
            except (GaveUp, Refused) as error:
                log.warning("no heartbeat: %s", error)
                continue
            self._forget(mine if answer["cancel_requested"] else answer["lost"])

    def _forget(self, ids: list[int]) -> None:
        """Somebody else has these images, or nobody needs them any more."""
        with self._lock:
            lost = [self._held.pop(number).key for number in ids if number in self._held]
        for key in lost:
            log.warning("lost %s", key)
