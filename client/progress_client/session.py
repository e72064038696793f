"""Session shared by `Client` and `AsyncClient`: requests, leases, waiting outcomes and shutdown."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Any, Callable

from progress_client import forks
from progress_client.buffer import Address
from progress_client.dead_file import DeadFile
from progress_client.errors import ProgressError
from progress_client.items import Item
from progress_client.journal import Journal
from progress_client.lease_renewer import LeaseRenewer
from progress_client.leases import RENEWALS
from progress_client.outbox import Outbox
from progress_client.route import Certificates
from progress_client.transport import RETRY_FOREVER, Transport

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
CLOSE_SECONDS = 10.0
LONGEST_VERSION = 100
LONGEST_WORKER = 128
TERMINATED = 128 + signal.SIGTERM
DEFAULT_URL = "http://127.0.0.1:8000"

PhaseListener = Callable[[dict[str, Any]], None]


def default_journal() -> Path:
    """Return PROGRESS_JOURNAL, or a folder in the user's state directory."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("PROGRESS_JOURNAL") or Path(state) / "progress_client")


def worker_name() -> str:
    """Return a unique worker name: `host-4711-9f2c41d8`."""
    # Containers often have the same host name and process id.
    return f"{socket.gethostname()[:100]}-{os.getpid()}-{token_hex(4)}"


def with_process_id(name: str) -> str:
    """Append the process id: two processes with one name would renew each other's leases."""
    process = f"-{os.getpid()}"
    return name[: LONGEST_WORKER - len(process)] + process


def _checked_version(version: str | None) -> str:
    """Validate a version for the User-Agent header."""
    text = (os.environ.get("PROGRESS_VERSION", "") if version is None else version).strip()
    if len(text) > LONGEST_VERSION or set(text) & set("()") or not (text.isascii() and text.isprintable()):
        raise ProgressError("Enter a version of at most 100 printable ASCII characters, without parentheses.")
    return text


class Session:
    """One server and one token. A forked child uses the same object with its own connections, threads and files."""

    def __init__(
        self,
        url: str | None,
        token: str | None,
        *,
        worker: str | None,
        version: str | None,
        retry_for: float,
        journal: Path | str | None,
        ca: Certificates = None,
    ) -> None:
        token = (os.environ.get("PROGRESS_TOKEN", "") if token is None else token).strip()
        if not token:
            raise ProgressError("A token is needed: Client(token=…) or PROGRESS_TOKEN.")
        if not (token.isascii() and token.isprintable()):
            raise ProgressError("Enter a valid token, as printed by `manage.py token create`.")
        address = url or os.environ.get("PROGRESS_URL") or DEFAULT_URL
        self.transport = Transport(address, token=token, version=_checked_version(version), ca=ca)
        self.worker = worker or worker_name()
        self._name = worker
        self.retry_for = retry_for
        self.stop = threading.Event()
        self.cancelled: set[int] = set()
        self.listeners: dict[tuple[int, str], list[PhaseListener]] = {}
        # Reporters of integrations: called before the session closes, so that what they have collected is sent.
        self.closing: list[Callable[[], None]] = []
        self._journal = None if journal is None else Path(journal).expanduser()
        self.dead = DeadFile(self._journal, server=self.transport.url)
        self._lock = threading.RLock()
        self._outbox: Outbox | None = None
        self._lease_renewer: LeaseRenewer | None = None
        self._was_on_term: Any = None
        self._closed = False
        self._process = os.getpid()
        self._cancel_exit: Callable[[], None] | None = None
        atexit.register(self.close)
        forks.renew(self)

    # --- calls -----------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, *, retry_forever: bool = False) -> Any:
        """Make a request and return the decoded response. `retry_forever`: retry without a time limit."""
        retry_for = RETRY_FOREVER if retry_forever else self.retry_for
        return self.transport.call(method, path, body, retry_for=retry_for, stop=self.stop)

    def claim(self, path: str, body: dict[str, Any], *, job: int | None, lease: float) -> Any:
        """Claim items and return the response.

        Before every try, report outcomes of the job (None: of any job) whose leases are two thirds over. Such a lease
        may end before its outcome arrives, and the claim would return the same item again.
        """

        def report_overdue() -> None:
            self.outbox.report_overdue(job, older_than=lease * (RENEWALS - 1) / RENEWALS, stop=self.stop)

        return self.transport.call("POST", path, body, retry_for=RETRY_FOREVER, stop=self.stop, before=report_overdue)

    def count(self, address: Address, body: dict[str, Any]) -> Any:
        """Send the counts of a phase without items; they are stored in the journal first."""
        return self.outbox.count(address, body, retry_for=self.retry_for, stop=self.stop)

    @property
    def outbox(self) -> Outbox:
        """Waiting outcomes; started by the first use."""
        with self._lock:
            if self._outbox is None:
                if self._closed:
                    raise ProgressError("The client is closed.")
                self._outbox = Outbox(self.transport, self._opened_journal(), self.dead, answered=self._answered)
                self._cancel_exit = forks.at_child_exit(self.close)
            return self._outbox

    def _opened_journal(self) -> Journal | None:
        if self._journal is None:
            return None
        return Journal(self._journal, name=self.worker, server=self.transport.url)

    @property
    def lease_renewer(self) -> LeaseRenewer:
        """Leased items; started by the first use."""
        with self._lock:
            if self._lease_renewer is None:
                self._lease_renewer = LeaseRenewer(self.transport, cancelled=self.cancel)
            return self._lease_renewer

    # --- items -----------------------------------------------------------------------------------

    def lease_items(self, bodies: Sequence[Mapping[str, Any]], *, address: Address, lease: float) -> list[Item]:
        """Create the items of a claim and renew their leases. Items of the common claim name their job and phase."""
        items = [
            Item(
                body,
                job=body.get("job", address.job),
                phase=body.get("phase", address.phase),
                worker=address.worker,
                sink=self,
            )
            for body in bodies
        ]
        self.lease_renewer.take(items, lease=lease)
        return items

    def report_later(self, item: Item, outcome: dict[str, Any]) -> None:
        """Store the outcome of an item now and report it soon."""
        self.outbox.report_later(Address(item.job, item.phase, item.worker), outcome, since=item.renewed_at)
        self.lease_renewer.drop(item)

    def discard(self, item: Item) -> None:
        """Stop renewing the lease of an item, without a report."""
        self.lease_renewer.drop(item)

    def cancel(self, job: int) -> None:
        """Handle a cancelled job: end its claim loops and mark its items as lost."""
        if job not in self.cancelled:
            log.warning("job %d was cancelled", job)
        self.cancelled.add(job)
        self.lease_renewer.lose_job(job)

    def _answered(self, address: Address, answer: dict[str, Any]) -> None:
        for listen in self.listeners.get((address.job, address.phase), ()):
            listen(answer["phase"])
        if answer["cancel_requested"]:
            self.cancel(address.job)

    # --- forks -----------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        """Reset in a forked child: earlier connections, threads, journal, leases and outcomes belong to the parent."""
        self._lock = threading.RLock()
        self._outbox = self._lease_renewer = None
        self._cancel_exit = None
        was_stopped, self.stop = self.stop.is_set(), threading.Event()
        if was_stopped:
            self.stop.set()
        self.listeners, self.closing = {}, []
        self.transport.after_fork()
        self._process = os.getpid()
        self.worker = with_process_id(self._name) if self._name else worker_name()
        self.disarm()

    # --- shutdown --------------------------------------------------------------------------------

    def end_on_term(self) -> None:
        """Make SIGTERM end this process as Ctrl-C does, unless the program has its own handler."""
        if threading.current_thread() is not threading.main_thread() or self._was_on_term is not None:
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._was_on_term = signal.signal(signal.SIGTERM, _end)

    def disarm(self) -> None:
        """Restore the previous SIGTERM handler; only possible in the main thread."""
        if self._was_on_term is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._was_on_term)
            self._was_on_term = None

    def close(self) -> None:
        """Give back unfinished items, send waiting outcomes, and leave unsent ones in the journal."""
        for call in list(self.closing) if os.getpid() == self._process else ():
            call()
        with self._lock:
            if self._closed or os.getpid() != self._process:
                return
            self._closed = True
        atexit.unregister(self.close)
        if self._cancel_exit:
            self._cancel_exit()
        self.stop.set()
        if self._lease_renewer:
            for item in self._lease_renewer.leased():
                item.give_back()
            self._lease_renewer.close()
        if self._outbox:
            self._outbox.close(timeout=CLOSE_SECONDS)
        self.transport.close()
        self.disarm()


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise SystemExit(TERMINATED)
