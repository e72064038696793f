"""The client of a Progress Site."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from progress_client import file_listing, forks
from progress_client.claim_loop import ClaimOptions, CommonClaimLoop
from progress_client.cursor_pages import pages
from progress_client.errors import NotFound
from progress_client.file_listing import NewItem
from progress_client.items import Item
from progress_client.job import LEASE_SECONDS, Job, claimed_items
from progress_client.job_calls import Answer, moment
from progress_client.request_bodies import NewPhaseBody
from progress_client.route import Certificates
from progress_client.session import RETRY_SECONDS, Session, default_journal

JOURNAL = "PROGRESS_JOURNAL"


class Client(forks.Unpicklable):
    """A connection to a site, for one process and any number of threads.

    `url` and `token` default to PROGRESS_URL and PROGRESS_TOKEN. `worker` is the worker name of this client, by default
    host, process id and a random suffix. A name of your own must be unique: the site treats two processes with one name
    as one worker. `version` is the version of your program (PROGRESS_VERSION), shown to operators beside the name.
    `retry_for` is how many seconds a call is retried while the site does not answer; `patience` is its older name.
    Claim loops and outcomes are retried without limit. `journal` is the folder of outcomes that the site has not
    confirmed yet: PROGRESS_JOURNAL, else a folder in the user's state directory. None keeps them in memory only.
    `ca` is a file or folder of certificates of authorities to trust beside those of the system (PROGRESS_CA). The
    proxy is that of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.

    Leaving `with` (or `close`) gives back unfinished items and reports waiting outcomes. A forked child may use the
    same client and its jobs. There it has its own connections, threads and journal, and its worker name ends in its
    process id.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        worker: str | None = None,
        version: str | None = None,
        retry_for: float = RETRY_SECONDS,
        journal: Path | str | None = JOURNAL,
        patience: float | None = None,
        ca: Certificates = None,
    ) -> None:
        retry_for = retry_for if patience is None else patience
        folder = default_journal() if journal == JOURNAL else journal
        self._session = Session(url, token, worker=worker, version=version, retry_for=retry_for, journal=folder, ca=ca)

    @property
    def worker(self) -> str:
        """The worker name of this process."""
        return self._session.worker

    def job(
        self,
        name: str,
        *,
        items: Iterable[NewItem] | None = None,
        phases: Iterable[NewPhaseBody | Answer] | None = None,
        kind: str | None = None,
        project: str | None = None,
        metadata: Answer | None = None,
        threshold: int | None = None,
        retries: int | None = None,
        retry_delay: int | None = None,
        retry_delay_max: int | None = None,
        priority: int | None = None,
        asset_types: Iterable[str] | None = None,
        due_at: datetime | str | None = None,
        expected_seconds: int | None = None,
        silent_after: int | None = None,
        stalled_after: int | None = None,
        reopen: bool = False,
    ) -> Job:
        """Create a job, or find the job of this name and add new items to its first phase.

        An item is its key or {"key", "label"?, "split"?, "payload"?}. Without `items` the expected total is unknown
        until it is announced; `items=[]` means a total of 0. An item whose name is not UTF-8 is listed with escapes and
        fails at once, with an error that names it. A failed item is retried by itself `retries` times, after
        `retry_delay` seconds and twice as many each time, at most `retry_delay_max`. Claims over all jobs take the
        highest `priority` (-100 to 100, default 0) first. `reopen`: new items of a finished job start a new run. The
        job is late if it is unfinished at `due_at`, or `expected_seconds` after its start. `silent_after` and
        `stalled_after` are the seconds without a sign of life and without progress after which it is stuck.
        """
        options = {
            "phases": None if phases is None else list(phases),
            "kind": kind,
            "project": project,
            "metadata": metadata,
            "threshold": threshold,
            "retries": retries,
            "retry_delay": retry_delay,
            "retry_delay_max": retry_delay_max,
            "priority": priority,
            "due_at": moment(due_at),
            "expected_seconds": expected_seconds,
            "silent_after": silent_after,
            "stalled_after": stalled_after,
            "asset_types": None if asset_types is None else list(asset_types),
            "reopen": reopen,
        }
        bodies, unreadable = file_listing.readable(items or ())
        body, rest = file_listing.creation(name, None if items is None else bodies, options)
        job = Job(self._session, self._session.call("POST", "/jobs", body))
        for portion in rest:
            job.add_items(portion, reopen=reopen)
        if unreadable:
            job._fail_unreadable(unreadable)
        return job.refresh() if rest or unreadable else job

    def find(self, name: str) -> Job | None:
        """Find the job of exactly this name; None if the token can see no such job."""
        return next(self.jobs(name=name), None)

    def open(self, job_id: int) -> Job:
        """Fetch the job of this id. NotFound if the token can see no such job."""
        return Job(self._session, self._session.call("GET", f"/jobs/{int(job_id)}"))

    def named(self, id_or_name: int | str) -> Job:
        """Find a job by its id or its name. A number is tried as an id first. NotFound if there is no such job."""
        text = str(id_or_name)
        if text.isascii() and text.isdigit():
            with contextlib.suppress(NotFound):
                return self.open(int(text))
        found = self.find(text)
        if found is None:
            raise NotFound(404, {"detail": f"There is no job {text!r}.", "code": "not_found"})
        return found

    def jobs(self, **query: Any) -> Iterator[Job]:
        """Iterate over the visible jobs.

        Filters: `status`, `kind`, `project`, `stuck`, `late`, `partial`, `name`, `q`, `ordering`.
        """
        texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        return (Job(self._session, body) for body in pages(self._session.call, "/jobs", **texts))

    def claim(
        self,
        *,
        phase: str,
        kind: str = "",
        batch: int | None = None,
        worker: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
    ) -> Iterator[Item]:
        """Iterate over the oldest items of any job that has this phase.

        The loop waits for more items until it is stopped. With `wait=False` it ends when there is none.
        """
        options = ClaimOptions(worker or self._session.worker, batch, lease_seconds, wait)
        return claimed_items(CommonClaimLoop(self._session, options, phase=phase, kind=kind))

    @property
    def refused(self) -> list[Answer]:
        """The outcomes that the site has rejected, the oldest first, of all processes with this journal.

        They are in the dead file beside the journal: {"at", "job", "phase", "worker", "key", "status", "code",
        "detail"} and the sent body, as `result` or `count`. `code` is `closed` or `invalid` if the site rejected this
        item in a report that it accepted. Fix the cause and call `replay(refused=True)`, or delete the file.
        """
        return self._session.dead.rows()

    def replay(self, *, refused: bool = False, timeout: float = RETRY_SECONDS, patience: float | None = None) -> bool:
        """Send the outcomes that earlier processes left in the journal; True when the site has confirmed all.

        With `refused`, send the outcomes of the dead file once more; those that are rejected again stay in it.
        `timeout` is in seconds; `patience` is its older name.
        """
        self._session.outbox.adopt()
        if refused:
            self._session.outbox.retry_refused()
        return self.flush(timeout=timeout, patience=patience)

    def flush(self, *, timeout: float = RETRY_SECONDS, patience: float | None = None) -> bool:
        """Send all waiting outcomes now; True when the site has confirmed all within `timeout` seconds.

        `patience` is the older name of `timeout`.
        """
        return self._session.outbox.flush(timeout=timeout if patience is None else patience)

    def stop(self) -> None:
        """End every claim loop after its current item. Call it from any thread or from a signal handler."""
        self._session.stop.set()

    def close(self) -> None:
        """Give back unfinished items and send waiting outcomes; unsent ones stay in the journal."""
        self._session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
