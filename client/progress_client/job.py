"""A job, as a worker or an operator sees it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from progress_client import file_listing, forks, job_watch
from progress_client.bar import bar
from progress_client.buffer import MOST_RESULTS, Address
from progress_client.claim_loop import PhaseWork, Wish, Work
from progress_client.cursor_pages import pages
from progress_client.file_listing import NewItem
from progress_client.items import Item, as_object, sayable
from progress_client.job_calls import Answer, Verbs
from progress_client.session import Core

log = logging.getLogger(__name__)

LEASE_SECONDS = 90


class Job(Verbs[Any], forks.Unpicklable):
    """One job. `body` is what the server said of it last, the shape of GET /jobs/{id}."""

    def __init__(self, core: Core, body: Answer) -> None:
        self._core = core
        self.id: int = body["id"]
        self.name: str = body["name"]
        self.body = body

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r}, {self.status}>"

    @property
    def status(self) -> str:
        """pending, processing, paused, completed, failed or cancelled, when it was looked at last."""
        return str(self.body["status"])

    @property
    def first_phase(self) -> str:
        """The code of the first phase."""
        return str(self.body["phases"][0]["code"])

    def refresh(self) -> Job:
        """Look again."""
        self.body = self._call("GET", f"/jobs/{self.id}")
        return self

    def add_items(self, items: Iterable[NewItem], *, phase: str | None = None, reopen: bool = False) -> Answer:
        """Add items to a phase, those that it has are left alone. → {"added", "existing"}

        An item whose name is not UTF-8 is listed with escapes (`caf\\xe9.jpg`) and fails at once, and the others go on.
        `reopen`: new items of a finished phase begin a new run of it; without they are refused (WrongState).
        """
        bodies, unreadable = file_listing.readable(items)
        total = self._add(bodies, phase=phase, reopen=reopen)
        self._fail_unreadable(unreadable, phase=phase)
        return total

    def items(self, *, phase: str | None = None, status: str = "", split: str = "", q: str = "") -> Iterator[Answer]:
        """The items of a phase as the server lists them, page by page."""
        return pages(self._core.call, f"{self._phase(phase)}/items", status=status, split=split, q=q)

    def claim(
        self,
        *,
        batch: int = 100,
        worker: str | None = None,
        phase: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
        progress: bool | None = None,
    ) -> Iterator[Item]:
        """Items to do, each once, `batch` claimed together; use each with `with item:`.

        It ends when the phase or the job is over, or was cancelled; until then it waits for items that others hold
        and that come later, unless `wait` is False. The leases are renewed meanwhile. `progress` asks for a progress
        bar, or for none; without it there is one where stderr is a terminal.
        """
        wish = Wish(worker or self._core.worker, batch, lease_seconds, wait)
        shown = bar(self.name, wanted=progress)
        code = self.first_phase if phase is None else phase
        return handed_out(PhaseWork(self._core, wish, job=self.id, phase=code, bar=shown))

    def tell(
        self, key: str, *, status: str = "completed", error: str = "", result: Any = None, phase: str | None = None
    ) -> None:
        """Say what became of an item that nobody claimed; it is written down now and told soon, with others.

        For services that get their work elsewhere: again under the same key it is counted once.
        """
        body: Answer = {"key": file_listing.utf8(key), "status": status}
        if error:
            body["error"] = sayable(error)
        if result is not None:
            body["result"] = as_object(result)
        self._core.outbox.tell(Address(self.id, self._code(phase), self._core.worker), body)

    def watch(self) -> Iterator[Answer]:
        """The job's body now and after every change, until it is completed, failed or cancelled."""
        for body in job_watch.watch(self._core.transport, self.id, patience=self._core.patience, stop=self._core.stop):
            self.body = body
            yield body

    def _add(self, bodies: Sequence[Answer], *, phase: str | None, reopen: bool) -> Answer:
        total = {"added": 0, "existing": 0}
        for portion in file_listing.portions(bodies):
            answer = self._call("POST", f"{self._phase(phase)}/items", {"items": portion, "reopen": reopen})
            total = {name: total[name] + answer[name] for name in total}
        return total

    def _fail_unreadable(self, reasons: Mapping[str, str], *, phase: str | None = None) -> None:
        """Items whose names no site can keep fail at once, each with its reason."""
        results = [{"key": key, "status": "failed", "error": reason} for key, reason in reasons.items()]
        for reason in reasons.values():
            log.warning("job %d: %s", self.id, reason)
        for start in range(0, len(results), MOST_RESULTS):
            self.report(results[start : start + MOST_RESULTS], phase=phase)

    def _call(self, method: str, path: str, body: Answer | None = None) -> Any:
        return self._core.call(method, path, body)

    def _count(self, address: Address, body: Answer) -> Any:
        return self._core.count(address, body)

    @property
    def _worker(self) -> str:
        return self._core.worker


def handed_out(work: Work) -> Iterator[Item]:
    """The items of a loop; who leaves it gives back what it was not handed."""
    work.arm()
    work.begin()
    try:
        while True:
            item = work.next()
            if item is None:
                return
            yield item
    finally:
        work.close()
