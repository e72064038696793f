"""The door to a Progress Site."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from progress_client import file_listing, forks
from progress_client.claim_loop import AnyWork, Wish
from progress_client.cursor_pages import pages
from progress_client.errors import NotFound
from progress_client.file_listing import NewItem
from progress_client.items import Item
from progress_client.job import LEASE_SECONDS, Job, handed_out
from progress_client.job_calls import Answer
from progress_client.session import PATIENCE, Core, default_journal

JOURNAL = "PROGRESS_JOURNAL"


class Client(forks.Unpicklable):
    """A connection to a site, for one process and any number of threads.

    `url` and `token` come from PROGRESS_URL and PROGRESS_TOKEN where they are left out. `worker` is the name of this
    client among workers (host, process id and a random end); a name of your own must be used by no other process, or
    the two are one worker to the site. `version` is that of its program (PROGRESS_VERSION), which operators see beside
    it. `patience` is for how many seconds a call is tried again while there is no answer; loops over `claim` and
    outcomes go on for ever. `journal` is the folder where outcomes wait until they are told, PROGRESS_JOURNAL or one in
    the user's state; None: in memory only.

    Leaving `with` (or `close`) gives back what is not done and tells what waits. A forked child may use the same client
    and its jobs: it has its own connections, threads and journal there, and its worker's name ends in its process id.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        worker: str | None = None,
        version: str | None = None,
        patience: float = PATIENCE,
        journal: Path | str | None = JOURNAL,
    ) -> None:
        folder = default_journal() if journal == JOURNAL else journal
        self._core = Core(url, token, worker=worker, version=version, patience=patience, journal=folder)

    @property
    def worker(self) -> str:
        """The name of this process among workers."""
        return self._core.worker

    def job(
        self,
        name: str,
        *,
        items: Iterable[NewItem] | None = None,
        phases: Iterable[Answer] | None = None,
        kind: str | None = None,
        project: str | None = None,
        metadata: Answer | None = None,
        threshold: int | None = None,
        asset_types: Iterable[str] | None = None,
        reopen: bool = False,
    ) -> Job:
        """Create a job, or find the one of this name and add the items that are new to its first phase.

        An item is its key or {"key", "label"?, "split"?, "payload"?}. Without items nobody has said yet how many there
        are; `items=[]` says that there are none. An item whose name is not UTF-8 is listed with escapes and fails
        at once, with a sentence that names it. `reopen`: new items of a finished job begin a new run.
        """
        options = {
            "phases": None if phases is None else list(phases),
            "kind": kind,
            "project": project,
            "metadata": metadata,
            "threshold": threshold,
            "asset_types": None if asset_types is None else list(asset_types),
            "reopen": reopen,
        }
        bodies, unreadable = file_listing.readable(items or ())
        body, rest = file_listing.creation(name, None if items is None else bodies, options)
        job = Job(self._core, self._core.call("POST", "/jobs", body))
        for portion in rest:
            job.add_items(portion, reopen=reopen)
        if unreadable:
            job._fail_unreadable(unreadable)
        return job.refresh() if rest or unreadable else job

    def find(self, name: str) -> Job | None:
        """The job of exactly this name, None where there is none within sight."""
        return next(self.jobs(name=name), None)

    def open(self, job_id: int) -> Job:
        """The job of this id. NotFound where there is none within sight."""
        return Job(self._core, self._core.call("GET", f"/jobs/{int(job_id)}"))

    def named(self, id_or_name: int | str) -> Job:
        """The job that people mean by an id or by a name; a number is an id first."""
        text = str(id_or_name)
        if text.isascii() and text.isdigit():
            with contextlib.suppress(NotFound):
                return self.open(int(text))
        found = self.find(text)
        if found is None:
            raise NotFound(404, {"detail": f"There is no job {text!r}.", "code": "not_found"})
        return found

    def jobs(self, **query: Any) -> Iterator[Job]:
        """Jobs within sight: `status`, `kind`, `project`, `stuck`, `partial`, `name`, `q`, `ordering`."""
        texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        return (Job(self._core, body) for body in pages(self._core.call, "/jobs", **texts))

    def claim(
        self,
        *,
        phase: str,
        kind: str = "",
        batch: int = 100,
        worker: str | None = None,
        lease_seconds: int = LEASE_SECONDS,
        wait: bool = True,
    ) -> Iterator[Item]:
        """The oldest items of any job that has this phase. It waits for more until it is stopped, or with `wait`
        False ends when there is nothing."""
        wish = Wish(worker or self._core.worker, batch, lease_seconds, wait)
        return handed_out(AnyWork(self._core, wish, phase=phase, kind=kind))

    @property
    def refused(self) -> list[Answer]:
        """The outcomes that the site has refused for good, the oldest first; of all processes with this journal.

        They are in the dead file beside the journal: {"at", "job", "phase", "worker", "key", "status", "code",
        "detail"} and what was sent, as `result` or `count`. `code` is `closed` or `invalid` where the answer to the
        item said so. Delete the file when they are of no use, or `replay(refused=True)` when the cause is mended.
        """
        return self._core.dead.rows()

    def replay(self, *, refused: bool = False, patience: float = PATIENCE) -> bool:
        """Tell what earlier processes could not; True when nothing waits any more.

        With `refused` the outcomes of the dead file are sent once more; it keeps what is refused again.
        """
        self._core.outbox.adopt()
        if refused:
            self._core.outbox.retry_refused()
        return self._core.outbox.flush(patience=patience)

    def flush(self, *, patience: float = PATIENCE) -> bool:
        """Tell what waits now rather than soon; True when everything was answered."""
        return self._core.outbox.flush(patience=patience)

    def stop(self) -> None:
        """End every loop after the item in hand; may be called from any thread and from a signal handler."""
        self._core.stop.set()

    def close(self) -> None:
        """Give back what is not done, tell what waits; what cannot be told stays in the journal."""
        self._core.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
