"""Calls on a job, shared by `Job` and `AsyncJob`: each type is that of the response, or of an awaitable of it."""

# Responses are checked against their shape when they arrive (progress_client.answers), and typed here.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID, uuid4

from progress_client.buffer import Address
from progress_client.request_bodies import OutcomeBody

Announced = TypeVar("Announced")
Counted = TypeVar("Counted")
Reported = TypeVar("Reported")
Beat = TypeVar("Beat")
Phase = TypeVar("Phase")
Figures = TypeVar("Figures")
Groups = TypeVar("Groups")
Attempts = TypeVar("Attempts")
Timeline = TypeVar("Timeline")
Act = TypeVar("Act")
Answer = dict[str, Any]


class JobCalls(ABC, Generic[Announced, Counted, Reported, Beat, Phase, Figures, Groups, Attempts, Timeline, Act]):
    """The REST calls on a job under their REST names. Each may be repeated after a lost response.

    `phase` is the code of a phase, by default the first one. Each call returns the body of the response. It raises
    Refused (NotFound, NotPermitted, WrongState) if the site rejects it, and Unavailable if the site does not answer.
    """

    id: int

    @property
    @abstractmethod
    def first_phase(self) -> str:
        """The code of the first phase."""

    @abstractmethod
    def _call(self, method: str, path: str, body: Answer | None = None) -> Any:
        """Send a request and return the body of the response."""

    @abstractmethod
    def _count(self, address: Address, body: Answer) -> Any:
        """Store counts in the journal, then send them."""

    @property
    @abstractmethod
    def _worker(self) -> str:
        """The name of the worker."""

    # --- workers ---------------------------------------------------------------------------------

    def announce(self, expected: int, *, phase: str | None = None, event_id: UUID | str | None = None) -> Announced:
        """Announce the expected total. → {"applied", "reason", "phase"}"""
        body = {"expected": expected, "event_id": str(event_id or uuid4())}
        return self._call("POST", f"{self._phase(phase)}/announce", body)

    def report(
        self,
        results: Sequence[OutcomeBody | Mapping[str, Any]],
        *,
        phase: str | None = None,
        worker: str | None = None,
    ) -> Reported:
        """Report outcomes of items now, at most 1000: {"key", "status", "attempt"?, "error"?, "result"?,
        "retry"?, "retry_after"?, "log"?, "links"?}.

        → {"results": [{"key", "outcome", "status", "detail"?, "available_at"?}], "phase", "cancel_requested"}
        """
        body = {"worker": self._worker if worker is None else worker, "results": [dict(row) for row in results]}
        return self._call("POST", f"{self._phase(phase)}/report", body)

    def count(
        self,
        *,
        done: int = 0,
        failed: int = 0,
        skipped: int = 0,
        phase: str | None = None,
        event_id: UUID | str | None = None,
    ) -> Counted:
        """Add to the counts of a phase without items. → {"applied", "phase"}

        The counts are stored in the journal with their `event_id` before they are sent. After Unavailable they are sent
        later, if need be by the next process, and are never counted twice.
        """
        body = {"done": done, "failed": failed, "skipped": skipped, "event_id": str(event_id or uuid4())}
        return self._count(Address(self.id, self._code(phase)), body)

    def heartbeat(
        self,
        *,
        worker: str | None = None,
        items: Iterable[int] | None = None,
        message: str | None = None,
        progress: int | None = None,
    ) -> Beat:
        """Send a heartbeat that renews the leases of these items, or of all items of the worker in the job.

        Without `items` it renews every lease under this worker's name, so only one process may use the name: otherwise
        a live process keeps the leases of a dead one. Claim loops send heartbeats for their items by themselves.
        Another `message` or `progress` (0 to 100) than before is progress of the job: it is not stalled.
        → {"job_status", "cancel_requested", "leases", "lost"}
        """
        named = None if items is None else list(items)
        body = {"worker": worker or self._worker, "items": named, "message": message, "progress": progress}
        return self._call("POST", f"{self._path}/heartbeat", _given(body))

    def start(self, *, phase: str | None = None) -> Phase:
        """Start a phase without items. → the phase"""
        return self._call("POST", f"{self._phase(phase)}/start", {})

    def finish(self, *, phase: str | None = None) -> Phase:
        """Finish a phase with its current counts; on a phase with items, declare its list complete. → the phase"""
        return self._call("POST", f"{self._phase(phase)}/finish", {})

    def fail(self, error: str = "", *, phase: str | None = None) -> Phase:
        """Fail a phase without items. → the phase"""
        return self._call("POST", f"{self._phase(phase)}/fail", {"error": error})

    # --- reading -----------------------------------------------------------------------------------

    def progress(self, *, phase: str | None = None) -> Figures:
        """Fetch the live counts of the job or of one phase. → {"total", "processed", "error", …, "by_split"}"""
        return self._call("GET", f"{self._path}/progress{_query(phase=phase)}")

    def errors(self) -> Groups:
        """Fetch the failures grouped by error, the most frequent first. → [{"signature", "sample", "count", …}]"""
        return self._call("GET", f"{self._path}/errors")

    def attempts(self, item: int, *, phase: str | None = None) -> Attempts:
        """Fetch the last ended attempts of an item, newest first, with their logs and links. → {"results"}"""
        return self._call("GET", f"{self._phase(phase)}/items/{int(item)}/attempts")

    def timeline(self, *, limit: int = 50, cursor: str = "") -> Timeline:
        """Fetch the timeline, the newest event first. → {"results", "next"}"""
        return self._call("GET", f"{self._path}/timeline{_query(limit=limit, cursor=cursor)}")

    # --- operators; each act needs a permission and is recorded with account, time and reason ----------

    def retry(
        self,
        *,
        phase: str | None = None,
        items: Iterable[int] | None = None,
        error_signature: str | None = None,
        reason: str = "",
    ) -> Act:
        """Make failed items pending and waiting ones due. Every act returns {"changed", "refused", "detail", "job"}."""
        which = {"phase": phase, "items": None if items is None else list(items), "error_signature": error_signature}
        return self._act("retry", reason, **which)

    def release(
        self, *, phase: str | None = None, items: Iterable[int] | None = None, all: bool = False, reason: str = ""
    ) -> Act:
        """Make processing items without a valid lease pending again; with `all`, also leased ones."""
        named = None if items is None else list(items)
        return self._act("release", reason, phase=phase, items=named, all=all)

    def lift(self, *, worker: str | None = None, phase: str | None = None, reason: str = "") -> Act:
        """Let quarantined workers, or this one, claim again before the end of their pause."""
        return self._act("lift", reason, worker=worker, phase=phase)

    def skip(self, items: Iterable[int], *, reason: str = "") -> Act:
        """Count these items as done without processing them."""
        return self._act("skip", reason, items=list(items))

    def force_complete(self, *, phase: str | None = None, reason: str) -> Act:
        """Complete every open phase, or this one, with its current counts."""
        return self._act("force-complete", reason, phase=phase)

    def give_up(self, *, reason: str = "") -> Act:
        """Fail the job: `POST /jobs/{id}/fail`. (`fail` is the call on a phase.)"""
        return self._act("fail", reason)

    def cancel(self, *, reason: str = "") -> Act:
        """Cancel the job."""
        return self._act("cancel", reason)

    def pause(self, *, reason: str = "") -> Act:
        """Pause the job: no items are leased until it is resumed."""
        return self._act("pause", reason)

    def resume(self, *, reason: str = "") -> Act:
        """Resume a paused job."""
        return self._act("resume", reason)

    def retries(
        self,
        retries: int,
        *,
        phase: str | None = None,
        retry_delay: int | None = None,
        retry_delay_max: int | None = None,
        reason: str = "",
    ) -> Act:
        """Set how often the failed items of a phase are retried by themselves, and the delays in seconds."""
        delays = {"retry_delay": retry_delay, "retry_delay_max": retry_delay_max}
        return self._act("retries", reason, phase=self._code(phase), retries=retries, **delays)

    def threshold(self, threshold: int, *, phase: str | None = None, reason: str = "") -> Act:
        """Set the percentage of successes that completes a phase."""
        return self._act("threshold", reason, phase=self._code(phase), threshold=threshold)

    def due(
        self, due_at: datetime | str | None = None, *, expected_seconds: int | None = None, reason: str = ""
    ) -> Act:
        """Set the time after which the unfinished job is late, or the seconds from its start; neither removes it.

        A `datetime` needs a time zone.
        """
        return self._act("due", reason, due_at=moment(due_at), expected_seconds=expected_seconds)

    def restart(self, *, phase: str | None = None, only: str = "all", reason: str = "") -> Act:
        """Start a new run of a phase, over all of its items or only the "failed" ones."""
        return self._act("restart", reason, phase=self._code(phase), only=only)

    def priority(self, priority: int, *, reason: str = "") -> Act:
        """Set the priority, -100 to 100: claims over all jobs take the highest first."""
        return self._act("priority", reason, priority=priority)

    def limit(self, max_leased: int | None, *, phase: str | None = None, reason: str = "") -> Act:
        """Limit how many items of a phase are leased at once; None removes the limit."""
        body = {"phase": self._code(phase), "max_leased": max_leased, "reason": reason}
        return self._call("POST", f"{self._path}/limit", body)

    def delete(self, *, undelivered: bool = False, reason: str) -> Act:
        """Delete a job that is over, for good. → {"changed", "refused", "detail"}

        With `undelivered` also while events wait for their delivery; they are not sent then.
        """
        return self._call("DELETE", self._path, {"undelivered": undelivered, "reason": reason})

    # --- private -----------------------------------------------------------------------------------

    @property
    def _path(self) -> str:
        return f"/jobs/{self.id}"

    def _code(self, phase: str | None) -> str:
        return self.first_phase if phase is None else phase

    def _phase(self, phase: str | None) -> str:
        return Address(self.id, self._code(phase)).path

    def _act(self, act: str, reason: str, **which: Any) -> Act:
        return self._call("POST", f"{self._path}/{act}", {**_given(which), "reason": reason})


def moment(at: datetime | str | None) -> str | None:
    """Format a time as the API wants it; ValueError for a `datetime` without a time zone."""
    if isinstance(at, datetime) and at.tzinfo is None:
        raise ValueError("Give the time a time zone, such as datetime.now(timezone.utc).")
    return at.isoformat() if isinstance(at, datetime) else at


def _given(body: Answer) -> Answer:
    return {name: value for name, value in body.items() if value is not None}


def _query(**parameters: Any) -> str:
    given = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"?{given}" if given else ""
