"""A job and the calls on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from progress_client import bodies as b
from progress_client import file_listing, forks, job_watch
from progress_client.bar import bar
from progress_client.buffer import MOST_RESULTS, Address
from progress_client.claim_loop import ClaimLoop, ClaimOptions, PhaseClaimLoop
from progress_client.cursor_pages import pages
from progress_client.file_listing import NewItem
from progress_client.items import Item, as_json_object, clean_sentence
from progress_client.job_calls import Answer, JobCalls
from progress_client.session import Session

log = logging.getLogger(__name__)

LEASE_SECONDS = 90


class Job(
    JobCalls[
        b.Announced,
        b.Counted,
        b.Reported,
        b.Beat,
        b.PhaseBody,
        b.Figures,
        list[b.ErrorGroup],
        b.Attempts,
        b.Timeline,
        b.Act,
    ],
    forks.Unpicklable,
):
    """One job. `body` is its latest state from the server, in the shape of GET /jobs/{id}."""

    def __init__(self, session: Session, body: b.JobBody) -> None:
        self._session = session
        self.id = body["id"]
        self.name = body["name"]
        self.body = body

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r}, {self.status}>"

    @property
    def status(self) -> str:
        """The status in `body`: pending, processing, paused, completed, failed or cancelled."""
        return str(self.body["status"])

    @property
    def first_phase(self) -> str:
        """The code of the first phase."""
        return str(self.body["phases"][0]["code"])

    def refresh(self) -> Job:
        """Fetch the current state."""
        self.body = self._call("GET", f"/jobs/{self.id}")
        return self

    def add_items(self, items: Iterable[NewItem], *, phase: str | None = None, reopen: bool = False) -> b.Added:
        """Add items to a phase; existing items stay as they are. → {"added", "existing"}

        An item whose name is not UTF-8 is listed with escapes (`caf\\xe9.jpg`) and fails at once.
        `reopen`: new items of a finished phase start a new run of it. Without it they are rejected (WrongState).
        """
        bodies, unreadable = file_listing.readable(items)
        total = self._add(bodies, phase=phase, reopen=reopen)
        self._fail_unreadable(unreadable, phase=phase)
        return total

    def items(
        self, *, phase: str | None = None, status: str = "", split: str = "", q: str = ""
    ) -> Iterator[b.ItemBody]:
        """Iterate over the items of a phase, one request per page."""
        return pages(self._session.call, f"{self._phase(phase)}/items", status=status, split=split, q=q)

    def claim(
        self,
        *,
        batch: int | None = None,
        worker: str | None = None,
        phase: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
        progress: bool | None = None,
    ) -> Iterator[Item]:
        """Iterate over items to process, claimed `batch` at a time; use each with `with item:`.

        Without `batch` the first claim takes 100, and those of quick items up to 1000.

        The loop ends when the phase or the job has ended. Until then it waits for items that are added later or that
        other workers give back; with `wait=False` it ends when no item is pending. Leases of `lease_seconds` are
        renewed in the background. `progress` shows or hides a progress bar, by default shown if stderr is a terminal.
        """
        options = ClaimOptions(worker or self._session.worker, batch, lease_seconds, wait)
        shown = bar(self.name, wanted=progress)
        code = self.first_phase if phase is None else phase
        return claimed_items(PhaseClaimLoop(self._session, options, job=self.id, phase=code, bar=shown))

    def tell(
        self, key: str, *, status: str = "completed", error: str = "", result: Any = None, phase: str | None = None
    ) -> None:
        """Store the outcome of an item now and report it soon, together with other outcomes; the item needs no claim.

        For services that get their work elsewhere. A repeated outcome of the same key is counted once.
        """
        body: Answer = {"key": file_listing.utf8(key), "status": status}
        if error:
            body["error"] = clean_sentence(error)
        if result is not None:
            body["result"] = as_json_object(result)
        self._session.outbox.report_later(Address(self.id, self._code(phase), self._session.worker), body)

    def watch(self) -> Iterator[b.JobBody]:
        """Yield the job's body now and after every change, until it is completed, failed or cancelled."""
        for body in job_watch.watch(
            self._session.transport, self.id, retry_for=self._session.retry_for, stop=self._session.stop
        ):
            self.body = body
            yield body

    def _add(self, bodies: Sequence[Answer], *, phase: str | None, reopen: bool) -> b.Added:
        total: b.Added = {"added": 0, "existing": 0}
        for portion in file_listing.portions(bodies):
            answer = self._call("POST", f"{self._phase(phase)}/items", {"items": portion, "reopen": reopen})
            total = {"added": total["added"] + answer["added"], "existing": total["existing"] + answer["existing"]}
        return total

    def _fail_unreadable(self, reasons: Mapping[str, str], *, phase: str | None = None) -> None:
        """Report items whose names are not UTF-8 as failed, each with its error."""
        results = [{"key": key, "status": "failed", "error": reason} for key, reason in reasons.items()]
        for reason in reasons.values():
            log.warning("job %d: %s", self.id, reason)
        for start in range(0, len(results), MOST_RESULTS):
            self.report(results[start : start + MOST_RESULTS], phase=phase)

    def _call(self, method: str, path: str, body: Answer | None = None) -> Any:
        return self._session.call(method, path, body)

    def _count(self, address: Address, body: Answer) -> Any:
        return self._session.count(address, body)

    @property
    def _worker(self) -> str:
        return self._session.worker


def claimed_items(loop: ClaimLoop) -> Iterator[Item]:
    """Yield the items of a claim loop. When the caller leaves it, give back the other claimed items."""
    loop.arm()
    loop.begin()
    try:
        while True:
            item = loop.next()
            if item is None:
                return
            yield item
    finally:
        loop.close()
